//! Markers: small files in the bucket that name objects with messages to deliver, so that other
//! servers find them after a crash. Objects whose roll-ups lack changes have markers of the same kind.
//!
//! A marker is a hint. If one is lost, messages wait until their sender is used again; a
//! superfluous one costs one check. While an object sends, its server writes a marker about once a
//! minute, at the same time as the record, and the response waits for both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use uuid::Uuid;

use crate::activation::Runtime;
use crate::clock::Instant;
use crate::error::Result;
use crate::id::{ObjectId, Tenant};
use crate::log::Log;
use crate::millis;
use crate::object::Response;
use crate::store::{Bucket as _, Key};

/// One object's marker, as written by this process.
#[derive(Default)]
pub(crate) struct Marker {
    written: tokio::sync::Mutex<Option<Written>>,
    /// The number of requests that have relied on the marker.
    uses: AtomicU64,
    /// Whether it is about changes that the object's roll-up lacks, and not about messages.
    is_of_rollup: bool,
}

struct Written {
    key: Key,
    /// A moment before it was sent.
    at: Instant,
}

/// The stored form, format version 1.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MarkerFile {
    format: u32,
    class: String,
    id: String,
    pub(super) instance: Uuid,
    /// How long after the write its instance relies on it.
    relied_ms: u64,
    /// Whether it is about what a deleted object has left, and not about messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleted: bool,
    /// Whether it is about changes that the object's roll-up lacks, and not about messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) rollup: bool,
}

/// Makes a response wait for a marker; in the response's extensions.
#[derive(Clone, Default)]
pub(super) struct Marking(Vec<watch::Receiver<bool>>);

impl MarkerFile {
    /// Decodes a marker; `None` when it has another version or format.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|file| file.format == 1)
    }

    fn of(runtime: &Runtime, log: &Log, relied: Duration) -> Self {
        Self {
            format: 1,
            class: log.object.class().to_owned(),
            id: log.object.id().to_owned(),
            instance: runtime.instance,
            relied_ms: millis::of(relied),
            deleted: false,
            rollup: false,
        }
    }

    /// The object whose messages it is about; the marker was found among those of `tenant`.
    pub(super) fn object(&self, tenant: &Tenant) -> Option<ObjectId> {
        tenant.object(&self.class, &self.id).ok()
    }

    /// The age after which the instance that wrote it certainly does not rely on it any more.
    pub(super) fn free_after(&self) -> Duration {
        Duration::from_millis(self.relied_ms.saturating_mul(2))
    }
}

/// Waits for the markers that `response` must wait for.
pub(crate) async fn marked(response: &mut Response) {
    if let Some(Marking(markings)) = response.extensions_mut().remove() {
        for mut done in markings {
            // If its task ended, the response leaves without it, because a marker is a hint.
            let _ = done.wait_for(|done| *done).await;
        }
    }
}

/// Starts to write a marker, unless there is a young one. Each of the `responses` will wait for it.
pub(crate) fn mark_behind<'a>(
    runtime: &Arc<Runtime>,
    log: &Log,
    marker: Arc<Marker>,
    responses: impl Iterator<Item = &'a mut Response>,
) {
    if marker.relies(runtime) {
        return;
    }
    let (done, marking) = watch::channel(false);
    responses.for_each(|response| Marking::add(response, marking.clone()));
    let (runtime, log) = (runtime.clone(), log.clone());
    tokio::spawn(async move {
        marker.keep(&runtime, &log).await;
        done.send_replace(true);
    });
}

impl Marking {
    /// Makes `response` wait until the returned sender sends `true` or is dropped.
    pub(super) fn of(response: &mut Response) -> watch::Sender<bool> {
        let (done, marking) = watch::channel(false);
        Self::add(response, marking);
        done
    }

    fn add(response: &mut Response, marking: watch::Receiver<bool>) {
        response.extensions_mut().get_or_insert_default::<Self>().0.push(marking);
    }
}

impl Marker {
    /// One that is about changes that an object's roll-up lacks.
    pub(crate) fn of_rollup() -> Self {
        Self { is_of_rollup: true, ..Self::default() }
    }

