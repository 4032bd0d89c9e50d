//! Ctrl-C and SIGTERM end what waits, so that whatever is half done is cleaned up; the second one
//! ends the process.

use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::failure::Failure;

/// Knows whether the user has ended the command.
pub(super) struct Stop {
    asked: Arc<watch::Sender<bool>>,
}

impl Stop {
    /// Watches for signals from now on.
    pub(super) fn watch(runtime: &Runtime) -> Self {
        let asked = Arc::new(watch::Sender::new(false));
        let of_task = Arc::clone(&asked);
        runtime.spawn(async move {
            while signal().await {
                if of_task.send_replace(true) {
                    std::process::exit(1);
                }
            }
        });
        Self { asked }
    }

    /// What `work` gives, unless the user ends it first.
    pub(super) async fn or<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut asked = self.asked.subscribe();
        tokio::select! {
            biased;
            // The sender lives in `self`, so waiting can't fail.
            _ = asked.wait_for(|is_asked| *is_asked) => Err(Failure::Interrupted),
            outcome = work => outcome,
        }
    }

    /// Whether the user has ended the command.
    pub(super) fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// As if no signal had come.
    pub(super) fn forget(&self) {
        self.asked.send_replace(false);
    }
}

/// Waits for the next signal; `false` when there can be none.
#[cfg(unix)]
async fn signal() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return false };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.is_ok(),
        terminated = terminate.recv() => terminated.is_some(),
    }
}

/// Waits for the next signal; `false` when there can be none.
#[cfg(not(unix))]
async fn signal() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}
