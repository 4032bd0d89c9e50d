//! Counts requests that wait for their object's turn, and for how long they did.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;

/// A request that waits; its wait ends when this is dropped, also when its client has gone away.
pub(crate) struct Wait {
    clock: Arc<dyn Clock>,
    since: Duration,
}

impl Wait {
    /// A wait that begins now.
    pub(crate) fn begin(clock: &Arc<dyn Clock>) -> Self {
        metrics::gauge!("dotdo_requests_waiting").increment(1.0);
        Self { clock: clock.clone(), since: clock.monotonic() }
    }

    /// A request got its turn at once.
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