    /// Counts a request that relies on the marker. Returns whether there is one that is young
    /// enough.
    pub(crate) fn relies(&self, runtime: &Runtime) -> bool {
        self.uses.fetch_add(1, Ordering::SeqCst);
        self.written.try_lock().is_ok_and(|written| is_relied_on(runtime, written.as_ref()))
    }

    /// The number of requests that have relied on the marker.
    pub(crate) fn uses(&self) -> u64 {
        self.uses.load(Ordering::SeqCst)
    }

    /// Makes sure that there is a young marker.
    pub(crate) async fn keep(&self, runtime: &Runtime, log: &Log) {
        if let Err(error) = self.renew(runtime, log).await {
            tracing::warn!(object = %log.object, %error, "cannot write the marker of an object with messages or changes to roll up; a crash now would delay them");
        }
    }

    /// Writes a new marker, unless the current one is young. It has a new key, so that removing the
    /// old one does not remove it.
    async fn renew(&self, runtime: &Runtime, log: &Log) -> Result<()> {
        let mut written = self.written.lock().await;
        if is_relied_on(runtime, written.as_ref()) {
            return Ok(());
        }
        let rollup = self.is_of_rollup;
        let file = MarkerFile { rollup, ..MarkerFile::of(runtime, log, relied(runtime)) };
        runtime.tenants.register(&log.bucket).await?;
        let key = log.object.tenant().outbox().join(by_time(runtime));
        let at = Instant::now(runtime.clock.as_ref());
        log.bucket.put(&key, serde_json::to_vec(&file)?.into()).await?;
        if let Some(old) = written.replace(Written { key, at }) {
            remove(log, old.key).await;
        }
        Ok(())
    }

    /// Writes a marker of its own for an object that was deleted: whoever finds it when it is older
    /// than `age` opens the object, which deletes what that has left.
    pub(crate) async fn mark_deleted(&self, runtime: &Runtime, log: &Log, age: Duration) {
        let file = MarkerFile { deleted: true, ..MarkerFile::of(runtime, log, age / 2) };
        let write = async {
            runtime.tenants.register(&log.bucket).await?;
            let key = log.object.tenant().outbox().join(by_time(runtime));
            log.bucket.put(&key, serde_json::to_vec(&file)?.into()).await?;
            Ok::<_, crate::error::Error>(())
        };
        if let Err(error) = write.await {
            tracing::warn!(object = %log.object, %error, "cannot write the marker of a deleted object; what it has left stays until it is opened");
        }
    }

    /// How long the marker stays although there is nothing to deliver, because there may be again
    /// soon. `None` when there is no marker.
    pub(crate) async fn stays(&self, runtime: &Runtime) -> Option<Duration> {
        let written = self.written.lock().await;
        written.as_ref().map(|written| {
            relied(runtime).saturating_sub(written.at.elapsed_at_most(runtime.clock.as_ref()))
        })
    }

    /// Removes the marker, unless a request has relied on it since the count was `uses`.
    pub(crate) async fn remove(&self, log: &Log, uses: u64) {
        let mut written = self.written.lock().await;
        if self.uses() == uses
            && let Some(old) = written.take()
        {
            remove(log, old.key).await;
        }
    }
}

/// The name of a new marker. It is a UUID version 7, so listings show the oldest first.
fn by_time(runtime: &Runtime) -> Uuid {
    let millis = u64::try_from(runtime.clock.wall_ms()).unwrap_or(0);
    let random = runtime.random.bytes16();
    let tail: &[u8; 10] = random[6..].try_into().expect("10 of 16 are left");
    uuid::Builder::from_unix_timestamp_millis(millis, tail).into_uuid()
}

async fn remove(log: &Log, key: Key) {
    if let Err(error) = log.bucket.delete(&[key]).await {
        tracing::debug!(%error, "cannot delete the marker of an object without messages; it costs one extra read");
    }
}

/// How long a marker is relied on.
fn relied(runtime: &Runtime) -> Duration {
    runtime.settings.outbox_scan * 2
}

fn is_relied_on(runtime: &Runtime, written: Option<&Written>) -> bool {
    written
        .is_some_and(|written| written.at.elapsed_at_most(runtime.clock.as_ref()) < relied(runtime))
}

/// Fuzz target: decodes a marker.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_marker(data: &[u8]) {
    if let Some(marker) = MarkerFile::decode(data) {
        let _ = (marker.object(&Tenant::local()), marker.free_after());
    }
}
