//! Carries out the ends of classes: deletes the objects of those that a program has declared to be
//! deleted, tenant by tenant, once. The design is in docs/design/0037.
//!
//! Promises: each object is deleted as administration deletes it, and only as it was listed; what
//! ends early is continued by whoever comes next; what is done is never done again. Must not know:
//! programs' handlers, requests.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::activation::{Activations, Precondition};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ClassNames, class_segment};
use crate::inspection::{Inspection, ObjectItem, ObjectPage, ObjectQuery};
use crate::limits::{HINT_BYTES_MAX, OUTBOX_PAGE_PAUSE};
use crate::millis;
use crate::rollup::rollup_of;
use crate::settings::Settings;
use crate::store::{Bucket as _, Key, Part, StoreError, Stored};
use crate::tenants::TenantBucket;

/// How long after the end of a class was declared it can be done at the earliest. Processes of an
/// older version, which still have the class, have usually been replaced by then.
const END_WAIT: Duration = Duration::from_secs(3600);

/// The pause between two passes through the objects of classes that have ended: each lists them and
/// reads the newest record of each.
const PASS_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Number of objects of a class that has ended that are listed at a time.
const PAGE: usize = 100;

/// Maximum number of them that are deleted concurrently: each is restored before.
const DELETES_AT_ONCE: usize = 4;

/// The stored form, format version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct EndFile {
    format: u32,
    class: String,
    /// Whether all objects were deleted, an hour or more after this was created.
    done: bool,
}

/// The ends of the classes of one tenant, as far as they are not known to be carried out.
#[derive(Debug, Default)]
pub(crate) struct ClassEnds {
    left: Vec<String>,
    /// Which of them is next.
    next: usize,
    /// The pass through the objects of that one, if it has begun.
    pass: Option<Pass>,
}

/// A pass through the objects of a class.
#[derive(Debug)]
struct Pass {
    after: Option<String>,
    /// Whether it has begun so late that it is the last one if it finds nothing.
    is_late: bool,
    /// How many objects it has found alive.
    found: usize,
}

impl ClassEnds {
    /// The ends that a program with these names has declared.
    pub(crate) fn of(names: &ClassNames) -> Self {
        Self { left: names.ended().map(str::to_owned).collect(), ..Self::default() }
    }

    /// Whether nothing is left to be done, ever.
    pub(crate) fn are_done(&self) -> bool {
        self.left.is_empty()
    }

    /// Whether the next page is the first one of all classes that are left.
    pub(crate) fn is_over(&self) -> bool {
        self.next == 0 && self.pass.is_none()
    }

    /// How long to wait before the next page.
    pub(crate) fn pause(&self, settings: &Settings) -> Duration {
        match (self.left.is_empty(), self.is_over()) {
            (true, _) => Duration::MAX,
            (false, true) => PASS_PAUSE,
            (false, false) => OUTBOX_PAGE_PAUSE.min(settings.outbox_scan),
        }
    }

    /// Deletes the next page of objects.
    ///
    /// # Errors
    ///
    /// Those of the store; `Gone` when the tenant is closed. The pass goes on with the same page.
    pub(crate) async fn page(
        &mut self,
        activations: &Arc<Activations>,
        bucket: &TenantBucket,
    ) -> Result<()> {
        let Some(class) = self.left.get(self.next).cloned() else { return Ok(()) };
        bucket.ensure_open().await?;
        let key = key_of(bucket, &class);
        if self.pass.is_none() {
            let (file, age) = begin(bucket, &key, &class).await?;
            if file.done {
                self.leave(true);
                return Ok(());
            }
            self.pass = Some(Pass { after: None, is_late: age >= END_WAIT, found: 0 });
        }
        let Some(pass) = self.pass.as_mut() else { return Ok(()) };
        let query = ObjectQuery {
            class: Some(class.clone()),
            after: pass.after.clone(),
            limit: PAGE,
            ..ObjectQuery::default()
        };
        let inspection = Inspection::new(activations.clone());
        let ObjectPage { items, next } = inspection.objects(bucket.tenant(), &query).await?;
        pass.found += items.len();
        delete_all(activations, bucket, items).await;
        pass.after = next;
        if pass.after.is_none() {
            let is_done = pass.is_late && pass.found == 0;
            if is_done {
                delete_rollup(activations, bucket, &class).await?;
                bucket.put(&key, encoded(&class, true)?).await?;
                tracing::info!(tenant = %bucket.tenant(), class, "all objects of a class that has ended are deleted");
            }
            self.leave(is_done);
        }
        Ok(())
    }

