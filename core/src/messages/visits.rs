//! Handles the markers of one tenant: each is of an object that may have messages to deliver.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::activation::{Activations, Runtime};
use crate::clock::Instant;
use crate::error::Result;
use crate::executor::offload;
use crate::lease::Claim;
use crate::limits::{HINT_BYTES_MAX, OUTBOX_LOOKS_AT_ONCE, OUTBOX_PAGE_PAUSE, STORE_PAGE_MAX};
use crate::log::{Log, fetch, list_newest};
use crate::messages::marker::MarkerFile;
use crate::messages::request::{OutboxReply, OutboxRequest, OutboxTask};
use crate::millis;
use crate::rollup;
use crate::settings::Settings;
use crate::store::{Bucket as _, Entry, Key, Part};
use crate::tenants::TenantBucket;

/// Handles every marker of a tenant that no living server relies on, oldest first, one page at a
/// time. The first rounds handle all markers of objects without an owner, whatever their age: this
/// server's predecessor may have died a moment ago, and its lease is over in the second round.
#[derive(Default)]
pub(super) struct Visits {
    /// Where the next page begins.
    after: Option<Key>,
    /// Number of complete rounds.
    rounds: u32,
    /// The markers of this page, as they were first read.
    known: BTreeMap<Key, Seen>,
}

/// Number of rounds that handle markers regardless of their age.
const FIRST_ROUNDS: u32 = 2;

/// A marker, and its minimum age when it was read.
#[derive(Clone)]
struct Seen {
    file: MarkerFile,
    age: Duration,
    at: Instant,
}

impl Visits {
    /// Handles the next page of markers of the tenant of `bucket`.
    pub(super) async fn page(
        &mut self,
        activations: &Arc<Activations>,
        bucket: &TenantBucket,
    ) -> Result<()> {
        let outbox = bucket.tenant().outbox();
        let entries = bucket.list(&outbox, self.after.as_ref(), STORE_PAGE_MAX).await?;
        if !entries.is_empty() {
            bucket.ensure_open().await?;
        }
        let last = entries
            .last()
            .filter(|_| entries.len() == STORE_PAGE_MAX)
            .map(|entry| entry.key.clone());
        let is_first = self.rounds < FIRST_ROUNDS;
        let mut known = std::mem::take(&mut self.known);
        let visits: Vec<_> = entries
            .into_iter()
            .map(|entry| visit(activations, bucket, (known.remove(&entry.key), entry), is_first))
            .collect();
        let seen: Vec<Option<(Key, Seen)>> =
            stream::iter(visits).buffer_unordered(OUTBOX_LOOKS_AT_ONCE).collect().await;
        self.known.extend(seen.into_iter().flatten());
        self.rounds = self.rounds.saturating_add(u32::from(last.is_none()));
        self.after = last;
        Ok(())
    }

    /// Whether this page was the last one.
    pub(super) fn is_over(&self) -> bool {
        self.after.is_none()
    }

    /// How long to wait before the next page.
    pub(super) fn pause(&self, settings: &Settings) -> Duration {
        match (&self.after, self.rounds) {
            (Some(_), _) => OUTBOX_PAGE_PAUSE.min(settings.outbox_scan),
            // By then the lease of a predecessor is over.
            (None, 1) => (settings.lease_duration * 3 / 2).min(settings.outbox_scan),
            (None, _) => settings.outbox_scan,
        }
    }
}

async fn visit(
    activations: &Arc<Activations>,
    bucket: &TenantBucket,
    (seen, entry): (Option<Seen>, Entry),
    is_first: bool,
) -> Option<(Key, Seen)> {
    let seen = match seen {
        Some(seen) => seen,
        None => read(activations, bucket, &entry).await?,
    };
    look_after(activations, bucket, (&entry.key, &seen), is_first).await;
    Some((entry.key, seen))
}

