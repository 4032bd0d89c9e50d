//! SIGTERM and SIGINT: the first shuts the server down, the second ends it at once. SIGHUP shuts it
//! down, too.
//!
//! Settings are read only at startup, so SIGHUP has nothing to reload; it means that the terminal
//! has closed. It never counts as the second signal: a shell and the kernel may both send one, and
//! service managers may send one after SIGTERM.

use std::io;

/// The signals that end a server.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// `None` if it is ignored, as under `nohup`, and once the server shuts down.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// The signal that platforms send.
    pub(crate) const TERMINATE: &str = "SIGTERM";
}

#[cfg(unix)]
impl Signals {
    /// Starts to handle the signals.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = if hangup_counts() { Some(signal(SignalKind::hangup())?) } else { None };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
        })
    }

    /// Completes with the name of the next signal.
    pub(crate) async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let name = tokio::select! {
            _ = self.terminate.recv() => Self::TERMINATE,
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        };
        self.hangup = None;
        name
    }
}

/// Whether SIGHUP was not ignored when the program started. If the system does not tell, it is not
/// handled.
#[cfg(unix)]
fn hangup_counts() -> bool {
    let status = std::fs::read_to_string("/proc/self/status");
    status.is_ok_and(|status| ignored_signals(&status).is_some_and(|ignored| ignored & 1 == 0))
}

/// The signals that a process ignores, the first in the lowest bit, from its `status` (proc(5)).
#[cfg(unix)]
fn ignored_signals(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(not(unix))]
impl Signals {
    /// Starts to handle the signals.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Completes with the name of the next signal.
    pub(crate) async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "ctrl-c",
            Err(_) => std::future::pending().await,
        }
    }
}
