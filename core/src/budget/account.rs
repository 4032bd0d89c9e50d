//! The memory that one request uses, charged to the budget.

use std::sync::{Arc, MutexGuard};

use bytes::Bytes;

use super::Charge;
use crate::error::Result;
use crate::limits::UNCHARGED_BYTES_MAX;
use crate::sync::Mutex;

/// The memory that one request is charged for: its body, and what is made from it. It is in the
/// request's extensions, and the charge ends with its last clone.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::Request;
/// use dotdo::engine::Use;
///
/// // A server that has received a body of a megabyte.
/// let account = engine.account(&object);
/// account.grow(1 << 20).await?;
/// assert_eq!(engine.budget().used(Use::Requests), 1 << 20);
/// let mut request = Request::new("bread".into());
/// request.extensions_mut().insert(account);
/// engine.fetch(&object, None, request).await?;
/// assert_eq!(engine.budget().used(Use::Requests), 0);
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Account(Arc<Mutex<Charge>>);

impl Account {
    /// An account that begins with `charge`.
    pub fn new(charge: Charge) -> Self {
        Self(Arc::new(Mutex::new(charge)))
    }

    /// Takes `more` bytes, as [`Charge::grow`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Charge::grow`].
    pub async fn grow(&self, more: u64) -> Result<()> {
        let mut part = self.charge().part();
        part.grow(more).await?;
        self.charge().absorb(part);
        Ok(())
    }

    /// Takes `more` bytes without waiting: they are free, or idle objects are evicted for them.
    ///
    /// # Errors
    ///
    /// Those of [`Charge::grow`].
    pub fn try_grow(&self, more: u64) -> Result<()> {
        self.charge().grow_now(more)
    }

    /// Charges `bytes` until their last clone is dropped.
    ///
    /// # Errors
    ///
    /// Those of [`Charge::grow`].
    pub(crate) async fn pay(&self, bytes: Bytes) -> Result<Bytes> {
        let len = bytes.len() as u64;
        if len <= UNCHARGED_BYTES_MAX {
            return Ok(bytes);
        }
        let mut part = self.charge().part();
        part.grow(len).await?;
        Ok(part.with(bytes))
    }

    /// Charges `bytes` of a stream until their last clone is dropped. Earlier bytes of the stream
    /// are released as they are read, so this waits in line like a new request.
    ///
    /// # Errors
    ///
    /// Those of [`Budget::admit`](super::Budget::admit).
    pub(crate) async fn pay_piece(&self, bytes: Bytes) -> Result<Bytes> {
        let mut piece = self.charge().another();
        piece.grow(bytes.len() as u64).await?;
        Ok(piece.with(bytes))
    }

    /// Charges `bytes`, which exist already, until their last clone is dropped; it never fails.
    pub(crate) fn count(&self, bytes: Bytes) -> Bytes {
        let mut charge = self.charge().another();
        charge.set(bytes.len() as u64);
        charge.with(bytes)
    }

    fn charge(&self) -> MutexGuard<'_, Charge> {
        self.0.lock()
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({:?})", self.charge())
    }
}
