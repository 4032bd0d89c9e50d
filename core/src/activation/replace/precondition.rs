//! What an object must be for its state to be replaced.

use crate::error::{Error, ErrorKind, Result};
use crate::log::{Head, Log, fetch, list_newest};

/// What an object must be for its state to be replaced, or for it to be deleted.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::ErrorKind;
/// use dotdo::engine::Precondition;
///
/// let admin = engine.administration();
/// let head = engine.inspection().describe(&object, None).await?.log.head;
/// engine.fetch(&object, None, dotdo::Request::new("bread".into())).await?;
/// let late = admin.delete_object(&object, Precondition::Unchanged(head)).await.unwrap_err();
/// assert_eq!((late.kind(), late.code()), (ErrorKind::PreconditionFailed, "OBJECT_CHANGED"));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Anything: a state that is there is replaced.
    Any,
    /// Absent: it was never written, or was deleted since.
    Absent,
    /// As it was after this record: newer ones changed nothing, such as those by which a server
    /// becomes the owner.
    Unchanged(u64),
}

/// Maximum number of records without changes that are looked through. There are hardly any in a row;
/// an object with more of them counts as changed.
const CLAIMS_MAX: u64 = 64;

impl Precondition {
    /// Fails where it does not hold already, before work that would be for nothing. Whoever writes
    /// checks it again.
    ///
    /// # Errors
    ///
    /// Those of [`Precondition::check`].
    pub(crate) async fn foresee(self, log: &Log) -> Result<()> {
        if self == Self::Any {
            return Ok(());
        }
        let newest = list_newest(log, u64::MAX).await?.head;
        if newest == 0 {
            return self.check(log, Head::NONE).await;
        }
        let found = fetch(log, newest..=newest, None, &mut log.room()).await?;
        match found.first() {
            Some(found) => self.check(log, found.head()).await,
            None => Ok(()),
        }
    }

    /// Checks it for the object of `log`, whose newest record is `head`.
    ///
    /// # Errors
    ///
    /// `PreconditionFailed` (code `OBJECT_EXISTS` or `OBJECT_CHANGED`) when it does not hold; those
    /// of the store.
    pub(super) async fn check(self, log: &Log, head: Head) -> Result<()> {
        let newest = head.sequence;
        let (text, code) = match self {
            Self::Absent if head.exists() => (
                format!(
                    "expected an object that does not exist, got one whose newest record is {newest}"
                ),
                "OBJECT_EXISTS",
            ),
            Self::Unchanged(record) if is_changed(log, record, newest).await? => (
                format!(
                    "expected the object as it was after record {record}, got one that has changed since: the newest is {newest}; read the object again"
                ),
                "OBJECT_CHANGED",
            ),
            Self::Any | Self::Absent | Self::Unchanged(_) => return Ok(()),
        };
        Err(Error::new(ErrorKind::PreconditionFailed, text).with_code(code))
    }
}

/// Whether one of the records after `record` changed the state. What can't be read counts as a
/// change: it was deleted after the retention.
async fn is_changed(log: &Log, record: u64, newest: u64) -> Result<bool> {
    match newest.checked_sub(record) {
        Some(0) => return Ok(false),
        Some(more) if more <= CLAIMS_MAX => {}
        _ => return Ok(true),
    }
    match fetch(log, record + 1..=newest, None, &mut log.room()).await {
        Ok(newer) => Ok(newer
            .iter()
            .any(|found| found.record.start.is_some() || !found.record.transactions.is_empty())),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(true),
        Err(error) => Err(error),
    }
}
