//! Whether a tenant is open: its part of the bucket has passed the probe, and its key `closed` is
//! not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Random};
use crate::error::{Error, ErrorKind, Result};
use crate::id::Tenant;
use crate::limits::{CLOSED_LOOK_INTERVAL, CLOSED_LOOK_MAX, CLOSED_LOOK_RETRY, HINT_BYTES_MAX};
use crate::millis;
use crate::store::{Bucket, Key, StoreError, probe_below};
use crate::sync::Mutex;

/// The key that closes `tenant`.
pub(super) fn closed_key(tenant: &Tenant) -> Key {
    tenant.prefix().join("closed")
}

/// What is known of a tenant without a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It was open a moment ago.
    Open,
    /// It is closed, for good.
    Closed,
    /// It is time to look.
    Nothing,
}

/// Looks whether a tenant is open: when it is first met, and then once in
/// [`CLOSED_LOOK_INTERVAL`] while it is used. While the store does not answer, an open tenant stays
/// open for [`CLOSED_LOOK_MAX`].
pub(super) struct Standing {
    tenant: Tenant,
    /// There is nothing to find out: the local tenant can't be closed.
    is_always_open: bool,
    clock: Arc<dyn Clock>,
    /// When a look began that found it open, by both clocks of this process: milliseconds, 1 more
    /// than the monotonic clock says; 0: none has.
    open_monotonic_ms: AtomicU64,
    open_wall_ms: AtomicI64,
    /// Until then, a look that has failed is not repeated, in monotonic milliseconds.
    failed_until_ms: AtomicU64,
    is_closed: AtomicBool,
    /// Whether somebody was told that it is.
    is_told: AtomicBool,
    /// Held by whoever looks: what probes the tenant's part of the bucket, until it has passed.
    looking: tokio::sync::Mutex<Option<Arc<dyn Random>>>,
    /// How many looks have failed, and how the last one did: whoever waited for it fails with it.
    failures: Mutex<(u64, Option<Error>)>,
}

impl Standing {
    /// Nothing is known of `tenant`. With `probe`, its part of the bucket is probed first; without,
    /// the bucket was probed as a whole.
    pub(super) fn new(
        tenant: Tenant,
        clock: Arc<dyn Clock>,
        probe: Option<Arc<dyn Random>>,
    ) -> Self {
        Self {
            is_always_open: tenant.is_local() && probe.is_none(),
            tenant,
            clock,
            open_monotonic_ms: AtomicU64::new(0),
            open_wall_ms: AtomicI64::new(0),
            failed_until_ms: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            is_told: AtomicBool::new(false),
            looking: tokio::sync::Mutex::new(probe),
            failures: Mutex::default(),
        }
    }

    /// What is known without a look.
    pub(super) fn known(&self) -> Known {
        if self.is_closed() {
            return Known::Closed;
        }
        if self.is_always_open {
            return Known::Open;
        }
        let age = self.age();
        if age < CLOSED_LOOK_INTERVAL || (age < CLOSED_LOOK_MAX && self.has_just_failed()) {
            Known::Open
        } else {
            Known::Nothing
        }
    }

    /// Whether the tenant is known to be closed.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Whether a look has failed so short a time ago that it is not repeated yet.
    fn has_just_failed(&self) -> bool {
        millis::of(self.clock.monotonic()) < self.failed_until_ms.load(Ordering::Acquire)
    }

    /// Upper bound of the time since the last look that found the tenant open.
    fn age(&self) -> Duration {
        let Some(monotonic_ms) = self.open_monotonic_ms.load(Ordering::Acquire).checked_sub(1)
        else {
            return Duration::MAX;
        };
        let by_monotonic = millis::of(self.clock.monotonic()).saturating_sub(monotonic_ms);
        let wall_ms = self.open_wall_ms.load(Ordering::Acquire);
        Duration::from_millis(by_monotonic).max(millis::between(wall_ms, self.clock.wall_ms()))
    }

    /// Makes sure that the tenant is open. One request when it is time to look, whoever asks at the
    /// same time.
    ///
    /// # Errors
    ///
    /// `Gone` when the tenant is closed; those of the probe; `Unavailable` when the store does not
    /// answer.
    pub(super) async fn ensure_open(&self, bucket: &dyn Bucket) -> Result<()> {
        let failures = self.failures.lock().0;
        if self.known() == Known::Nothing {
            let mut probe = self.looking.lock().await;
            let (count, failure) = self.failures.lock().clone();
            if count != failures
                && self.known() == Known::Nothing
                && let Some(failure) = failure
            {
                return Err(failure);
            }
            if self.known() == Known::Nothing {
                self.look(bucket, &mut probe).await?;
            }
        }
        if self.is_closed() { Err(self.closed()) } else { Ok(()) }
    }

