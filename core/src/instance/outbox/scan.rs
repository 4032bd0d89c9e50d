//! Finding objects whose messages nobody delivers: at the start, and every so often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::clock::{Clock, Instant};
use crate::engine::{Engine, WeakEngine};
use crate::error::Result;
use crate::instance::outbox::errand::{Errand, Mail, Task};
use crate::instance::outbox::marker::MarkerFile;
use crate::instance::outbox::wake;
use crate::limits::{OUTBOX_LOOKS_AT_ONCE, STORE_PAGE_MAX};
use crate::store::{Entry, Key};

/// Begins; ends when the engine is gone. On a platform that freezes its programs, a scan that is overdue runs when the next request thaws it.
pub(crate) fn start(engine: WeakEngine, clock: Arc<dyn Clock>) {
    tokio::spawn(async move {
        let mut known = BTreeMap::new();
        let mut is_first = true;
        while let Some(engine) = engine.upgrade().filter(|engine| !engine.deps().stopping.is_closed()) {
            if let Err(error) = scan(&engine, &mut known, is_first).await {
                tracing::debug!(%error, "objects with messages were not looked for; later");
            } else {
                is_first = false;
            }
            let pause = engine.deps().settings.outbox_scan;
            drop(engine);
            clock.sleep(pause).await;
        }
    });
}

/// A marker, and how old it certainly was when it was read.
#[derive(Clone)]
struct Seen {
    file: MarkerFile,
    age: Duration,
    at: Instant,
}

/// Looks after every marker that no living server relies on. The first scan looks after all: the server that died may have been this one's
/// predecessor, a moment ago.
async fn scan(engine: &Engine, known: &mut BTreeMap<Key, Seen>, is_first: bool) -> Result<()> {
    let entries = list(engine).await?;
    known.retain(|key, _| entries.binary_search_by(|entry| entry.key.cmp(key)).is_ok());
    let visits: Vec<_> = entries.into_iter().map(|entry| visit(engine, known.get(&entry.key).cloned(), entry, is_first)).collect();
    let seen: Vec<Option<(Key, Seen)>> = stream::iter(visits).buffer_unordered(OUTBOX_LOOKS_AT_ONCE).collect().await;
    known.extend(seen.into_iter().flatten());
    Ok(())
}

async fn visit(engine: &Engine, seen: Option<Seen>, entry: Entry, is_first: bool) -> Option<(Key, Seen)> {
    let seen = match seen {
        Some(seen) => seen,
        None => read(engine, &entry).await?,
    };
    look_after(engine, &entry.key, &seen, is_first).await;
    Some((entry.key, seen))
}

/// Every marker there is, by key.
async fn list(engine: &Engine) -> Result<Vec<Entry>> {
    let deps = engine.deps();
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map(|entry| entry.key.clone());
        let page = deps.bucket.list(deps.tenant.outbox(), after.as_ref(), STORE_PAGE_MAX).await?;
        let is_last = page.len() < STORE_PAGE_MAX;
        entries.extend(page);
        if is_last {
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            return Ok(entries);
        }
    }
}

/// Reads a marker that was not known.
async fn read(engine: &Engine, entry: &Entry) -> Option<Seen> {
    let deps = engine.deps();
    let stored = deps.bucket.get(&entry.key).await.ok()??;
    let file = MarkerFile::decode(&stored.bytes)?;
    let age_ms = deps.bucket.store_time_ms().map_or(0, |now_ms| now_ms.saturating_sub(entry.modified_ms));
    let age = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)).saturating_sub(deps.bucket.store_time_error());
    Some(Seen { file, age, at: Instant::now(deps.clock.as_ref()) })
}

/// Delivers what the object behind a marker has to deliver; removes the marker when that is nothing and nobody relies on it.
async fn look_after(engine: &Engine, key: &Key, seen: &Seen, is_first: bool) {
    let deps = engine.deps();
    let is_own = seen.file.instance == deps.instance;
    let age = seen.age + seen.at.elapsed_at_least(deps.clock.as_ref());
    let is_free = deps.bucket.is_gone(seen.file.instance) || age >= seen.file.free_after();
    // An own marker that has become old has lost its courier: another server had the object meanwhile.
    let is_due = is_free || (is_first && !is_own);
    if !is_due {
        return;
    }
    match look(engine, &seen.file).await {
        Ok(true) if is_free => {
            // It stays when this fails, and costs another look.
            let _ = deps.bucket.delete(std::slice::from_ref(key)).await;
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(%key, %error, "an object with messages was not opened; later"),
    }
}

/// Opens the object and delivers its messages; `true` when there are none.
async fn look(engine: &Engine, file: &MarkerFile) -> Result<bool> {
    let Some(object) = file.object() else { return Ok(true) };
    let slot = engine.slots().get(engine.deps(), &object)?;
    let task = Task { receivers_max: 1, ..Task::default() };
    let letters = Mail::of(engine.run(&slot, Errand::request(task)).await?)?;
    if letters.is_empty() {
        return Ok(true);
    }
    wake(engine.deps(), &slot);
    Ok(false)
}
