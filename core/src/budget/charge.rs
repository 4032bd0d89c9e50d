//! A part of the budget that somebody has.

use bytes::Bytes;

use super::state::Ask;
use super::{Budget, Use};
use crate::error::Result;
use crate::id::ObjectId;

/// Some bytes of a [`Budget`], given back when this is dropped.
pub struct Charge {
    budget: Budget,
    ask: Ask,
}

impl Charge {
    pub(super) fn of(budget: Budget, what: Use, object: ObjectId) -> Self {
        Self { budget, ask: Ask { what, object, bytes: 0, own: 0 } }
    }

    /// What `ask` took already.
    pub(super) fn taken(budget: Budget, ask: Ask) -> Self {
        Self { budget, ask }
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.ask.bytes
    }

    /// Takes `more` bytes. With nothing yet it waits in line; otherwise only until objects that
    /// nobody uses have been let go: who holds a charge never waits for others who do.
    ///
    /// # Errors
    ///
    /// `Busy` when they are not there, `TooLarge` or `Full` when they never can be.
    pub async fn grow(&mut self, more: u64) -> Result<()> {
        let ask = self.more(more)?;
        let may_wait = {
            let mut state = self.budget.state();
            if ask.own > 0 && state.take(&ask) {
                self.ask.bytes += more;
                return Ok(());
            }
            ask.own == 0 || state.helps_to_evict(&ask)
        };
        if !may_wait {
            return Err(self.budget.refuse(ask.what));
        }
        // The other charge is a part of this one from here on.
        let other = self.budget.wait(ask).await?;
        self.absorb(other);
        Ok(())
    }

    /// Takes `more` bytes if they are there now.
    ///
    /// # Errors
    ///
    /// Those of [`Charge::grow`].
    pub fn try_grow(&mut self, more: u64) -> Result<()> {
        let ask = self.more(more)?;
        if !self.budget.state().take(&ask) {
            return Err(self.budget.refuse(ask.what));
        }
        self.ask.bytes += more;
        Ok(())
    }

    /// Takes `more` bytes now, for work that can't wait: also when idle objects have to be let go
    /// for them first, up to a part of the budget ([`crate::limits::OVERDRAFT_SHARE`]).
    ///
    /// # Errors
    ///
    /// Those of [`Charge::grow`].
    pub(crate) fn grow_now(&mut self, more: u64) -> Result<()> {
        let ask = self.more(more)?;
        let (taken, is_short) = self.budget.state().take_early(&ask);
        if !taken {
            return Err(self.budget.refuse(ask.what));
        }
        if is_short {
            self.budget.0.short.notify_one();
        }
        self.ask.bytes += more;
        Ok(())
    }

    /// Takes as many bytes as it lacks of `bytes`, as [`Charge::grow`] does.
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

    /// Another charge for the same, with nothing yet. Whoever has this one already does not wait
    /// for others with it.
    pub(super) fn part(&self) -> Self {
        let own = self.ask.own + self.ask.bytes;
        Self { budget: self.budget.clone(), ask: Ask { bytes: 0, own, ..self.ask.clone() } }
    }

    /// A charge of its own for the same object and use, with nothing yet.
    pub(super) fn another(&self) -> Self {
        Self::of(self.budget.clone(), self.ask.what, self.ask.object.clone())
    }

    /// Has what `other` had as well.
    pub(super) fn absorb(&mut self, mut other: Self) {
        self.ask.bytes += std::mem::take(&mut other.ask.bytes);
    }

    fn more(&self, more: u64) -> Result<Ask> {
        self.budget
            .possible(self.ask.what, (self.ask.own + self.ask.bytes).saturating_add(more))?;
        Ok(Ask { bytes: more, own: self.ask.own + self.ask.bytes, ..self.ask.clone() })
    }

    /// Has `bytes` from now on, whether they are there or not: they are used already, or not any
    /// more.
    pub fn set(&mut self, bytes: u64) {
        let before = std::mem::replace(&mut self.ask.bytes, bytes);
        let overdrawn = self.budget.state().set(&self.ask, before);
        if bytes < before {
            self.budget.serve();
        } else if overdrawn {
            self.budget.0.short.notify_one();
        }
    }

    /// `bytes`, which are charged until nobody has them any more.
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

/// Bytes with what they are charged.
struct Charged {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
