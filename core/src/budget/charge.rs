//! A reserved part of the budget.

use bytes::Bytes;

use super::state::Ask;
use super::{Budget, Use};
use crate::error::Result;
use crate::id::ObjectId;

/// A reserved part of a [`Budget`], released when it is dropped.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::Use;
///
/// let budget = engine.budget();
/// let mut charge = budget.admit(Use::Requests, &object, 4 << 10).await?;
/// charge.grow(4 << 10).await?;
/// // It ends with what it pays for.
/// let body = charge.with("…".into());
/// assert_eq!(budget.used(Use::Requests), 8 << 10);
/// drop(body);
/// assert_eq!(budget.used(Use::Requests), 0);
/// # Ok(())
/// # });
/// ```
pub struct Charge {
    budget: Budget,
    ask: Ask,
}

impl Charge {
    pub(super) fn of(budget: Budget, what: Use, object: ObjectId) -> Self {
        Self { budget, ask: Ask { what, object, bytes: 0, own: 0 } }
    }

    /// What was reserved for `ask` already.
    pub(super) fn reserved(budget: Budget, ask: Ask) -> Self {
        budget.note_overdraft(ask.what);
        Self { budget, ask }
    }

    /// The number of reserved bytes.
    pub fn bytes(&self) -> u64 {
        self.ask.bytes
    }

    /// Reserves `more` bytes. An empty charge waits in line. One that has bytes waits only until
    /// idle objects are evicted: the holder of a charge never waits for other holders.
    ///
    /// # Errors
    ///
    /// `Busy` when they are not free in time; `TooLarge` or `Full` when they never can be.
    pub async fn grow(&mut self, more: u64) -> Result<()> {
        let ask = self.more(more)?;
        let may_wait = {
            let mut state = self.budget.state();
            if ask.own > 0 && state.take(&ask) {
                drop(state);
                self.taken(more);
                return Ok(());
            }
            ask.own == 0 || state.helps_to_evict(&ask)
        };
        if !may_wait {
            return Err(self.budget.refuse(ask.what));
        }
        // The other charge becomes a part of this one.
        let other = self.budget.wait(ask).await?;
        self.absorb(other);
        Ok(())
    }

    /// Reserves `more` bytes if they are free now.
    ///
    /// # Errors
    ///
    /// Those of [`Charge::grow`].
    pub fn try_grow(&mut self, more: u64) -> Result<()> {
        let ask = self.more(more)?;
        if !self.budget.state().take(&ask) {
            return Err(self.budget.refuse(ask.what));
        }
        self.taken(more);
        Ok(())
    }

    /// Reserves `more` bytes now, for work that can't wait, even if idle objects must be evicted
    /// for them first, up to a part of the budget ([`crate::limits::OVERDRAFT_SHARE`]).
    ///
    /// # Errors
    ///
    /// Those of [`Charge::grow`].
    pub(crate) fn grow_now(&mut self, more: u64) -> Result<()> {
        let ask = self.more(more)?;
        if !self.budget.state().take_early(&ask) {
            return Err(self.budget.refuse(ask.what));
        }
        self.taken(more);
        Ok(())
    }

    /// Raises the charge to `bytes`, if it has less, as [`Charge::grow`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Charge::grow`].
    pub async fn raise(&mut self, bytes: u64) -> Result<()> {
        match bytes.checked_sub(self.ask.bytes) {
            None | Some(0) => Ok(()),
            Some(more) => self.grow(more).await,
        }
    }

    /// An empty charge that counts as part of the same work, so it does not wait for others.
    pub(super) fn part(&self) -> Self {
        let own = self.ask.own + self.ask.bytes;
        Self { budget: self.budget.clone(), ask: Ask { bytes: 0, own, ..self.ask.clone() } }
    }

    /// An empty, independent charge for the same object and use.
    pub(crate) fn another(&self) -> Self {
        Self::of(self.budget.clone(), self.ask.what, self.ask.object.clone())
    }

    /// Adds what `other` had reserved.
    pub(super) fn absorb(&mut self, mut other: Self) {
        self.ask.bytes += std::mem::take(&mut other.ask.bytes);
    }

    /// Adds what the budget has reserved.
    fn taken(&mut self, more: u64) {
        self.ask.bytes += more;
        self.budget.note_overdraft(self.ask.what);
    }

    fn more(&self, more: u64) -> Result<Ask> {
        self.budget
            .possible(self.ask.what, (self.ask.own + self.ask.bytes).saturating_add(more))?;
        Ok(Ask { bytes: more, own: self.ask.own + self.ask.bytes, ..self.ask.clone() })
    }

    /// Sets the charge to `bytes`, which are in use already or not in use any more; it never fails.
    pub fn set(&mut self, bytes: u64) {
        let before = std::mem::replace(&mut self.ask.bytes, bytes);
        self.budget.state().set(&self.ask, before);
        if bytes < before {
            self.budget.serve();
        } else {
            self.budget.note_overdraft(self.ask.what);
        }
    }

    /// Ties the charge to `bytes`: it ends when their last clone is dropped.
    pub fn with(self, bytes: Bytes) -> Bytes {
        if bytes.is_empty() { bytes } else { Bytes::from_owner(Charged { bytes, _charge: self }) }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl std::fmt::Debug for Charge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Charge({} bytes for {})", self.ask.bytes, self.ask.what.name())
    }
}

/// Bytes with their charge.
struct Charged {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
