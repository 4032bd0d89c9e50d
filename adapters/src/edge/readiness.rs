//! Whether the store can be used, asked at most once a second: probes come from everywhere, and a
//! request to a bucket costs money.

use std::future::Future;
use std::time::{Duration, Instant};

use dotdo_core::Result;
use tokio::sync::Mutex;

/// How long an answer is good.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// The last answer, and when it was given.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Instant, Result<()>)>>);

impl Readiness {
    /// The last answer while it is good, or a new one. Callers that come together share it.
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
