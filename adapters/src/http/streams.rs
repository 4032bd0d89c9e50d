//! Runs the streams of HTTP/2, and ends those whose clients do not read.
//!
//! A stream whose window its client does not open holds its response for as long as its connection
//! lives, and other streams keep that alive. Whoever sends many clients' requests over one
//! connection would lose them all with the connection, so only the stream is reset.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::rt::Executor;

use super::connections::Sending;

tokio::task_local! {
    /// The response of the stream that this task runs, once there is one.
    static RESPONSE: Arc<OnceLock<Sending>>;
}

/// Runs each stream in a task of its own.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    /// For how long a response may make no progress.
    stall: Duration,
}

impl Streams {
    pub(super) fn new(stall: Duration) -> Self {
        Self { stall }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let stall = self.stall;
        let response = Arc::<OnceLock<Sending>>::default();
        tokio::spawn(async move {
            tokio::select! {
                _ = RESPONSE.scope(Arc::clone(&response), stream) => {}
                () = stalled(&response, stall) => tracing::debug!("a client does not read a response"),
            }
        });
    }
}

/// Notes the response of the stream that runs here, if one does.
pub(super) fn note(sending: impl FnOnce() -> Sending) -> bool {
    RESPONSE.try_with(|response| drop(response.set(sending()))).is_ok()
}

/// Completes when the response has waited for its client for `limit`, while its connection was busy
/// with others: what a connection does that does nothing else is its own to say.
async fn stalled(response: &OnceLock<Sending>, limit: Duration) {
    loop {
        tokio::time::sleep(limit / 4).await;
        if response.get().is_some_and(|sending| sending.is_stalled(limit)) {
            return;
        }
    }
}
