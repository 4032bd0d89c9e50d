//! The memory budget of the process, in bytes: reserved before the work, released when the work
//! ends.
//!
//! Promises: a charge is released exactly once, however its holder ends; waiting work is served for a
//! bounded time, the tenant that has the least of a use first, and in order within a tenant; the
//! holder of a charge never waits for other holders. Memory whose size is known only afterwards is
//! counted then, and nothing new is admitted until it is below the limit again. docs/design/0018
//! has the argument. Must not know: what objects, requests and snapshots are.

mod account;
mod charge;
mod json;
mod state;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, oneshot};

pub use self::account::Account;
pub use self::charge::Charge;
pub(crate) use self::json::weight_of_json;
use self::state::{Ask, State};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::limits::MEMORY_WAIT_MAX;
use crate::sync::Mutex;

/// The uses of memory. Each has a share of the budget that it can't exceed.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::Use;
///
/// let budget = engine.budget();
/// assert!(budget.used(Use::Objects) > 0, "the object is in memory");
/// assert!(budget.one_max(Use::TimeTravel) < budget.one_max(Use::Objects));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Objects in memory, and restoring them.
    Objects,
    /// Requests: their bodies, the parsed bodies, and their responses.
    Requests,
    /// Former states of objects (time travel).
    TimeTravel,
    /// Snapshots that are being written.
    Snapshots,
    /// Temporary memory of SQL.
    Sql,
}

impl Use {
    /// Every use.
    pub(crate) const ALL: [Self; 5] =
        [Self::Objects, Self::Requests, Self::TimeTravel, Self::Snapshots, Self::Sql];

    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Requests => "requests",
            Self::TimeTravel => "time_travel",
            Self::Snapshots => "snapshots",
            Self::Sql => "sql",
        }
    }

    /// The maximum share of a budget of `bytes_max`.
    fn share(self, bytes_max: u64) -> u64 {
        match self {
            Self::Objects => bytes_max / 4 * 3,
            Self::Requests | Self::Snapshots | Self::Sql => bytes_max / 2,
            Self::TimeTravel => bytes_max / 4,
        }
    }

    /// The maximum size of one charge.
    fn one(self, bytes_max: u64) -> u64 {
        self.share(bytes_max).min(bytes_max / 2)
    }
}

/// A budget of memory, in bytes. Clones share it.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use std::sync::Arc;
///
/// use dotdo::ErrorKind;
/// use dotdo::engine::{Budget, Use};
/// use dotdo::testing::ManualClock;
///
/// let budget = Budget::new(64 << 20, Arc::new(ManualClock::new()));
/// let charge = budget.admit(Use::Objects, &object, 8 << 20).await?;
/// assert_eq!(budget.used(Use::Objects), 8 << 20);
/// drop(charge);
/// assert_eq!(budget.used(Use::Objects), 0);
/// let too_much = budget.admit_at_once(Use::Objects, &object, 64 << 20).unwrap_err();
/// assert_eq!(too_much.kind(), ErrorKind::Full);
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    bytes_max: u64,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Notified when somebody waits, or more is used than the budget allows.
    short: Notify,
}

