//! Ends this program in order when the one that has started it is gone: the npm package's command,
//! which is a program of its own.

#[cfg(unix)]
use std::time::Duration;

/// Names the process that must be there. It does not begin with `DOTDO_`, as it is no setting.
#[cfg(unix)]
const VARIABLE: &str = "PARENT_OF_DOTDO";

/// Time between two looks.
#[cfg(unix)]
const PAUSE: Duration = Duration::from_millis(500);

/// Looks after the parent, if it has asked for that.
#[cfg(unix)]
pub(crate) fn watch() {
    let named = std::env::var(VARIABLE).ok().and_then(|id| id.parse::<u32>().ok());
    // Programs that this one starts have the variable, too, and another parent.
    let Some(parent) = named.filter(|id| *id == std::os::unix::process::parent_id()) else {
        return;
    };
    let look = move || {
        while std::os::unix::process::parent_id() == parent {
            std::thread::sleep(PAUSE);
        }
        // Whoever does not handle it ends at once.
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM);
    };
    // Without a thread for it, the program does its work all the same.
    let _ = std::thread::Builder::new().name("parent".to_owned()).spawn(look);
}

/// Does nothing: there is no parent to ask for.
#[cfg(not(unix))]
pub(crate) fn watch() {}
