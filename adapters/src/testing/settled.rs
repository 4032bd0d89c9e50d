//! Waits until all messages are delivered.

use std::time::Duration;

use dotdo_core::{Bucket, Clock, Engine, ErrorKind, Result, Tenant};
use serde::Deserialize;

use super::process::Shared;
use super::rows;

/// Interval between two checks whether a failed delivery was repeated.
const PAUSE: Duration = Duration::from_millis(250);
/// Maximum time for all deliveries, by the simulated clock.
const PATIENCE: Duration = Duration::from_secs(600);
/// Maximum number of objects with messages.
const LISTED_MAX: usize = 100_000;

/// A marker of an object that may have messages, as docs/FORMAT.md describes it.
#[derive(Debug, Deserialize)]
struct Marker {
    class: String,
    id: String,
}

/// Waits until no object of the store has an undelivered message.
pub(super) async fn wait(shared: &Shared, engine: &Engine) {
    let mut waited = Duration::ZERO;
    loop {
        engine.finish_background().await;
        let senders = senders(shared).await.expect("a store in memory can be read");
        if senders.is_empty() {
            return;
        }
        assert!(waited < PATIENCE, "messages of {senders:?} are not delivered");
        shared.clock.sleep(PAUSE).await;
        waited += PAUSE;
    }
}

/// The objects that have messages to deliver, according to the store.
async fn senders(shared: &Shared) -> Result<Vec<Marker>> {
    let memory = &shared.store.memory;
    let mut senders = Vec::new();
    let markers = Tenant::local().prefix().join("outbox");
    for entry in memory.list(&markers, None, LISTED_MAX).await? {
        let Some(stored) = memory.get(&entry.key).await? else { continue };
        let Ok(marker) = serde_json::from_slice::<Marker>(&stored.bytes) else { continue };
        if has_messages(shared, &marker).await? {
            senders.push(marker);
        }
    }
    Ok(senders)
}

async fn has_messages(shared: &Shared, marker: &Marker) -> Result<bool> {
    let Marker { class, id } = marker;
    let known = "SELECT count(*) FROM sqlite_schema WHERE name = '_dotdo_outbox'";
    let tables: Vec<u64> = match rows::read(shared, class, id, known).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        tables => tables?,
    };
    if tables != [1] {
        return Ok(false);
    }
    let count = "SELECT count(*) FROM _dotdo_outbox";
    let waiting: Vec<u64> = rows::read(shared, class, id, count).await?;
    Ok(waiting != [0])
}
