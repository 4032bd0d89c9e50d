//! Waiting until no message is on its way any more.

use std::time::Duration;

use dotdo_core::{Bucket, Clock, Engine, ErrorKind, Result, Tenant};
use serde::Deserialize;

use super::process::Shared;
use super::rows;

/// How often it is looked whether a delivery that failed was repeated.
const PAUSE: Duration = Duration::from_millis(250);
/// How long messages may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// The most objects that have messages.
const LISTED_MAX: usize = 100_000;

/// A marker of an object that may have messages, as docs/FORMAT.md describes it.
#[derive(Debug, Deserialize)]
struct Marker {
    class: String,
    id: String,
}

/// Waits until no object of the store has a message that is not delivered.
pub(super) async fn wait(shared: &Shared, engine: &Engine) {
    let mut waited = Duration::ZERO;
    loop {
        engine.settle().await;
        let senders = senders(shared).await.expect("a store in memory can be read");
        if senders.is_empty() {
            return;
        }
        assert!(waited < PATIENCE, "messages of {senders:?} are not delivered");
        shared.clock.sleep(PAUSE).await;
        waited += PAUSE;
    }
}

/// The objects that have messages to deliver, by what the store has of them.
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
    let object = (marker.class.as_str(), marker.id.as_str());
    let known = "SELECT count(*) FROM sqlite_schema WHERE name = '_dotdo_outbox'";
    let tables: Vec<u64> = match rows::read(shared, object, known).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        tables => tables?,
    };
    if tables != [1] {
        return Ok(false);
    }
    let waiting: Vec<u64> =
        rows::read(shared, object, "SELECT count(*) FROM _dotdo_outbox").await?;
    Ok(waiting != [0])
}
