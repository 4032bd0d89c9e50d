//! Uploads and publishes a plan.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::plan::Plan;
use super::reference::latest_key;
use super::store_error;
use super::stored::Document;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::{Executor, offload};
use crate::limits::{REQUEST_IN_FLIGHT_MAX, RETENTION_MIN, STORE_RETRY_PAUSE, STORE_TRIES};
use crate::store::{Bucket, Key, Moment, StoreError};

/// Number of concurrent uploads.
const UPLOADS_MAX: usize = 8;

/// Maximum age of a plan: an older plan's files may have been treated as those of a failed upload.
const PLAN_AGE_MAX: Duration = Duration::from_secs(30 * 60);

const _: () =
    assert!(PLAN_AGE_MAX.as_secs() + REQUEST_IN_FLIGHT_MAX.as_secs() < RETENTION_MIN.as_secs());

/// Uploads the plan's files. They are invisible before [`publish`].
///
/// # Errors
///
/// `Unavailable` or `StoreRefused` from the bucket. Uploaded files are found and removed later; a
/// retry is safe.
pub(crate) async fn upload(bucket: &dyn Bucket, plan: &Plan) -> Result<()> {
    put_all(bucket, plan.files()).await
}

/// Puts files whose keys are unique to a snapshot, so that putting the same bytes again does no harm
/// and needs no condition.
async fn put_all(bucket: &dyn Bucket, files: &[(Key, Bytes)]) -> Result<()> {
    let put = |(key, bytes): &(Key, Bytes)| {
        let (key, bytes) = (key.clone(), bytes.clone());
        async move { bucket.put(&key, bytes).await }
    };
    stream::iter(files.iter().map(put))
        .buffer_unordered(UPLOADS_MAX)
        .try_collect::<()>()
        .await
        .map_err(store_error)
}

/// The destination of a snapshot.
pub(crate) struct Target<'a> {
    /// The bucket.
    pub(crate) bucket: &'a dyn Bucket,
    /// This process's clocks.
    pub(crate) clock: &'a dyn Clock,
    /// The executor for long computations.
    pub(crate) executor: &'a dyn Executor,
}

/// Makes the uploaded plan a snapshot. `record_hash` is the hash of the last record in it, which
/// must be certain to exist; `begun` is a moment before the first of its files was sent.
///
/// The tables' metadata is sent now, because engines that look into a table's folder believe the
/// newest one: all that it names is there, and it is a state that the object had.
///
/// The plan's shared files and its own files must exist when its description arrives, otherwise a
/// sweep would not know that they are needed. So the description is a single request without
/// retries, sent early enough that a delay does no harm. If its response shows that this process
/// was frozen meanwhile, the description is deleted again.
///
/// # Errors
///
/// `Unavailable` or `StoreRefused` from the bucket: the snapshot may be there or not, and it is
/// harmless either way. `Unavailable` when the plan is too old, or its base may be gone.
pub(crate) async fn publish(
    to: &Target<'_>,
    plan: &Plan,
    record_hash: [u8; 32],
    begun: Moment,
) -> Result<()> {
    let bytes = offload(to.executor, || {
        let mut document = plan.document.clone();
        document.record_hash = record_hash;
        document.encode()
    })?;
    let key = plan.reference().document_key(&plan.prefix);
    check(to, plan, begun, REQUEST_IN_FLIGHT_MAX)?;
    put_all(to.bucket, &plan.metadata).await?;
    create(to, (&key, &bytes), || check(to, plan, begun, REQUEST_IN_FLIGHT_MAX)).await?;
    if let Err(late) = check(to, plan, begun, Duration::ZERO) {
        let metadata = plan.metadata.iter().map(|(key, _)| key.clone());
        let taken_back: Vec<Key> = std::iter::once(key).chain(metadata).collect();
        to.bucket.delete(&taken_back).await.map_err(store_error)?;
        return Err(late);
    }
    to.bucket.put(&latest_key(&plan.prefix), bytes).await.map_err(store_error)
}

