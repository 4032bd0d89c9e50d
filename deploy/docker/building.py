"""Making the image for deploy/docker/try, by deploy/docker/Dockerfile, also where its base images can't be pulled."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMITS = ["--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096"]
PODMAN = ["podman", "--runtime", "runc"]
RUST, DEBIAN = "docker.io/library/rust:1.95-bookworm", "docker.io/library/debian:bookworm-20260918-slim"
# How long anything may take that is waited for, in seconds. Only what is broken takes so long.
PATIENCE = 120


class Failed(Exception):
    """Something that must hold does not."""


def say(text):
    print(text, flush=True)


def must(holds, what):
    if not holds:
        raise Failed(what)


def run(*command, **options):
    """The output of a command that succeeds."""
    done = subprocess.run(list(command), text=True, capture_output=True, **options)
    must(done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def until(what, look):
    """The first answer of `look` that is not None."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = look()
        if found is not None:
            return found
        time.sleep(0.1)
    raise Failed(f"{what} did not happen within {PATIENCE} s")


def is_there(image):
    return subprocess.run([*PODMAN, "image", "exists", image]).returncode == 0


def pulled(image):
    if is_there(image):
        return True
    return subprocess.run([*PODMAN, "pull", "--quiet", image], capture_output=True, timeout=900).returncode == 0


def stand_in_for_debian():
    """A minimal Debian 12, as small as the one that it stands for."""
    image = "localhost/dotdo-try/debian:bookworm-slim"
    if is_there(image):
        return image
    say(f"{DEBIAN} can't be pulled: a debootstrapped Debian stands in for it")
    must(shutil.which("debootstrap"), "a stand-in for the base image needs debootstrap: apt-get install debootstrap")
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        run("debootstrap", "--variant=minbase", "bookworm", f"{folder}/root")
        kept = [f"--exclude=./{path}" for path in ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt/*", "var/lib/apt/lists/*")]
        tar = subprocess.Popen(["tar", "-C", f"{folder}/root", *kept, "-c", "."], stdout=subprocess.PIPE)
        run(*PODMAN, "import", "--quiet", "-", image, stdin=tar.stdout)
        must(tar.wait() == 0, "tar could not read the new Debian")
    return image


def stand_in_for_rust(debian):
    """That Debian with a C compiler; this machine's Rust, and the crates that it has, are mounted when it builds."""
    image = "localhost/dotdo-try/rust:bookworm"
    if not is_there(image):
        say(f"{RUST} can't be pulled: the stand-in with a C compiler and this machine's Rust stands in for it")
        lines = [f"FROM {debian}", "RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ libc6-dev make ca-certificates",
                 "ENV CARGO_HOME=/usr/local/cargo PATH=/usr/local/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "Dockerfile").write_text("\n".join(lines) + "\n")
            run(*PODMAN, "build", "--network", "host", *LIMITS, "--tag", image, folder)
    must(shutil.which("rustc") and shutil.which("cargo"), "a stand-in for the Rust image needs Rust on this machine: rustup.rs")
    sysroot = run("rustc", "--print", "sysroot", cwd=ROOT)
    crates = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"), "registry")
    run("cargo", "fetch", "--locked", cwd=ROOT)
    return image, ["--volume", f"{sysroot}:/usr/local/rust:ro", "--volume", f"{crates}:/usr/local/cargo/registry"]


def built(options, name="dotdo"):
    """Builds the image."""
    image = f"localhost/dotdo-try/{name}:latest"
    debian = DEBIAN if pulled(DEBIAN) else stand_in_for_debian()
    command = [*PODMAN, "build", "--format", "docker", "--network", "host", *LIMITS, "--file", str(ROOT / "deploy/docker/Dockerfile"),
               "--build-arg", f"RUNTIME_IMAGE={debian}", "--build-arg", f"PROFILE={options.profile}", "--tag", image]
    with contextlib.ExitStack() as stack:
        if options.program:
            # What the stage `build` would leave.
            out = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / "target")), "out")
            (out / "bin").mkdir(parents=True)
            shutil.copy(options.program, out / "bin/program")
            (out / "bin/dotdo").symlink_to("program")
            shutil.copy("/etc/ssl/certs/ca-certificates.crt", out)
            command += ["--build-arg", f"RUST_IMAGE={debian}", "--build-context", f"build={out.parent}"]
        elif not pulled(RUST):
            rust, mounts = stand_in_for_rust(debian)
            command += ["--build-arg", f"RUST_IMAGE={rust}", *mounts]
        started = time.monotonic()
        done = subprocess.run([*command, str(ROOT)], stdout=None if options.verbose else subprocess.DEVNULL)
        must(done.returncode == 0, f"the image can't be built: {' '.join(command)}")
    say(f"built {image} in {time.monotonic() - started:.0f} s")
    return image
