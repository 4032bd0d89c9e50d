//! Which store holds the log of a bucket, and the probe of a bucket that is made of two.
//!
//! A bucket whose log is in one place for some servers and in another for others would have two
//! logs, and lose what one of them says. So whoever finds no verdict says first where it keeps the
//! log, and looks then whether anybody says otherwise: of two that begin at the same time at least
//! one sees the other, and is refused.

use bytes::Bytes;
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use super::super::{Bucket, Key, StoreError, Stores};
use super::{below, hex, run, small, stored_verdict, unanswered, write_verdict};
use crate::clock::{Clock, Random};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{HINT_BYTES_MAX, STORE_PAGE_MAX};

/// The key, in the store that holds the log, of its identity. It is there once that store has
/// passed the probe.
const IDENTITY: &str = ".dotdo/log.json";
/// The prefix, in the store of the files, of the identities of those that hold its log.
const HOLDERS: &str = ".dotdo/holders";
/// The prefix of the key of the files' probe, which is deleted at the end.
const SCRATCH: &str = ".dotdo/probe";

/// The content of [`IDENTITY`].
#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    format: u32,
    /// Random, so that no two stores have the same.
    id: String,
}

/// Probes both stores of a bucket unless they have passed together before.
pub(super) async fn probe(
    stores: Stores<'_>,
    root: &Key,
    (clock, random): (&dyn Clock, &dyn Random),
) -> Result<()> {
    let Stores { log, files } = stores;
    let (identity, verdict) =
        try_join(stored_identity(log, root), stored_verdict(files, root)).await?;
    if let Some(verdict) = &verdict {
        match (&verdict.log, &identity) {
            (None, _) => return Err(in_the_bucket(files)),
            (Some(holder), Some(identity)) if holder == identity => {
                if verdict.counts(files) {
                    return Ok(());
                }
            }
            (Some(_), _) => return Err(another(files)),
        }
    }
    let identity = match identity {
        Some(identity) => identity,
        None => {
            run(log, root, random).await?;
            establish(log, root, random).await?
        }
    };
    let claim = below(root, HOLDERS).join(&identity);
    files.put(&claim, Bytes::new()).await.map_err(|error| unanswered(files, &error))?;
    if others(files, root, Some(&identity)).await? {
        return Err(another(files));
    }
    if stored_verdict(files, root).await?.is_some_and(|verdict| verdict.log.is_none()) {
        return Err(in_the_bucket(files));
    }
    check_files(files, &below(root, SCRATCH).join(hex(&random.bytes16()))).await?;
    write_verdict(files, root, (clock, Some(identity))).await
}

async fn stored_identity(log: &dyn Bucket, root: &Key) -> Result<Option<String>> {
    let Some(bytes) = small(log, &below(root, IDENTITY)).await? else { return Ok(None) };
    match serde_json::from_slice::<Identity>(&bytes) {
        Ok(Identity { format: 1, id }) if is_identity(&id) => Ok(Some(id)),
        _ => Err(Error::corrupt(below(root, IDENTITY), "expected the identity of a store")),
    }
}

/// Whether it can be a part of a key.
fn is_identity(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Gives the store an identity, or finds out which one somebody else gave it.
async fn establish(log: &dyn Bucket, root: &Key, random: &dyn Random) -> Result<String> {
    let identity = Identity { format: 1, id: hex(&random.bytes16()) };
    let bytes = serde_json::to_vec(&identity)?;
    let created = log.create(&below(root, IDENTITY), bytes.into()).await;
    // Whatever the answer is, what is there counts.
    match (stored_identity(log, root).await?, created) {
        (Some(id), _) => Ok(id),
        (None, Err(error)) => Err(unanswered(log, &error)),
        (None, Ok(())) => {
            Err(Error::internal("an object that was just created can't be read").telling_of_store())
        }
    }
}

/// Whether a store other than `own` holds the log of the bucket, or does so soon.
pub(super) async fn others(bucket: &dyn Bucket, root: &Key, own: Option<&str>) -> Result<bool> {
    let holders = below(root, HOLDERS);
    let listed = bucket.list(&holders, None, STORE_PAGE_MAX).await;
    let listed = listed.map_err(|error| unanswered(bucket, &error))?;
    let is_own = |key: &Key| own.is_some_and(|own| *key == holders.join(own));
    Ok(listed.iter().any(|entry| !is_own(&entry.key)))
}

/// What snapshots need of a store: an object can be put, replaced, read, listed and deleted.
pub(super) async fn check_files(files: &dyn Bucket, folder: &Key) -> Result<()> {
    let key = folder.join("single");
    match file_checks(files, folder, &key).await {
        Ok(None) => Ok(()),
        Ok(Some(broken)) => {
            let message = format!(
                "the store {} can't be used for snapshots: {broken}; use another store",
                files.location()
            );
            Err(Error::new(ErrorKind::StoreRefused, message)
                .with_details(serde_json::json!({ "store": files.location(), "broken": broken })))
        }
        Err(error) => Err(unanswered(files, &error)),
    }
}

/// What is wrong, if anything is.
async fn file_checks(
    files: &dyn Bucket,
    folder: &Key,
    key: &Key,
) -> Result<Option<&'static str>, StoreError> {
    for content in ["first", "the second"] {
        files.put(key, Bytes::from_static(content.as_bytes())).await?;
        match files.get_within(key, HINT_BYTES_MAX).await? {
            Some(stored) if stored.bytes == content => {}
            Some(_) => return Ok(Some("an object that was just replaced is the old one")),
            None => return Ok(Some("an object that was just put can't be read")),
        }
    }
    if !files.list(folder, None, 10).await?.iter().any(|entry| entry.key == *key) {
        return Ok(Some("an object that was just put is not listed"));
    }
    files.delete(std::slice::from_ref(key)).await?;
    if files.get_within(key, HINT_BYTES_MAX).await?.is_some() {
        return Ok(Some("an object that was just deleted can still be read"));
    }
    let is_listed = !files.list(folder, None, 10).await?.is_empty();
    Ok(is_listed.then_some("an object that was just deleted is still listed"))
}

fn refusal(bucket: &dyn Bucket, what: &str) -> Error {
    let message = format!("the log of the objects in {} {what}", bucket.location());
    Error::new(ErrorKind::StoreRefused, message)
        .with_details(serde_json::json!({ "store": bucket.location() }))
}

/// Somebody uses the bucket without its database.
pub(super) fn elsewhere(bucket: &dyn Bucket) -> Error {
    refusal(bucket, "is in a database; set TURSO_URL and TURSO_TOKEN to it")
}

fn in_the_bucket(bucket: &dyn Bucket) -> Error {
    refusal(
        bucket,
        "is in the bucket itself, not in a database; unset TURSO_URL, or use an empty bucket or prefix",
    )
}

fn another(bucket: &dyn Bucket) -> Error {
    refusal(
        bucket,
        "is in another database than the one that is set, or that one has lost it; set TURSO_URL to the database that was used before",
    )
}
