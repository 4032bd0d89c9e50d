//! Runs the streams of HTTP/2, and resets those whose clients do not read.
//!
//! A stream whose client does not open its window holds its response as long as the connection
//! lives, and other streams keep that alive. Closing the connection would end all requests of a
//! proxy, so only the stream is reset.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::rt::Executor;

tokio::task_local! {
    /// The response of the stream that this task runs, once there is one.
    static RESPONSE: Response;
}

type Response = Arc<OnceLock<Box<dyn Waits>>>;

/// A response that may wait for its client.
pub(super) trait Waits: Send + Sync + 'static {
    /// Whether it has waited for its client for `limit` while its connection was busy.
    fn is_stalled(&self, limit: Duration) -> bool;
}

/// Runs each stream in its own task.
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
        let response = Response::default();
        tokio::spawn(async move {
            tokio::select! {
                _ = RESPONSE.scope(Arc::clone(&response), stream) => {}
                () = stalled(&response, stall) => tracing::debug!("a client does not read a response"),
            }
        });
    }
}

/// Records the response of the current stream, if there is one.
pub(super) fn note<W: Waits>(sending: impl FnOnce() -> W) -> bool {
    RESPONSE.try_with(|response| drop(response.set(Box::new(sending())))).is_ok()
}

/// Completes when the response has waited for its client for `limit` while its connection was busy
/// with other streams. A connection without other work has its own timeout.
async fn stalled(response: &Response, limit: Duration) {
    loop {
        tokio::time::sleep(limit / 4).await;
        if response.get().is_some_and(|sending| sending.is_stalled(limit)) {
            return;
        }
    }
}