/// Publishes a snapshot from which a record starts, and which was the newest state after `begun`.
/// Anybody who has read the record may do it: it has the description. Until it is done, nobody who
/// has read the record removes the files, and for an hour after `begun` nobody replaces them.
///
/// # Errors
///
/// `Unavailable` or `StoreRefused` from the bucket: the description may be there or not. `Corrupt`
/// when another one is.
pub(crate) async fn publish_named(
    to: &Target<'_>,
    prefix: &Key,
    document: &Document,
    begun: Moment,
) -> Result<()> {
    let (bytes, metadata) =
        offload(to.executor, || Ok::<_, Error>((document.encode()?, document.metadata(prefix)?)))?;
    let key = document.reference.document_key(prefix);
    check_age(to, begun, Duration::ZERO)?;
    put_all(to.bucket, &metadata).await?;
    create(to, (&key, &bytes), || check_age(to, begun, Duration::ZERO)).await?;
    // Without the hint, whoever restores the object finds the record.
    if let Err(error) = to.bucket.put(&latest_key(prefix), bytes).await {
        tracing::debug!(%key, %error, "cannot write the hint snapshots/latest");
    }
    Ok(())
}

/// Creates a description while it `may` be sent, or finds that it is there.
async fn create(
    to: &Target<'_>,
    (key, bytes): (&Key, &Bytes),
    may: impl Fn() -> Result<()>,
) -> Result<()> {
    let mut tries = 1;
    loop {
        may()?;
        let created = match to.bucket.create(key, bytes.clone()).await {
            // The key's uuid is random, so this is the same description; or there was a conflict,
            // and the store did nothing.
            Err(exists @ StoreError::Exists { .. }) => {
                match to.bucket.get_within(key, bytes.len() as u64).await {
                    Ok(Some(found)) if found.bytes == *bytes => Ok(()),
                    Ok(Some(_)) | Err(StoreError::TooLarge { .. }) => {
                        let what = "expected the description of this snapshot, got another one";
                        return Err(Error::corrupt(key, what));
                    }
                    Ok(None) => Err(exists),
                    Err(error) => Err(error),
                }
            }
            created => created,
        };
        match created {
            Ok(()) => return Ok(()),
            Err(StoreError::Unavailable { .. } | StoreError::Exists { .. })
                if tries < STORE_TRIES =>
            {
                to.clock.sleep(STORE_RETRY_PAUSE * tries).await;
            }
            Err(error) => return Err(store_error(error)),
        }
        tries += 1;
    }
}

/// Fails when a record that names files, of which the first was sent at `begun` or later, may not be
/// sent any more: `margin` is how long sending it may take.
///
/// # Errors
///
/// `Unavailable`.
pub(crate) fn check_age(to: &Target<'_>, begun: Moment, margin: Duration) -> Result<()> {
    let age = begun.elapsed_at_most(to.bucket, to.clock);
    if age.saturating_add(margin) <= PLAN_AGE_MAX {
        return Ok(());
    }
    let text =
        format!("a new state took longer than the {} s that it may take", PLAN_AGE_MAX.as_secs());
    Err(Error::new(ErrorKind::Unavailable, text))
}

/// Whether everything that the plan needs will certainly exist for `margin` from now.
fn check(to: &Target<'_>, plan: &Plan, begun: Moment, margin: Duration) -> Result<()> {
    let age = begun.elapsed_at_most(to.bucket, to.clock);
    let unavailable = |why: String| {
        Err(Error::new(ErrorKind::Unavailable, format!("the snapshot {} {why}", plan.reference())))
    };
    if age.saturating_add(margin) > PLAN_AGE_MAX + REQUEST_IN_FLIGHT_MAX {
        return unavailable(format!(
            "took longer than the {} s allowed for its upload",
            PLAN_AGE_MAX.as_secs()
        ));
    }
    match (plan.document.base, plan.kept) {
        (Some(base), None) => {
            unavailable(format!("is based on {base}, which was not checked to exist"))
        }
        (Some(base), Some(kept)) if !kept.holds(margin, to.bucket, to.clock) => {
            unavailable(format!("is based on {base}, which may be deleted"))
        }
        _ => Ok(()),
    }
}
