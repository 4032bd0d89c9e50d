//! Closing a tenant, and deleting all that it has.
//!
//! The key `closed` is the tenant's end: whoever sees it answers no request, writes nothing and
//! delivers nothing. When nobody can be left who has not seen it, everything else is deleted. The
//! key itself stays, so that no server revives the tenant.

use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::limits::{HINT_BYTES_MAX, STORE_PAGE_MAX, TENANT_DELETE_WAIT};
use crate::millis;
use crate::store::{Bucket, Key, Part, StoreError};
use crate::tenants::TenantBucket;
use crate::tenants::standing::closed_key;

/// The stored form, format version 1. That there is one is what counts; when it was written, the
/// store says.
#[derive(Serialize)]
struct ClosedFile {
    format: u32,
}

/// Closes the tenant of `bucket`; it may be closed already.
///
/// # Errors
///
/// `Invalid` for the local tenant, and those of the store.
pub(super) async fn close(bucket: &TenantBucket) -> Result<()> {
    let tenant = bucket.tenant();
    if tenant.is_local() {
        return Err(Error::invalid(
            "the tenant of servers without tokens can't be closed; delete its bucket",
        )
        .with_code("BAD_TENANT"));
    }
    let bytes = serde_json::to_vec(&ClosedFile { format: 1 })?;
    let created = bucket.create_closed(&closed_key(tenant), bytes.into()).await;
    // An error proves nothing, and neither does "exists": the key itself does.
    if let Err(error) = created
        && !is_closed(bucket).await?
    {
        return Err(error.into());
    }
    bucket.note_closed();
    Ok(())
}

/// Deletes all that a closed tenant has, a page at a time; what is left when this ends early is
/// deleted by the next call. Returns how many keys were deleted.
///
/// # Errors
///
/// `Conflict` (code `TENANT_OPEN`) when the tenant is not closed; `Busy` (code `TENANT_CLOSING`) as
/// long as a server may be left that does not know it, with the time until then; those of the
/// store.
pub(super) async fn delete(bucket: &TenantBucket) -> Result<u64> {
    let (tenant, closed) = (bucket.tenant(), closed_key(bucket.tenant()));
    let stored = bucket.get_within(&closed, HINT_BYTES_MAX).await?.ok_or_else(|| {
        Error::conflict(format!("the tenant {tenant} is open; close it first"))
            .with_code("TENANT_OPEN")
    })?;
    bucket.note_closed();
    let left = TENANT_DELETE_WAIT.saturating_sub(age(bucket, stored.modified_ms)?);
    if !left.is_zero() {
        let text = format!(
            "the tenant {tenant} was closed a short time ago, and servers may be left that do not know it; retry in {} s",
            left.as_secs() + 1
        );
        return Err(Error::new(ErrorKind::Busy, text)
            .with_code("TENANT_CLOSING")
            .with_retry_after(left));
    }
    let mut deleted = 0;
    loop {
        // Always from the beginning: what was listed is gone, and some stores do not list in order
        // across folders.
        let page = bucket.list(tenant.prefix(), None, STORE_PAGE_MAX).await?;
        let keys: Vec<Key> =
            page.into_iter().map(|entry| entry.key).filter(|key| *key != closed).collect();
        if keys.is_empty() {
            return Ok(deleted);
        }
        bucket.delete(&keys).await?;
        deleted += keys.len() as u64;
    }
}

async fn is_closed(bucket: &TenantBucket) -> Result<bool, StoreError> {
    match bucket.get_within(&closed_key(bucket.tenant()), HINT_BYTES_MAX).await {
        // Whatever it says, it is there.
        Err(StoreError::TooLarge { .. }) => Ok(true),
        found => Ok(found?.is_some()),
    }
}

/// How old an object of the store certainly is, by the store's clock.
fn age(bucket: &TenantBucket, modified_ms: i64) -> Result<Duration> {
    let now_ms = bucket.store_time_ms(Part::Log).ok_or_else(|| {
        Error::new(ErrorKind::Unavailable, "the store does not tell its time; retry later")
    })?;
    Ok(millis::between(modified_ms, now_ms).saturating_sub(bucket.store_time_error()))
}
