//! Leases: the right to answer from memory, and when it expires.
//!
//! The owner counts from *before* it sent its last successful append, by its own clocks. Whoever
//! wants to take over counts the age of that record, or the time that it has watched it be the
//! newest, and no clock of one machine is compared with another's. Writes need none of this: a slot
//! has one winner.

mod token;

use std::time::Duration;

use uuid::Uuid;

use crate::clock::{Clock, Instant};
use crate::error::{Error, ErrorKind};
use crate::log::Record;
use crate::millis;
use crate::planted::{Bug, planted};
use crate::store::{Bucket, Part};

pub use token::FencingToken;

/// The code of the error when another instance owns the object.
pub(crate) const OWNED_BY_OTHER_INSTANCE: &str = "OWNED_BY_OTHER_INSTANCE";

/// The margin before the end of a lease at which its owner stops using it. It covers the time
/// between the check and the moment when a response reaches the socket.
const GUARD: Duration = Duration::from_millis(50);

/// The right to answer from memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    /// The moment before the append that granted it was sent.
    pub(crate) granted: Instant,
    /// The duration.
    pub(crate) duration: Duration,
}

impl Lease {
    /// Whether the holder may answer from memory now.
    pub(crate) fn holds(&self, clock: &dyn Clock) -> bool {
        self.granted.elapsed_at_most(clock) + GUARD < self.duration
            || planted(Bug::AnswersAfterLease)
    }

    /// Whether the lease holds but should be renewed.
    pub(crate) fn is_half_over(&self, clock: &dyn Clock) -> bool {
        self.granted.elapsed_at_most(clock) * 2 > self.duration
    }
}

/// The newest record of a log, from the perspective of another process.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The fencing token's epoch.
    pub(crate) epoch: u64,
    /// The fencing token's sequence number.
    pub(crate) sequence: u64,
    /// The holder.
    pub(crate) holder: Uuid,
    /// The address of the holder.
    pub(crate) address: Option<String>,
    /// The duration, counted from before the record was sent. Zero means that it was released.
    pub(crate) duration: Duration,
    /// When the record was written, by the store's clock.
    pub(crate) modified_ms: i64,
    /// When this process first learned that this record is the newest: after the response arrived,
    /// not before the request.
    pub(crate) observed: Instant,
    /// Whether it was ever found to be over. Estimates of the store's time may fall back, but this
    /// stays true.
    pub(crate) over: bool,
}

impl Claim {
    /// The claim that `record` makes.
    pub(crate) fn of(record: &Record, modified_ms: i64, observed: Instant) -> Self {
        Self {
            epoch: record.epoch,
            sequence: record.sequence,
            holder: record.writer,
            address: record.address.clone(),
            duration: Duration::from_millis(record.lease_ms),
            modified_ms,
            observed,
            over: false,
        }
    }

    /// How long `me` must wait before it may take the object over; zero: now.
    ///
    /// The holder's lease began before the record reached the store, so it is over when the record
    /// is older than the lease, by the store's clock, or when this process has watched it for that
    /// long, by its own. A claim that was over once stays over, although the estimate of the
    /// store's time may fall back, by a whole second where its dates have no fractions: something
    /// may depend on the earlier answer.
    pub(crate) fn remaining(
        &mut self,
        me: Uuid,
        bucket: &dyn Bucket,
        clock: &dyn Clock,
    ) -> Duration {
        if self.over && !planted(Bug::ClaimComesBack) {
            return Duration::ZERO;
        }
        let remaining = self.remaining_now(me, bucket, clock);
        self.over = remaining.is_zero();
        remaining
    }

    fn remaining_now(&self, me: Uuid, bucket: &dyn Bucket, clock: &dyn Clock) -> Duration {
        if self.duration.is_zero() || self.holder == me || bucket.is_gone(self.holder) {
            return Duration::ZERO;
        }
        let watched = if planted(Bug::WallClockTakeOver) {
            self.observed.elapsed_at_most(clock)
        } else {
            self.observed.elapsed_at_least(clock)
        };
        let by_watching = self.duration.saturating_sub(watched);
        let by_age = bucket.store_time_ms(Part::Log).map(|now_ms| {
            let age = millis::between(self.modified_ms, now_ms);
            (self.duration + bucket.store_time_error()).saturating_sub(age)
        });
        by_age.map_or(by_watching, |by_age| by_age.min(by_watching))
    }

    /// The error for a request that reached the wrong server.
    pub(crate) fn busy(&self, remaining: Duration) -> Error {
        let text = format!(
            "another server owns this object for up to {:.1} s more; retry then",
            remaining.as_secs_f64()
        );
        Error::new(ErrorKind::Busy, text)
            .with_code(OWNED_BY_OTHER_INSTANCE)
            .with_retry_after(remaining)
            .with_details(serde_json::json!({
                "holder": self.holder,
                "address": self.address,
                "epoch": self.epoch,
                "sequence": self.sequence,
                "remainingMs": millis::of(remaining),
            }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::Memory;
    use crate::testing::ManualClock;

    const LEASE: Duration = Duration::from_secs(10);
    const HOUR_MS: i64 = 3_600_000;

    fn claim(clock: &ManualClock) -> Claim {
        Claim {
            epoch: 1,
            sequence: 1,
            holder: Uuid::from_u128(1),
            address: None,
            duration: LEASE,
            modified_ms: clock.wall_ms(),
            observed: Instant::now(clock),
            over: false,
        }
    }

    #[test]
    fn a_claim_that_was_over_once_is_over_also_when_the_date_of_the_store_falls_back() {
        let clock = Arc::new(ManualClock::default());
        let bucket = crate::testing::TestStore::new(clock.of_store());
        let mut claim = claim(&clock);
        clock.pass_unnoticed(LEASE + Duration::from_millis(500));
        assert_eq!(
            claim.remaining(Uuid::from_u128(2), &bucket, clock.as_ref()),
            Duration::ZERO,
            "by its age"
        );
        bucket.faults().set_dates_ahead_ms(-1000);
        assert_eq!(
            claim.remaining(Uuid::from_u128(2), &bucket, clock.as_ref()),
            Duration::ZERO,
            "it is known to be over"
        );
    }

    #[test]
    fn a_watcher_whose_clock_is_set_forward_waits_all_the_same() {
        let clock = Arc::new(ManualClock::default());
        let bucket = Memory::new(clock.of_store());
        let mut claim = claim(&clock);
        clock.set_wall(HOUR_MS);
        assert_eq!(claim.remaining(Uuid::from_u128(2), &bucket, clock.as_ref()), LEASE);
        clock.advance(LEASE);
        assert_eq!(claim.remaining(Uuid::from_u128(2), &bucket, clock.as_ref()), Duration::ZERO);
    }

    #[test]
    fn an_owner_whose_clock_is_set_forward_stops_and_one_whose_clock_is_set_back_does_not_go_on() {
        let clock = ManualClock::default();
        let lease = Lease { granted: Instant::now(&clock), duration: LEASE };
        assert!(lease.holds(&clock));
        clock.set_wall(HOUR_MS);
        assert!(!lease.holds(&clock));
        clock.set_wall(-2 * HOUR_MS);
        clock.advance(LEASE);
        assert!(!lease.holds(&clock));
    }
}