/// Reads a marker for the first time.
async fn read(activations: &Activations, bucket: &TenantBucket, entry: &Entry) -> Option<Seen> {
    let clock = activations.runtime.clock.as_ref();
    let stored = bucket.get_within(&entry.key, HINT_BYTES_MAX).await.ok()??;
    let file = MarkerFile::decode(&stored.bytes)?;
    let now_ms = bucket.store_time_ms(Part::Log);
    let age = now_ms.map_or(Duration::ZERO, |now_ms| millis::between(entry.modified_ms, now_ms));
    let age = age.saturating_sub(bucket.store_time_error());
    Some(Seen { file, age, at: Instant::now(clock) })
}

/// Delivers the messages of a marker's object. Removes the marker when there are none and nobody
/// relies on it.
async fn look_after(
    activations: &Arc<Activations>,
    bucket: &TenantBucket,
    (key, seen): (&Key, &Seen),
    is_first: bool,
) {
    let runtime = activations.runtime.as_ref();
    let is_own = seen.file.instance == runtime.instance;
    let age = seen.age + seen.at.elapsed_at_least(runtime.clock.as_ref());
    // In a folder, this asks the file system.
    let is_gone = offload(runtime.executor.as_ref(), || bucket.is_gone(seen.file.instance));
    let is_old = age >= seen.file.free_after();
    // What is about a deleted object waits for the retention, whoever wrote it.
    let is_free = is_old || (is_gone && !seen.file.deleted);
    // An old marker of this process has lost its relay: another server owned the object meanwhile.
    let is_due = is_free || (is_first && !is_own && !seen.file.deleted);
    if !is_due {
        return;
    }
    match look(activations, bucket, &seen.file).await {
        Ok(true) if is_free => {
            // If this fails, the marker stays and costs another check.
            let _ = bucket.delete(std::slice::from_ref(key)).await;
        }
        Ok(_) => {}
        Err(error) => {
            tracing::debug!(%key, %error, "cannot open an object with messages; retrying later")
        }
    }
}

/// Opens the object and delivers its messages; `true` when there are none. An object that another
/// process owns is left to that one, and is not restored to find that out.
async fn look(
    activations: &Arc<Activations>,
    bucket: &TenantBucket,
    file: &MarkerFile,
) -> Result<bool> {
    let Some(object) = file.object(bucket.tenant()) else { return Ok(true) };
    if file.rollup {
        // The log says what it has changed, whoever owns it.
        return rollup::look_after(activations, &object).await;
    }
    let runtime = activations.runtime.as_ref();
    let is_here = activations.existing(&object).is_some_and(|activation| activation.is_resident());
    if !is_here && has_other_owner(runtime, &runtime.log(&object)?, Duration::ZERO).await? {
        return Ok(false);
    }
    let activation = activations.of_any_class(&object)?;
    if file.deleted {
        return activation.sweep_deleted().await;
    }
    let activation = activations.get(&object)?;
    let reply =
        OutboxReply::of(activation.visit(OutboxRequest::request(OutboxTask::look())).await?)?;
    if reply.is_empty() {
        return Ok(true);
    }
    activation.wake_relay();
    Ok(false)
}

/// Whether another process owns the object, by its newest record, or did so until `beyond` ago
/// without releasing it.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn has_other_owner(
    runtime: &Runtime,
    log: &Log,
    beyond: Duration,
) -> Result<bool> {
    let listing = list_newest(log, u64::MAX).await?;
    if listing.head == 0 {
        return Ok(false);
    }
    let observed = Instant::now(runtime.clock.as_ref());
    let mut room = log.room();
    let newest = fetch(log, listing.head..=listing.head, None, &mut room).await?;
    let claim =
        newest.first().map(|found| Claim::of(&found.record, listing.head_modified_ms, observed));
    Ok(claim.filter(|claim| !claim.duration.is_zero()).is_some_and(|mut claim| {
        claim.duration += beyond;
        !claim.remaining(runtime.instance, log.bucket.as_ref(), runtime.clock.as_ref()).is_zero()
    }))
}