    /// Leaves the class that is next.
    fn leave(&mut self, is_done: bool) {
        self.pass = None;
        if is_done {
            self.left.remove(self.next);
        } else {
            self.next += 1;
        }
        if self.next >= self.left.len() {
            self.next = 0;
        }
    }
}

fn key_of(bucket: &TenantBucket, class: &str) -> Key {
    bucket.tenant().prefix().join("classes").join(class_segment(class))
}

fn encoded(class: &str, done: bool) -> Result<bytes::Bytes> {
    let file = EndFile { format: 1, class: class.to_owned(), done };
    Ok(serde_json::to_vec(&file)?.into())
}

/// Reads the file about the end of `class`, which is created if there is none, and how long ago it
/// was written, at least.
async fn begin(bucket: &TenantBucket, key: &Key, class: &str) -> Result<(EndFile, Duration)> {
    let mut stored = bucket.get_within(key, HINT_BYTES_MAX).await?;
    if stored.is_none() {
        match bucket.create(key, encoded(class, false)?).await {
            Ok(()) | Err(StoreError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        stored = bucket.get_within(key, HINT_BYTES_MAX).await?;
    }
    let missing = || Error::new(ErrorKind::Unavailable, "a key was created and is not there");
    let Stored { bytes, modified_ms } = stored.ok_or_else(missing)?;
    let file: Option<EndFile> = serde_json::from_slice(&bytes).ok();
    let file = file.filter(|file| file.format == 1 && file.class == class).ok_or_else(|| {
        Error::corrupt(key, "expected the end of a class in format 1; nothing is deleted")
    })?;
    let now_ms = bucket.store_time_ms(Part::Log);
    let age = now_ms.map_or(Duration::ZERO, |now_ms| millis::between(modified_ms, now_ms));
    Ok((file, age.saturating_sub(bucket.store_time_error())))
}

/// Deletes objects, as they were listed. What can't be deleted now is left for the next pass.
async fn delete_all(activations: &Arc<Activations>, bucket: &TenantBucket, items: Vec<ObjectItem>) {
    stream::iter(items)
        .for_each_concurrent(DELETES_AT_ONCE, |item| async move {
            if let Err(error) = delete(activations, bucket, &item).await
                && error.kind() != ErrorKind::NotFound
            {
                tracing::debug!(class = item.class, id = item.id, %error, "cannot delete an object of a class that has ended; retrying later");
            }
        })
        .await;
}

/// Deletes the roll-up of a class that has ended, if there is one.
async fn delete_rollup(
    activations: &Arc<Activations>,
    bucket: &TenantBucket,
    class: &str,
) -> Result<()> {
    let rollup = activations.of_any_class(&rollup_of(bucket.tenant(), class)?)?;
    match bucket.admit(rollup.delete_object(Precondition::Any)).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn delete(
    activations: &Arc<Activations>,
    bucket: &TenantBucket,
    item: &ObjectItem,
) -> Result<()> {
    let object = bucket.tenant().object(&item.class, &item.id)?;
    let activation = activations.of_any_class(&object)?;
    let listed = Precondition::Unchanged(item.sequence);
    bucket.admit(activation.delete_object(listed)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_that_are_left_come_one_after_the_other() {
        let mut names = ClassNames::default();
        ["A", "B", "C"].iter().for_each(|class| names.end(class));
        let settings = Settings::default();
        let mut ends = ClassEnds::of(&names);
        ends.leave(false);
        assert_eq!((ends.next, ends.is_over()), (1, false));
        ends.leave(true);
        assert_eq!((&*ends.left, ends.next), (&["A".to_owned(), "C".to_owned()][..], 1));
        assert!(ends.pause(&settings) < PASS_PAUSE);
        ends.leave(true);
        assert_eq!((ends.left.len(), ends.is_over()), (1, true));
        assert_eq!(ends.pause(&settings), PASS_PAUSE);
        ends.leave(true);
        assert!(ends.are_done() && ends.is_over());
        assert_eq!(ends.pause(&settings), Duration::MAX);
    }
}
