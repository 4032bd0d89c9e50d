//! Reserves the memory of SQL from the process's budget before SQLite allocates it: of a transaction,
//! and of a restore.

use std::time::Duration;

use crate::activation::runtime::Runtime;
use crate::budget::{Charge, Use};
use crate::error::Result;
use crate::id::ObjectId;
use crate::limits::{
    RESTORE_BYTES_PER_SECOND_MIN, RESTORE_TIME_MAX, SMALL_BYTES, SQL_RESERVATION_STEP,
};
use crate::sqlite::{Memory, Reservation, Restraint};

/// The memory that a transaction has reserved; released when it ends.
struct Reserved {
    temporary: Charge,
    /// For the growth of the object's database. After the transaction, the object is charged for
    /// everything that it holds.
    pages: Charge,
}

impl Runtime {
    /// Reserves what most transactions need. This is the last place where a request can wait for
    /// memory: within a statement, an allocation must succeed at once.
    ///
    /// # Errors
    ///
    /// `Busy` when there is no memory in time.
    pub(crate) async fn reserve(&self, object: &ObjectId) -> Result<Box<dyn Reservation>> {
        let temporary = self.budget.admit(Use::Sql, object, SMALL_BYTES).await?;
        let pages = self.budget.count(Use::Objects, object, 0);
        Ok(Box::new(Reserved { temporary, pages }))
    }

    /// The bounds of putting recorded state back, for which `room` has `paid` bytes that nothing
    /// else needs. What lacks is reserved as SQLite needs it, and must be there at once.
    pub(crate) fn restraint(&self, room: &Charge, paid: u64) -> Restraint {
        let time_max =
            RESTORE_TIME_MAX + Duration::from_secs(room.bytes() / RESTORE_BYTES_PER_SECOND_MIN);
        let (clock, end) = (self.clock.clone(), self.clock.monotonic() + time_max);
        Restraint {
            reservation: Box::new(Restoring { charge: room.another(), paid }),
            interrupt: Box::new(move || clock.monotonic() > end),
        }
    }
}

impl Reservation for Reserved {
    fn temporary_bytes(&self) -> u64 {
        self.temporary.bytes()
    }

    fn try_grow(&mut self, memory: Memory, bytes: u64) -> Result<u64> {
        match memory {
            Memory::Temporary => grow(&mut self.temporary, bytes),
            Memory::Pages => grow(&mut self.pages, bytes),
        }
    }
}

/// Reserves at least `bytes` more in a step that doubles what there is: the first is small enough
/// to be served from what is kept for small charges, and later ones are few.
fn grow(charge: &mut Charge, bytes: u64) -> Result<u64> {
    let more = bytes.max(charge.bytes().clamp(SMALL_BYTES, SQL_RESERVATION_STEP));
    charge.grow_now(more)?;
    Ok(more)
}

/// What a restore has reserved; given back when it ends. Then the object is charged for all that it
/// holds.
struct Restoring {
    charge: Charge,
    /// What was paid before it began.
    paid: u64,
}

impl Reservation for Restoring {
    fn temporary_bytes(&self) -> u64 {
        self.paid / 2
    }

    fn page_bytes(&self) -> u64 {
        self.paid / 2
    }

    fn try_grow(&mut self, _: Memory, bytes: u64) -> Result<u64> {
        grow(&mut self.charge, bytes)
    }
}
