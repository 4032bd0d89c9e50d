//! Commands that read and write settings, check a machine and deploy, through the real binary.

mod build;
mod config;
mod deploy;
mod dev;
mod doctor;
mod user;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::server::dotdo;

/// Runs a program on a terminal of its own: waits for each prompt, then types its answer. Prints all
/// that the terminal shows.
const TYPIST: &str = r"
import json, os, pty, sys
talk = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b''
try:
    while True:
        if talk and talk[0][0].encode() in shown.rsplit(b'\x00', 1)[-1]:
            os.write(terminal, talk.pop(0)[1].encode())
            shown += b'\x00'
        part = os.read(terminal, 4096)
        if not part:
            break
        shown += part
except OSError:
    pass
sys.stdout.buffer.write(shown.replace(b'\x00', b'').replace(b'\r\n', b'\n'))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

/// The command on a terminal, where a person answers each prompt.
fn typed(command: &Command, talk: &[(&str, &str)]) -> Command {
    let mut typist = dotdo_like(command, "python3");
    let talk = serde_json::to_string(talk).expect("texts are JSON");
    typist.args(["-c", TYPIST, &talk]).arg(command.get_program()).args(command.get_args());
    typist
}

/// Another program in the place and with the environment of `command`.
fn dotdo_like(command: &Command, program: &str) -> Command {
    let folder = command.get_current_dir().expect("a folder");
    let mut other = Command::new(program);
    other.current_dir(folder).env_clear();
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if command.get_envs().all(|(name, _)| name != "PATH") {
        other.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    }
    other
}

/// Writes a program that can be run.
fn program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is writable");
    std::fs::write(path, text).expect("the folder is writable");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).expect("the file is ours");
}

/// `dotdo` with these arguments.
fn with(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = dotdo(folder);
    command.args(arguments);
    command
}
