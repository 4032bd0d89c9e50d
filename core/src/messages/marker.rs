//! Markers: small objects in the bucket that say which objects may have messages to deliver, so
//! that somebody finds them after a crash.
//!
//! A marker is a hint. One that is lost delays messages until their sender is used again; one too
//! many costs one look. While an object sends, its server writes a marker about once a minute,
//! beside the record, and the response waits for both.

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

/// One object's marker, as this process wrote it.
#[derive(Default)]
pub(crate) struct Marker {
    written: tokio::sync::Mutex<Option<Written>>,
    /// How often a request has relied on there being one.
    uses: AtomicU64,
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
    /// For how long after writing it the instance relies on it.
    relied_ms: u64,
}

/// A response that must wait for a marker; in its extensions.
#[derive(Clone)]
pub(super) struct Marking(watch::Receiver<bool>);

impl MarkerFile {
    /// The marker in `bytes`; `None` when it is none of this version.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|file| file.format == 1)
    }

    /// Whose messages it is about; it was found among the markers of `tenant`.
    pub(super) fn object(&self, tenant: &Tenant) -> Option<ObjectId> {
        tenant.object(&self.class, &self.id).ok()
    }

    /// When it is this old, the instance that wrote it does not rely on it any more, whatever it
    /// had begun.
    pub(super) fn free_after(&self) -> Duration {
        Duration::from_millis(self.relied_ms.saturating_mul(2))
    }
}

/// Waits for the marker that `response` must wait for.
pub(crate) async fn marked(response: &mut Response) {
    if let Some(Marking(mut done)) = response.extensions_mut().remove() {
        // When nobody writes it any more, the response goes without: it is a hint.
        let _ = done.wait_for(|done| *done).await;
    }
}

impl Marking {
    /// Makes `response` wait until what is returned says `true`, or is gone.
    pub(super) fn of(response: &mut Response) -> watch::Sender<bool> {
        let (done, marking) = watch::channel(false);
        response.extensions_mut().insert(Self(marking));
        done
    }
}

impl Marker {
    /// A request relies on there being a marker; `true` when there is one that can be relied on.
    pub(super) fn relies(&self, runtime: &Runtime) -> bool {
        self.uses.fetch_add(1, Ordering::SeqCst);
        self.written.try_lock().is_ok_and(|written| is_relied_on(runtime, written.as_ref()))
    }

    /// How often a request has relied on there being one.
    pub(super) fn uses(&self) -> u64 {
        self.uses.load(Ordering::SeqCst)
    }

    /// Makes sure that there is a young one.
    pub(super) async fn keep(&self, runtime: &Runtime, log: &Log) {
        if let Err(error) = self.renew(runtime, log).await {
            tracing::warn!(object = %log.object, %error, "cannot write the marker of an object with messages; a crash now would delay them");
        }
    }

    /// Writes a new one, unless the present one is young. A new one has a new key: whoever removes
    /// the old one must not hit it.
    async fn renew(&self, runtime: &Runtime, log: &Log) -> Result<()> {
        let mut written = self.written.lock().await;
        if is_relied_on(runtime, written.as_ref()) {
            return Ok(());
        }
        let file = MarkerFile {
            format: 1,
            class: log.object.class().to_owned(),
            id: log.object.id().to_owned(),
            instance: runtime.instance,
            relied_ms: millis::of(relied(runtime)),
        };
        let key = log.object.tenant().outbox().join(by_time(runtime));
        let at = Instant::now(runtime.clock.as_ref());
        log.bucket.put(&key, serde_json::to_vec(&file)?.into()).await?;
        if let Some(old) = written.replace(Written { key, at }) {
            remove(log, old.key).await;
        }
        Ok(())
    }

    /// How long it must stay although there is nothing to deliver: soon there may be again. `None`:
    /// there is none.
    pub(super) async fn stays(&self, runtime: &Runtime) -> Option<Duration> {
        let written = self.written.lock().await;
        written.as_ref().map(|written| {
            relied(runtime).saturating_sub(written.at.elapsed_at_most(runtime.clock.as_ref()))
        })
    }

    /// Removes it, unless a request has relied on it since there were `uses`.
    pub(super) async fn remove(&self, log: &Log, uses: u64) {
        let mut written = self.written.lock().await;
        if self.uses() == uses
            && let Some(old) = written.take()
        {
            remove(log, old.key).await;
        }
    }
}

/// A name of a new marker: listings show the oldest first (UUID version 7).
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

/// For how long a marker is relied on.
fn relied(runtime: &Runtime) -> Duration {
    runtime.settings.outbox_scan * 2
}

fn is_relied_on(runtime: &Runtime, written: Option<&Written>) -> bool {
    written
        .is_some_and(|written| written.at.elapsed_at_most(runtime.clock.as_ref()) < relied(runtime))
}

/// A target for fuzzers: a marker.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_marker(data: &[u8]) {
    if let Some(marker) = MarkerFile::decode(data) {
        let _ = (marker.object(&Tenant::local()), marker.free_after());
    }
}
