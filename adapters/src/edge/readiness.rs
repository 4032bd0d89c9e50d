//! The readiness check, made at most once a second: probes may come from many places, and a request
//! to a bucket costs money.

use std::future::Future;
use std::time::{Duration, Instant};

use dotdo_core::Result;
use tokio::sync::Mutex;

/// How long a result is reused.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The last result, and its time.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Result<()>)>>);

impl Readiness {
    /// The last result while it is valid, otherwise a new one. Concurrent callers share it.
    pub(super) async fn check<F: Future<Output = Result<()>>>(
        &self,
        ask: impl FnOnce() -> F,
    ) -> Result<()> {
        let mut last = self.0.lock().await;
        if let Some((at, answer)) = last.as_ref()
            && at.elapsed() < GOOD_FOR
        {
            return answer.clone();
        }
        let answer = ask().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}
