//! Handles the markers of one tenant's alarms that are due: each names an object that somebody must
//! look at, if the server that has set its alarm does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::activation::Activations;
use crate::alarms::fire::fire;
use crate::alarms::marker::{self, Name};
use crate::clock::Instant;
use crate::error::Result;
use crate::id::ObjectId;
use crate::limits::{
    ALARM_GRACE, ALARM_MARKER_KEPT, HINT_BYTES_MAX, OUTBOX_LOOKS_AT_ONCE, OUTBOX_PAGE_PAUSE,
    STORE_PAGE_MAX,
};
use crate::messages::has_other_owner;
use crate::millis;
use crate::settings::Settings;
use crate::store::{Bucket as _, Entry, Key, Part};
use crate::tenants::TenantBucket;

/// Number of rounds that handle markers although their servers may do it: a predecessor may have
/// died a moment ago, and its lease is over in the second round.
const FIRST_ROUNDS: u32 = 2;

/// Looks after the alarms of one tenant, one page of markers at a time, the earliest first. What is
/// not due costs nothing.
#[derive(Default)]
pub(crate) struct AlarmVisits {
    /// Where the next page begins.
    after: Option<Key>,
    /// Number of complete rounds.
    rounds: u32,
    /// The markers that were due in the last page, as they were first read.
    known: BTreeMap<Key, Seen>,
    /// When the next marker of another server is due, from the last page on.
    coming: Option<Duration>,
}

/// A marker that was read.
#[derive(Clone)]
struct Seen {
    object: ObjectId,
    name: Name,
    /// Its age when it was read, at least.
    age: Duration,
    at: Instant,
    look: Arc<Look>,
}

/// What has come of looking at a marker's object.
#[derive(Default)]
struct Look {
    /// Somebody is looking.
    is_busy: AtomicBool,
    /// The object does not refer to the marker.
    is_superfluous: AtomicBool,
}

impl Seen {
    fn age(&self, activations: &Activations) -> Duration {
        self.age + self.at.elapsed_at_least(activations.runtime.clock.as_ref())
    }
}

impl AlarmVisits {
    /// Handles the next page of markers of the tenant of `bucket`.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn page(
        &mut self,
        activations: &Arc<Activations>,
        bucket: &TenantBucket,
    ) -> Result<()> {
        let folder = bucket.tenant().alarms();
        let entries = bucket.list(&folder, self.after.as_ref(), STORE_PAGE_MAX).await?;
        let now_ms = activations.runtime.clock.wall_ms();
        let last = entries.last().map(|entry| entry.key.clone());
        let is_full = entries.len() == STORE_PAGE_MAX;
        let named =
            entries.into_iter().filter_map(|entry| Some((Name::of_key(&entry.key)?, entry)));
        let (due, coming): (Vec<_>, Vec<_>) = named.partition(|(name, _)| name.at_ms <= now_ms);
        if !due.is_empty() {
            bucket.ensure_open().await?;
        }
        let is_first = self.rounds < FIRST_ROUNDS;
        let mut known = std::mem::take(&mut self.known);
        let visits: Vec<_> = due
            .into_iter()
            .map(|(name, entry)| {
                let seen = known.remove(&entry.key);
                let is_due = is_due(activations, bucket, (&name, now_ms)) || is_first;
                visit(activations, bucket, (seen, name, entry), is_due)
            })
            .collect();
        let seen: Vec<Option<(Key, Seen)>> =
            stream::iter(visits).buffer_unordered(OUTBOX_LOOKS_AT_ONCE).collect().await;
        self.known.extend(seen.into_iter().flatten());
        self.coming = self.time_coming(activations, bucket, &coming).await;
        let goes_on = is_full && coming.is_empty();
        self.rounds = self.rounds.saturating_add(u32::from(!goes_on));
        self.after = last.filter(|_| goes_on);
        Ok(())
    }

    /// Whether this page was the last one with markers that are due.
    pub(crate) fn is_over(&self) -> bool {
        self.after.is_none()
    }

    /// Times the objects of this process's own markers that it had no room for. Returns how long it
    /// takes until somebody must look for the first alarm of another server.
    async fn time_coming(
        &self,
        activations: &Activations,
        bucket: &TenantBucket,
        coming: &[(Name, Entry)],
    ) -> Option<Duration> {
        let runtime = activations.runtime.as_ref();
        let now_ms = runtime.clock.wall_ms();
        let until_ms = now_ms.saturating_add(millis::signed(runtime.settings.alarm_scan));
        let soon = coming.iter().take_while(|(name, _)| name.at_ms <= until_ms);
        let (own, others): (Vec<_>, Vec<_>) =
            soon.partition(|(name, _)| name.instance == runtime.instance);
        if runtime.timers.is_partial() {
            for (name, entry) in own {
                if let Some(object) = read(bucket, entry).await {
                    runtime.timers.arm_unless_timed(&object, name.at_ms);
                }
            }
        }
        let first = others.first().map(|(name, _)| millis::between(now_ms, name.at_ms));
        first.map(|first| first + ALARM_GRACE)
    }

    /// How long to wait before the next page.
    pub(crate) fn pause(&self, settings: &Settings) -> Duration {
        let pause = match (&self.after, self.rounds) {
            (Some(_), _) => return OUTBOX_PAGE_PAUSE.min(settings.alarm_scan),
            // By then the lease of a predecessor is over.
            (None, 1) => (settings.lease_duration * 3 / 2).min(settings.alarm_scan),
            (None, _) => settings.alarm_scan,
        };
        self.coming.map_or(pause, |coming| pause.min(coming.max(ALARM_GRACE)))
    }
}

