//! Deletes an object: after its last record it is as one that never existed.

use std::sync::Arc;
use std::time::Duration;

use crate::activation::commit::Job;
use crate::activation::exclusive::Exclusive;
use crate::activation::replace::history::History;
use crate::activation::replace::precondition::Precondition;
use crate::activation::state::Activation;
use crate::change::{Changes, Header};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::id::ObjectId;
use crate::log::{Start, check_size};
use crate::object::has_nothing;
use crate::sockets::{close_all, places};
use crate::trace::{span, traced};

/// How often a deletion begins again after another process wrote first.
const TRIES: u32 = 5;

/// The deletion of an object, as
/// [`Administration::delete_object`](crate::Administration::delete_object) reports it.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::ErrorKind;
/// use dotdo::engine::{Deleted, Precondition};
///
/// let Deleted { sequence, restorable_until_ms } =
///     engine.administration().delete_object(&object, Precondition::Any).await?;
/// assert!(restorable_until_ms > 0, "record {sequence} says how long it can be restored");
/// let gone = engine.inspection().describe(&object, None).await.unwrap_err();
/// assert_eq!(gone.kind(), ErrorKind::NotFound);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// The record that deleted it.
    pub sequence: u64,
    /// Until when its state of before can be restored, in milliseconds since 1970.
    pub restorable_until_ms: i64,
}

/// What an object must be to be deleted.
#[derive(Clone, Copy)]
enum Condition {
    Is(Precondition),
    HasNothing,
}

impl Activation {
    /// Deletes the object. It goes on when the caller is cancelled.
    ///
    /// # Errors
    ///
    /// `NotFound` (code `NO_SUCH_OBJECT`) when it does not exist; `PreconditionFailed` when the
    /// precondition does not hold; `Busy` when another process owns
    /// it or others write it all the time; `Unknown` when it is not certain whether it was deleted.
    pub(crate) async fn delete_object(
        self: &Arc<Self>,
        precondition: Precondition,
    ) -> Result<Deleted> {
        let deleted = self.delete_to_its_end(Condition::Is(precondition)).await?;
        deleted.ok_or_else(|| no_such_object(&self.log.object))
    }

    /// Deletes the object if it has nothing. Whether it was deleted.
    ///
    /// # Errors
    ///
    /// Those of [`Activation::delete_object`].
    pub(crate) async fn delete_if_empty(self: &Arc<Self>) -> Result<bool> {
        self.delete_to_its_end(Condition::HasNothing).await.map(|deleted| deleted.is_some())
    }

    async fn delete_to_its_end(self: &Arc<Self>, condition: Condition) -> Result<Option<Deleted>> {
        let activation = self.clone();
        let span = span!("delete", dotdo.class = self.log.object.class());
        self.to_its_end(async move { traced(span, activation.delete(condition)).await }).await
    }

    /// `None`: it has something, or is not there.
    async fn delete(self: &Arc<Self>, condition: Condition) -> Result<Option<Deleted>> {
        // No snapshot is written meanwhile.
        let _one_at_a_time = self.checkpoint.lock().await;
        let mut turn = Exclusive::take(self).await?;
        for _ in 0..TRIES {
            let head = turn.own().await?;
            if !head.exists() {
                return Ok(None);
            }
            match condition {
                Condition::Is(precondition) => precondition.check(&self.log, head).await?,
                Condition::HasNothing if has_nothing(&mut turn.resident().context.database)? => {}
                Condition::HasNothing => return Ok(None),
            }
            let sockets = places(&mut turn.resident().context.database)?;
            // Before the record: a marker of an object that is not deleted does no harm.
            self.remember_deletion().await;
            let database = &turn.resident().context.database;
            let changes = offload(self.runtime.executor.as_ref(), || {
                Ok::<_, Error>(History::after_deletion(database)?.changes(&Header::default()))
            })?;
            check_size(&changes)?;
            let _paid = self.charge_changes(&changes);
            let changes: Vec<Changes> =
                Some(changes).filter(|left| !left.is_empty()).into_iter().collect();
            let job = Job {
                changes,
                snapshot: None,
                start: Some(Start::Nothing),
                deletes: true,
                ..turn.job()
            };
            if let Some(won) = turn.append(job).await? {
                drop(turn);
                close_all(&self.runtime, &self.log.object, sockets);
                metrics::counter!("dotdo_objects_deleted_total").increment(1);
                let retention = self.kept_after_deletion();
                return Ok(Some(Deleted {
                    sequence: won.record.sequence,
                    restorable_until_ms: won.record.time_ms.saturating_add(retention),
                }));
            }
        }
        let text = "other processes have written this object all the time; nothing was changed, retry later";
        Err(Error::new(ErrorKind::Busy, text)
            .with_code("CONTENDED")
            .with_retry_after(Duration::from_secs(1)))
    }
}

/// The error for an object without records, and for one that was deleted.
pub(crate) fn no_such_object(object: &ObjectId) -> Error {
    Error::not_found(format!("there is no object {object}")).with_code("NO_SUCH_OBJECT")
}
