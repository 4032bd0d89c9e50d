//! Reserves the memory of one transaction's SQL from the process's budget before SQLite allocates
//! it.

use crate::activation::runtime::Runtime;
use crate::budget::{Charge, Use};
use crate::error::Result;
use crate::id::ObjectId;
use crate::limits::SMALL_BYTES;
use crate::sqlite::{Memory, Reservation};

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
}

impl Reservation for Reserved {
    fn temporary_bytes(&self) -> u64 {
        self.temporary.bytes()
    }

    fn try_grow(&mut self, memory: Memory, bytes: u64) -> Result<()> {
        match memory {
            Memory::Temporary => self.temporary.grow_now(bytes),
            Memory::Pages => self.pages.grow_now(bytes),
        }
    }
}