/// Whether a marker is not left to the process that has written it.
fn is_due(activations: &Activations, bucket: &TenantBucket, (name, now_ms): (&Name, i64)) -> bool {
    let runtime = activations.runtime.as_ref();
    // In a folder, this asks the file system.
    let is_gone =
        || crate::executor::offload(runtime.executor.as_ref(), || bucket.is_gone(name.instance));
    millis::between(name.at_ms, now_ms) >= ALARM_GRACE || is_gone()
}

/// Looks at the object of a marker in a task of its own, if it is time to.
async fn visit(
    activations: &Arc<Activations>,
    bucket: &TenantBucket,
    (seen, name, entry): (Option<Seen>, Name, Entry),
    is_due: bool,
) -> Option<(Key, Seen)> {
    if !is_due {
        return seen.map(|seen| (entry.key, seen));
    }
    let seen = match seen {
        Some(seen) => seen,
        None => {
            let object = read(bucket, &entry).await?;
            let now_ms = bucket.store_time_ms(Part::Log);
            let age =
                now_ms.map_or(Duration::ZERO, |now_ms| millis::between(entry.modified_ms, now_ms));
            let age = age.saturating_sub(bucket.store_time_error());
            let at = Instant::now(activations.runtime.clock.as_ref());
            Seen { object, name, age, at, look: Arc::default() }
        }
    };
    let is_kept = seen.look.is_superfluous.load(Ordering::Relaxed)
        && seen.age(activations) < ALARM_MARKER_KEPT;
    if !is_kept && !seen.look.is_busy.swap(true, Ordering::Relaxed) {
        start(activations, &seen);
    }
    Some((entry.key, seen))
}

async fn read(bucket: &TenantBucket, entry: &Entry) -> Option<ObjectId> {
    let stored = bucket.get_within(&entry.key, HINT_BYTES_MAX).await.ok()??;
    marker::object_of(&stored.bytes, bucket.tenant())
}

fn start(activations: &Arc<Activations>, seen: &Seen) {
    let (activations, seen) = (activations.clone(), seen.clone());
    let runtime = activations.runtime.clone();
    let busy = runtime.deliveries.begin();
    runtime.relays.spawn(async move {
        let _busy = busy;
        if let Err(error) = look_after(&activations, &seen).await {
            tracing::debug!(object = %seen.object, %error, "cannot open an object with an alarm; retrying later");
        }
        seen.look.is_busy.store(false, Ordering::Relaxed);
    });
}

/// Opens the object and runs its alarm. An object that another process owns is left to that one, and
/// is not restored to find that out. Deletes the marker when the object does not refer to it and its
/// record can't be on its way any more.
async fn look_after(activations: &Activations, seen: &Seen) -> Result<()> {
    let runtime = activations.runtime.as_ref();
    let log = runtime.log(&seen.object)?;
    let existing = activations.existing(&seen.object);
    let is_here = existing.is_some_and(|activation| activation.is_resident());
    // Its owner may be at the alarm, with a handler that takes longer than its lease.
    let beyond = runtime.settings.handler_time_max;
    if !is_here && has_other_owner(runtime, &log, beyond).await? {
        return Ok(());
    }
    // Before the look: a record that arrives later is not seen by it.
    let is_old = seen.age(activations) >= ALARM_MARKER_KEPT;
    let reply = fire(activations, &seen.object).await?;
    let is_superfluous = reply.marker.as_deref() != Some(seen.name.as_str());
    if is_superfluous && is_old {
        marker::remove(&log, &seen.name).await;
    }
    seen.look.is_superfluous.store(is_superfluous, Ordering::Relaxed);
    Ok(())
}
