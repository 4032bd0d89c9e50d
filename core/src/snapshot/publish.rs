//! A plan into the bucket.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::plan::Plan;
use super::reference::latest_key;
use super::store_error;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{REQUEST_IN_FLIGHT_MAX, RETENTION_MIN};
use crate::store::{Bucket, Key};

/// How many files are sent at the same time.
const UPLOADS_MAX: usize = 8;

/// A plan that is older than this is not published: what its base shares with it may have been swept away.
const PLAN_AGE_MAX: Duration = Duration::from_secs(30 * 60);

const _: () = assert!(PLAN_AGE_MAX.as_secs() + REQUEST_IN_FLIGHT_MAX.as_secs() < RETENTION_MIN.as_secs());

/// Sends the plan's files. Nobody sees them before [`publish`].
///
/// # Errors
///
/// `Unavailable` or `StoreRefused` from the bucket. What was sent is found and removed later; sending again is fine.
pub(crate) async fn upload(bucket: &dyn Bucket, plan: &Plan) -> Result<()> {
    // Keys are unique to the plan, so putting the same bytes again does no harm and needs no condition.
    let put = |(key, bytes): &(Key, Bytes)| {
        let (key, bytes) = (key.clone(), bytes.clone());
        async move { bucket.put(&key, bytes).await }
    };
    stream::iter(plan.files().iter().map(put)).buffer_unordered(UPLOADS_MAX).try_collect::<()>().await.map_err(store_error)
}

/// Makes the uploaded plan the newest snapshot. `record_hash` is the hash of the last record in it, which must be certain to exist; `age`
/// is the time since the plan was made.
///
/// # Errors
///
/// `Unavailable` or `StoreRefused` from the bucket: the snapshot may be there or not, and it is harmless either way. `Unavailable` for a
/// plan that is too old.
pub(crate) async fn publish(bucket: &dyn Bucket, plan: &Plan, record_hash: [u8; 32], age: Duration) -> Result<()> {
    if age > PLAN_AGE_MAX {
        let message =
            format!("the snapshot {} took {} s to upload, {} s are allowed", plan.reference(), age.as_secs(), PLAN_AGE_MAX.as_secs());
        return Err(Error::new(ErrorKind::Unavailable, message));
    }
    let mut document = plan.document.clone();
    document.record_hash = record_hash;
    let bytes = document.encode()?;
    bucket.put(&plan.reference().document_key(&plan.prefix), bytes.clone()).await.map_err(store_error)?;
    bucket.put(&latest_key(&plan.prefix), bytes).await.map_err(store_error)
}
