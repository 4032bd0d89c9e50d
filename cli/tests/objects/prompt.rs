//! The prompt of `dotdo sql` on a real terminal.

use std::process::Command;

use super::World;
use crate::server::dotdo;

/// Runs a program on a terminal of its own, types what standard input has (a line at a time, each
/// when the program waits for it), and prints what the terminal shows.
const DRIVER: &str = r#"
import os, pty, select, sys
lines = sys.stdin.read().split("\n")[:-1]
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
ready, seen, shown = sys.argv[1].encode(), b"", b""
while True:
    try:
        part = os.read(fd, 4096)
    except OSError:
        break
    if not part:
        break
    seen += part
    shown += part
    if ready in seen and lines:
        seen = b""
        os.write(fd, lines.pop(0).encode().decode("unicode_escape").encode())
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// What a terminal shows of a command while `lines` are typed, each after the text `ready`.
fn typed(world: &World, arguments: &[&str], ready: &str, lines: &[&str]) -> (Option<i32>, String) {
    Terminal { world, variables: &[] }.typed(arguments, ready, lines)
}

/// A terminal with variables in its environment.
struct Terminal<'a> {
    world: &'a World,
    variables: &'a [(&'a str, &'a str)],
}

impl Terminal<'_> {
    fn typed(&self, arguments: &[&str], ready: &str, lines: &[&str]) -> (Option<i32>, String) {
        use std::io::Write as _;

        let folder = self.world.folder.path();
        let command = dotdo(folder);
        let mut driver = Command::new("python3");
        driver.args(["-c", DRIVER, ready]).arg(command.get_program()).args(arguments);
        driver.current_dir(folder).env_clear();
        driver.env("HOME", folder).env("TERM", "xterm").env("PATH", "/usr/bin:/bin:/usr/local/bin");
        if let Some(path) = std::env::var_os("PATH") {
            driver.env("PATH", path);
        }
        driver.envs(self.variables.iter().copied());
        driver.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = driver.spawn().expect("the tests need Python 3");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all((lines.join("\n") + "\n").as_bytes()).expect("the driver reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[test]
fn the_prompt_completes_remembers_and_runs_statements_of_several_lines() {
    let mut world = World::start();
    world.stop();
    let lines = [
        r".tabl\t\r",
        r"SELECT name\nFROM thing\t WHERE id = 'hello';\r",
        r".timing on\r",
        r".mode json\r",
        r"SELECT 40 + 2 AS answer;\r",
        r".schema things\r",
        r".mod x\r",
        r"DELETE FROM things;\r",
        r"abandoned\x03",
        r"\x04",
    ];
    let (code, shown) = typed(&world, &["sql", "alice"], "\u{1b}[?2004h", &lines);
    assert_eq!(code, Some(0), "{shown}");
    for text in [
        "read only",
        "relationships\r\n",
        "a hello",
        "\"rows\":[[42]]",
        " s\r\n",
        "CREATE TABLE things",
        "did you mean .mode?",
        "would change something",
    ] {
        assert!(shown.contains(text), "{text:?} is not in {shown}");
    }
    let history = world.folder.path().join(".local/state/dotdo/sql-history");
    let history = std::fs::read_to_string(history).expect("the prompt remembers");
    assert!(history.contains("SELECT 40 + 2 AS answer;"), "{history}");
    assert!(!history.contains("abandoned"), "{history}");
}

#[test]
fn a_removal_is_asked_for_on_a_terminal() {
    let mut world = World::start();
    world.stop();
    let (code, shown) = typed(&world, &["rm", "alice"], "[y/N] ", &[r"n\r"]);
    assert!(code == Some(1) && shown.contains("nothing was changed"), "{shown}");
    world.ok(&["inspect", "alice"]);
    let (code, shown) = typed(&world, &["rm", "alice"], "[y/N] ", &[r"y\r"]);
    assert!(code == Some(0) && shown.contains("removed DO/alice"), "{shown}");
}

#[test]
fn a_whole_class_is_changed_only_when_a_person_agrees() {
    let mut world = World::start();
    world.stop();
    for (arguments, question) in [
        (&["rm", "--class", "DO"][..], "remove 1 object of the class DO and all they have? [y/N] "),
        (&["mv", "--class", "DO", "Note"], "move 1 object of the class DO to Note? [y/N] "),
        (
            &["snapshot", "restore", "--all", "--at", "1"],
            "bring 1 object of the tenant back to 1? [y/N] ",
        ),
    ] {
        let (code, shown) = typed(&world, arguments, "[y/N] ", &[r"n\r"]);
        assert!(code == Some(1) && shown.contains(question), "{arguments:?}: {shown}");
        assert!(shown.contains("nothing was changed"), "{shown}");
    }
    world.ok(&["inspect", "alice"]);
}

#[test]
fn colours_and_progress_are_for_terminals_that_want_them() {
    let mut world = World::start();
    world.stop();
    world.ok(&["clone", "alice", "bob"]);
    let bold = "\u{1b}[1m";
    let (code, shown) = typed(&world, &["ls"], "never", &[]);
    assert!(code == Some(0) && shown.contains(bold), "{shown:?}");
    assert!(!world.ok(&["ls"]).contains('\u{1b}'), "a file gets no colours");
    let plain = Terminal { world: &world, variables: &[("NO_COLOR", "1")] };
    let (code, shown) = plain.typed(&["ls"], "never", &[]);
    assert!(code == Some(0) && shown.contains("alice") && !shown.contains('\u{1b}'), "{shown:?}");

    let (code, shown) = typed(&world, &["verify", "--all"], "never", &[]);
    assert!(code == Some(0) && shown.contains("/2"), "the progress is shown: {shown:?}");
    assert!(shown.contains("no faults") && shown.contains("in 2 objects"), "{shown:?}");
    let (code, shown) = typed(&world, &["snapshot", "export", "--all", "-o", "all"], "never", &[]);
    assert!(code == Some(0) && shown.contains("/2"), "the progress is shown: {shown:?}");
}
