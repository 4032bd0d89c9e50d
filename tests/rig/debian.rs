//! Programs that Debian packages: those of this machine, or else unpacked into the build folder.
//! The release of Debian pins their versions.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::chores::target;
use crate::tools::run;

/// A program that tests need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Package {
    /// HAProxy, a load balancer.
    Haproxy,
    /// nginx, a web server that balances loads.
    Nginx,
    /// Redis, a server of keys and messages.
    Redis,
    /// OpenSSL's command, which makes certificates.
    Openssl,
    /// The bus of a desktop session.
    Dbus,
    /// GNOME's keyring, which programs reach by that bus.
    Keyring,
}

impl Package {
    /// Its name.
    fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Nginx => "nginx",
            Self::Redis => "redis-server",
            Self::Openssl => "openssl",
            Self::Dbus => "dbus-daemon",
            Self::Keyring => "gnome-keyring",
        }
    }

    /// The name of the program.
    fn program(self) -> &'static str {
        match self {
            Self::Keyring => "gnome-keyring-daemon",
            other => other.name(),
        }
    }

    /// The program, ready for arguments; unpacks it when neither this machine nor this build folder
    /// has it.
    ///
    /// # Panics
    ///
    /// When it can't be had, with what is missing.
    pub fn command(self) -> Command {
        if let Some(program) = installed(self.program()) {
            return Command::new(program);
        }
        let home = self.home();
        let program = ["usr/sbin", "usr/bin"]
            .map(|folder| home.join(folder).join(self.program()))
            .into_iter()
            .find(|path| path.exists());
        let mut command = Command::new(program.unwrap_or_else(|| {
            panic!("Debian's package {} has no program {}", self.name(), self.program())
        }));
        command.env("LD_LIBRARY_PATH", libraries(&home).join(":"));
        command
    }

    /// The folder into which the package and what it depends on are unpacked.
    fn home(self) -> PathBuf {
        let rigs = target().join("rigs");
        fs::create_dir_all(&rigs).expect("the build folder is writable");
        let home = rigs.join(self.name());
        // Test binaries run at the same time; one unpacks, the others wait.
        let lock = File::create(rigs.join("debian.lock")).expect("the build folder is writable");
        lock.lock().expect("files can be locked");
        let complete = home.join("complete");
        if !complete.exists() {
            let _ = fs::remove_dir_all(&home);
            unpack(self.name(), &home, &rigs.join("apt"));
            fs::write(complete, "").expect("the build folder is writable");
        }
        home
    }
}

/// The program `name` of this machine.
fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Downloads the package and everything that it depends on and this machine lacks.
fn unpack(name: &str, home: &Path, apt: &Path) {
    let needs = format!("{name}, or Debian's apt-get and a mirror to unpack it from");
    fs::create_dir_all(home).expect("the build folder is writable");
    for folder in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(folder)).expect("the build folder is writable");
    }
    // Lists and archives of our own: this user may not write those of the machine, and it may have
    // none.
    let get = || {
        let mut get = Command::new("apt-get");
        get.arg("-qq").args(["-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=true"]);
        get.arg("-o").arg(format!("Dir::State::lists={}", apt.join("lists").display()));
        get.arg("-o").arg(format!("Dir::Cache={}", apt.join("cache").display()));
        get.current_dir(home);
        get
    };
    run(get().arg("update"), &needs);
    let plan = run(get().args(["--simulate", "--no-install-recommends", "install", name]), &needs);
    let packages: Vec<&str> =
        plan.lines().filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next()).collect();
    run(get().arg("download").args(packages), &needs);
    for file in fs::read_dir(home).expect("it was created").flatten() {
        run(Command::new("dpkg-deb").arg("-x").arg(file.path()).arg(home), &needs);
        fs::remove_file(file.path()).expect("the build folder is writable");
    }
}

/// Where the unpacked libraries are.
fn libraries(home: &Path) -> Vec<String> {
    let found = ["usr/lib", "lib"]
        .iter()
        .filter_map(|folder| fs::read_dir(home.join(folder)).ok())
        .flatten()
        .flatten();
    found
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .map(|path| path.display().to_string())
        .collect()
}
