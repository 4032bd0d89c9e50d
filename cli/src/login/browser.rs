//! Opens the user's browser, where there is one.

use std::env;
use std::io::{IsTerminal as _, stderr};
use std::process::{Command, Stdio};

use reqwest::Url;

/// Opens `url` in a browser; whether one could be started.
///
/// There is one where somebody sits at the screen: standard error is a terminal, this is no
/// automatic run (`CI`) and no connection from elsewhere (SSH), and on Unix there is a display. A
/// program in `BROWSER` is believed: editors set it to reach the browser at the other end.
pub(super) fn open(url: &Url) -> bool {
    if !stderr().is_terminal() || is_set("CI") {
        return false;
    }
    if let Some(program) = env::var_os("BROWSER").filter(|program| !program.is_empty()) {
        return started(Command::new(program), url);
    }
    if is_set("SSH_CONNECTION") || is_set("SSH_TTY") {
        return false;
    }
    opener().is_some_and(|command| started(command, url))
}

/// The system's own way to open a URL; `None` where nobody would see it.
fn opener() -> Option<Command> {
    if cfg!(target_os = "macos") {
        return Some(Command::new("open"));
    }
    if cfg!(windows) {
        let mut command = Command::new("rundll32");
        command.arg("url.dll,FileProtocolHandler");
        return Some(command);
    }
    (is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")).then(|| Command::new("xdg-open"))
}

/// Whether an environment variable has a value.
fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Starts the command with the URL as its argument, apart from this process' terminal.
fn started(mut command: Command, url: &Url) -> bool {
    command.arg(url.as_str());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return false };
    // Whoever opens a URL ends at once; a browser itself may live on.
    std::thread::spawn(move || child.wait());
    true
}
