//! Counts tasks that outlive their request, so that a shutdown, or a function before it is frozen,
//! can wait for them.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;

use crate::clock::Clock;

/// Pause before a task that panicked is restarted.
const REST: Duration = Duration::from_secs(1);

/// Runs work that others rely on, and restarts it after a panic. Returns when the work ends.
pub(crate) async fn restart_on_panic<F: Future<Output = ()>>(
    what: &str,
    clock: Arc<dyn Clock>,
    mut work: impl FnMut() -> F,
) {
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        tracing::error!(task = what, "a background task panicked; restarting it");
        clock.sleep(REST).await;
    }
}

/// Tasks of this engine that are still running.
#[derive(Clone)]
pub(crate) struct Tasks {
    running: Arc<watch::Sender<usize>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self { running: Arc::new(watch::Sender::new(0)) }
    }
}

/// Counts one task for as long as it lives, also when it panics.
pub(crate) struct Running(Arc<watch::Sender<usize>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Tasks {
    /// Runs `work` in a task of its own.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let running = self.begin();
        tokio::spawn(async move {
            let _running = running;
            work.await;
        });
    }

    /// Counts one task until the value is dropped.
    pub(crate) fn begin(&self) -> Running {
        self.running.send_modify(|count| *count += 1);
        Running(self.running.clone())
    }

    /// Whether no task is running.
    pub(crate) fn is_idle(&self) -> bool {
        *self.running.borrow() == 0
    }

    /// Completes when no task is running.
    pub(crate) async fn idle(&self) {
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = self.running.subscribe().wait_for(|count| *count == 0).await;
    }
}

/// Starts work that ends by itself, and that nobody waits for: neither a shutdown nor a platform
/// that freezes the process.
pub(crate) fn spawn_detached(work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(work);
}