    async fn look(&self, bucket: &dyn Bucket, probe: &mut Option<Arc<dyn Random>>) -> Result<()> {
        let (monotonic, wall_ms) = (self.clock.monotonic(), self.clock.wall_ms());
        match self.ask(bucket, probe).await {
            Ok(false) => {
                self.open_wall_ms.store(wall_ms, Ordering::Release);
                self.open_monotonic_ms
                    .store(millis::of(monotonic).saturating_add(1), Ordering::Release);
            }
            Ok(true) => self.close(),
            Err(error) if self.age() < CLOSED_LOOK_MAX => {
                tracing::debug!(tenant = %self.tenant, %error, "cannot look whether the tenant is closed; retrying later");
                let until = self.clock.monotonic() + CLOSED_LOOK_RETRY;
                self.failed_until_ms.store(millis::of(until), Ordering::Release);
            }
            Err(error) => {
                let mut failures = self.failures.lock();
                *failures = (failures.0 + 1, Some(error.clone()));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether the tenant is closed, as its bucket says.
    async fn ask(&self, bucket: &dyn Bucket, probe: &mut Option<Arc<dyn Random>>) -> Result<bool> {
        if let Some(random) = probe {
            probe_below(bucket, self.tenant.prefix(), (self.clock.as_ref(), random.as_ref()))
                .await?;
            *probe = None;
        }
        match bucket.get_within(&closed_key(&self.tenant), HINT_BYTES_MAX).await {
            // Whatever it says, it is there.
            Err(StoreError::TooLarge { .. }) => Ok(true),
            found => Ok(found?.is_some()),
        }
    }

    /// The tenant is closed from now on.
    pub(super) fn close(&self) {
        if !self.is_closed.swap(true, Ordering::AcqRel) {
            tracing::info!(tenant = %self.tenant, "the tenant is closed");
        }
    }

    /// Whether the tenant is known to be closed, and this is asked for the first time since.
    pub(super) fn is_closed_anew(&self) -> bool {
        self.is_closed() && !self.is_told.swap(true, Ordering::AcqRel)
    }

    /// The error for whatever is asked of a closed tenant.
    pub(super) fn closed(&self) -> Error {
        Error::new(ErrorKind::Gone, format!("the tenant {} is closed", self.tenant))
            .with_code("TENANT_CLOSED")
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;
    use crate::testing::{Fault, ManualClock, Operation, TestStore};

    struct World {
        clock: Arc<ManualClock>,
        store: TestStore,
        standing: Standing,
    }

    fn world() -> World {
        let clock = Arc::new(ManualClock::new());
        let store = TestStore::new(clock.clone());
        let tenant = Tenant::new("acme", "shop").expect("a good tenant");
        World { standing: Standing::new(tenant, clock.clone(), None), clock, store }
    }

    impl World {
        fn ask(&self) -> Result<()> {
            self.standing.ensure_open(&self.store).now_or_never().expect("memory does not wait")
        }

        fn looks(&self) -> u64 {
            self.store.record().count(Operation::Get, "closed")
        }
    }

    #[test]
    fn an_open_tenant_stays_open_for_two_minutes_while_the_store_is_away() {
        let world = world();
        world.ask().expect("it is open");
        world.store.faults().outage();
        world.clock.advance(CLOSED_LOOK_INTERVAL);
        for _ in 0..3 {
            world.ask().expect("it was open a minute ago");
        }
        assert_eq!(world.looks(), 2, "a look that has failed is not repeated at once");
        world.clock.advance(CLOSED_LOOK_RETRY);
        world.ask().expect("it was open a moment before");
        assert_eq!(world.looks(), 3);
        world.clock.advance(CLOSED_LOOK_MAX);
        assert_eq!(world.ask().expect_err("nobody knows").kind(), ErrorKind::Unavailable);
        world.store.faults().heal();
        world.ask().expect("it is open");
    }

    #[test]
    fn a_wall_clock_that_went_on_while_the_process_stood_still_counts() {
        let world = world();
        world.ask().expect("it is open");
        world.clock.set_wall(millis::signed(CLOSED_LOOK_INTERVAL));
        assert_eq!(world.standing.known(), Known::Nothing);
        world.ask().expect("it is open");
        world.clock.set_wall(-3_600_000);
        assert_eq!(world.standing.known(), Known::Open, "the monotonic clock has not gone on");
    }

    #[tokio::test]
    async fn whoever_waits_for_a_look_fails_with_it() {
        let world = world();
        world.store.faults().fail_while(|_, _| true, Fault::NotApplied);
        world.store.slowness().hold(|_, _| true);
        let asked = (0..10).map(|_| world.standing.ensure_open(&world.store));
        let (outcomes, ()) = futures_util::join!(join_all(asked), async {
            world.store.slowness().held().await;
            world.store.slowness().release();
        });
        assert!(outcomes.iter().all(|outcome| {
            outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unavailable)
        }));
        assert_eq!(world.looks(), 1);
    }
}
