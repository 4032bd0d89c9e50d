//! Metrics of requests that wait for their object's turn: how many, and how long.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;

/// A waiting request. The wait ends when this is dropped, also when the client disconnects.
pub(crate) struct Wait {
    clock: Arc<dyn Clock>,
    since: Duration,
}

impl Wait {
    /// Starts to count a wait.
    pub(crate) fn begin(clock: &Arc<dyn Clock>) -> Self {
        metrics::gauge!("dotdo_requests_waiting").increment(1.0);
        Self { clock: clock.clone(), since: clock.monotonic() }
    }

    /// Records that a request got its turn at once.
    pub(crate) fn none() {
        record(Duration::ZERO);
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        metrics::gauge!("dotdo_requests_waiting").decrement(1.0);
        record(self.clock.monotonic().saturating_sub(self.since));
    }
}

fn record(waited: Duration) {
    metrics::histogram!("dotdo_turn_wait_seconds").record(waited.as_secs_f64());
}