impl Budget {
    /// An unused budget of `bytes_max`.
    pub fn new(bytes_max: u64, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            bytes_max,
            clock,
            state: Mutex::new(State::new(bytes_max)),
            short: Notify::new(),
        }))
    }

    /// Waits until `bytes` are free, and reserves them for `object`. A caller that holds a charge
    /// of the same use would deadlock; it grows that charge instead ([`Charge::grow`]).
    ///
    /// # Errors
    ///
    /// `Busy` when they are not free in time; `TooLarge` or `Full` when they never can be.
    pub async fn admit(&self, what: Use, object: &ObjectId, bytes: u64) -> Result<Charge> {
        let mut charge = self.count(what, object, 0);
        charge.grow(bytes).await?;
        Ok(charge)
    }

    /// Reserves `bytes` for `object` if they are free now.
    ///
    /// # Errors
    ///
    /// `Busy` when they are not free; `TooLarge` or `Full` when they never can be.
    pub fn admit_at_once(&self, what: Use, object: &ObjectId, bytes: u64) -> Result<Charge> {
        let mut charge = self.count(what, object, 0);
        charge.try_grow(bytes)?;
        Ok(charge)
    }

    /// Counts `bytes` for `object` that are in use already or can't be refused; it never fails.
    pub fn count(&self, what: Use, object: &ObjectId, bytes: u64) -> Charge {
        let mut charge = Charge::of(self.clone(), what, object.clone());
        charge.set(bytes);
        charge
    }

    /// The maximum size of one charge for `what`.
    pub fn one_max(&self, what: Use) -> u64 {
        what.one(self.0.bytes_max)
    }

    /// The number of bytes used for `what`.
    pub fn used(&self, what: Use) -> u64 {
        self.state().used(what)
    }

    /// The number of waiting charges.
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting()
    }

    /// How many bytes of objects must be evicted to serve the waiting charges; 0 when eviction
    /// would not help, or none waits.
    pub(crate) fn wanted(&self) -> u64 {
        self.state().wanted()
    }

    /// The tenant with the most memory of objects that is not in `without`; `None` when there is no
    /// other.
    pub(crate) fn largest(&self, without: &BTreeSet<Tenant>) -> Option<Tenant> {
        self.state().largest(without)
    }

    /// How far usage has fallen from the peak since [`Budget::mark`], in bytes.
    pub fn fallen(&self) -> u64 {
        self.state().fallen()
    }

    /// Starts a new peak at the present usage.
    pub fn mark(&self) {
        self.state().mark();
    }

    /// Completes when a charge waits, or more is used than the budget allows.
    pub(crate) async fn short(&self) {
        self.0.short.notified().await;
    }

    /// # Errors
    ///
    /// `Full` when so much can never be admitted.
    fn possible(&self, what: Use, bytes: u64) -> Result<()> {
        let most = self.one_max(what);
        if bytes <= most {
            return Ok(());
        }
        metrics::counter!("dotdo_memory_refused_total", "use" => what.name()).increment(1);
        let text = format!(
            "this operation needs about {bytes} bytes of memory, but one operation may use at most {most}; limits.memory_bytes_max is {}",
            self.0.bytes_max
        );
        let kind = if what == Use::Requests { ErrorKind::TooLarge } else { ErrorKind::Full };
        Err(Error::new(kind, text).with_code("MEMORY_TOO_SMALL"))
    }

    /// Waits in line for `ask`.
    async fn wait(&self, ask: Ask) -> Result<Charge> {
        let what = ask.what;
        if self.state().take_unless_others_wait(&ask) {
            return Ok(Charge::reserved(self.clone(), ask));
        }
        // Dropped after the receiver, so that the next in line sees that it is gone.
        let _place = Place(self);
        let (granted, mut grant) = oneshot::channel();
        self.state().queue(ask, granted);
        self.serve();
        self.0.short.notify_one();
        {
            let timer = self.0.clock.sleep(MEMORY_WAIT_MAX).fuse();
            let charge = (&mut grant).fuse();
            futures_util::pin_mut!(timer, charge);
            futures_util::select_biased! {
                charge = charge => return charge.map_err(|_| self.spent(what)),
                () = timer => {}
            }
        }
        // It may have been granted at the very end.
        grant.close();
        grant.try_recv().map_err(|_| self.spent(what))
    }

    /// Grants free memory to waiting charges.
    fn serve(&self) {
        loop {
            let granted = self.state().grant();
            if granted.is_empty() {
                return;
            }
            // Outside of the lock: a charge whose waiter is gone is released here.
            for (ask, waiter) in granted {
                drop(waiter.send(Charge::reserved(self.clone(), ask)));
            }
        }
    }

    /// Notifies eviction if more is used than is allowed.
    fn note_overdraft(&self, what: Use) {
        if self.state().is_overdrawn(what) {
            self.0.short.notify_one();
        }
    }

    /// The error for a caller that does not wait; eviction is notified.
    fn refuse(&self, what: Use) -> Error {
        self.0.short.notify_one();
        self.spent(what)
    }

    fn spent(&self, what: Use) -> Error {
        metrics::counter!("dotdo_memory_refused_total", "use" => what.name()).increment(1);
        let text = format!(
            "the server has no memory left for {}; nothing was done, retry later",
            what.name()
        );
        Error::new(ErrorKind::Busy, text)
            .with_code("MEMORY_EXHAUSTED")
            .with_retry_after(Duration::from_secs(1))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

/// A place in the line. When it is dropped, the ones behind it are served.
struct Place<'a>(&'a Budget);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.serve();
    }
}
