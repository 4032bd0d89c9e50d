//! How a request waits for the end of another instance's lease: how often it looks at the log, and
//! when it gives up.

use std::time::Duration;

use uuid::Uuid;

use crate::activation::state::ForeignClaim;
use crate::error::Result;
use crate::limits::{CONTENTION_PAUSE, LOOK_AGAIN, LOOK_AGAIN_MAX, TAKE_OVER_WAIT_MAX};
use crate::settings::Ownership;

/// The wait of one request for the end of another instance's lease.
///
/// What a new record of another instance means depends on how instances own objects. A server that
/// writes keeps the object, so the request is refused at once and its client goes there. An
/// instance that writes per request takes a lease for two seconds at most, and another may take the
/// next one; there, only a holder that renews its own lease means to keep the object.
pub(crate) struct OwnerWait {
    ownership: Ownership,
    /// The holder and the number of the record that was found last.
    last: Option<(Uuid, u64)>,
    pause: Duration,
}

impl OwnerWait {
    /// A request that has not waited yet.
    pub(crate) fn new(ownership: Ownership) -> Self {
        Self { ownership, last: None, pause: Duration::ZERO }
    }

    /// How long to pause before the next look at the log: the owner may release the object early,
    /// or write another record.
    ///
    /// # Errors
    ///
    /// `Busy` when the owner keeps the object, or its lease is too long to wait for.
    pub(crate) fn next_pause(&mut self, found: ForeignClaim<'_>) -> Result<Duration> {
        let record = (found.claim.holder, found.claim.sequence);
        let is_kept = self.last.is_some_and(|last| match self.ownership {
            Ownership::Leased => record != last,
            Ownership::PerRequest => record.0 == last.0 && record.1 != last.1,
        });
        if is_kept || found.remaining > TAKE_OVER_WAIT_MAX {
            return Err(found.busy());
        }
        let is_same = self.last.replace(record) == Some(record);
        self.pause = match self.ownership {
            Ownership::Leased => LOOK_AGAIN,
            Ownership::PerRequest if is_same => (self.pause * 2).min(LOOK_AGAIN_MAX),
            Ownership::PerRequest => CONTENTION_PAUSE,
        };
        Ok(self.pause.min(found.remaining))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Instant;
    use crate::error::ErrorKind;
    use crate::lease::Claim;
    use crate::testing::ManualClock;

    fn claim(holder: u128, sequence: u64) -> Claim {
        Claim {
            epoch: 1,
            sequence,
            holder: Uuid::from_u128(holder),
            address: None,
            duration: Duration::from_secs(5),
            modified_ms: 0,
            observed: Instant::now(&ManualClock::default()),
            over: false,
        }
    }

    /// Finds `claim`, which holds for `seconds` more.
    fn find(wait: &mut OwnerWait, claim: &Claim, seconds: u64) -> Result<Duration> {
        wait.next_pause(ForeignClaim { claim, remaining: Duration::from_secs(seconds) })
    }

    #[test]
    fn any_new_record_of_a_server_means_that_it_keeps_the_object() {
        for next in [claim(1, 8), claim(2, 8)] {
            let mut wait = OwnerWait::new(Ownership::Leased);
            assert_eq!(find(&mut wait, &claim(1, 7), 5).expect("it may be gone"), LOOK_AGAIN);
            assert_eq!(find(&mut wait, &claim(1, 7), 4).expect("the same record"), LOOK_AGAIN);
            let error = find(&mut wait, &next, 5).expect_err("there is an owner");
            assert_eq!(error.kind(), ErrorKind::Busy);
        }
    }

    #[test]
    fn only_a_renewed_lease_means_that_an_instance_per_request_keeps_the_object() {
        let mut wait = OwnerWait::new(Ownership::PerRequest);
        let pauses = [1, 1, 1].map(|_| find(&mut wait, &claim(1, 7), 2).expect("it ends soon"));
        assert_eq!(pauses, [1, 2, 4].map(|times| CONTENTION_PAUSE * times));
        let other = find(&mut wait, &claim(2, 8), 2).expect("another took a lease after it");
        assert_eq!(other, CONTENTION_PAUSE, "it is looked for often again");
        assert!(find(&mut wait, &claim(2, 9), 2).is_err());
    }

    #[test]
    fn a_lease_that_is_too_long_is_not_waited_for_and_a_pause_ends_with_its_lease() {
        for ownership in [Ownership::Leased, Ownership::PerRequest] {
            let too_long = TAKE_OVER_WAIT_MAX + Duration::from_secs(1);
            let mut wait = OwnerWait::new(ownership);
            let claim = claim(1, 7);
            let found = ForeignClaim { claim: &claim, remaining: too_long };
            assert!(wait.next_pause(found).is_err());
            let remaining = Duration::from_millis(1);
            let pause = wait.next_pause(ForeignClaim { claim: &claim, remaining });
            assert_eq!(pause.expect("it ends at once"), remaining);
        }
    }
}
