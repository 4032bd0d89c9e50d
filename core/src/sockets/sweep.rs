//! Forgets connections that something else has held, and of whose end nobody was told.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use crate::activation::Runtime;
use crate::clock::Instant;
use crate::error::Result;
use crate::limits::STORE_PAGE_MAX;
use crate::millis;
use crate::sockets::event::SocketEvent;
use crate::sockets::note::Note;
use crate::sockets::sending::{end, forget};
use crate::store::{Entry, Part};
use crate::tenants::Connections;

/// How often a process looks.
const INTERVAL: Duration = Duration::from_secs(3600);

/// What a connection may be older than the transport says, before it is over.
const MARGIN: Duration = Duration::from_secs(15 * 60);

/// How many of them are forgotten at the same time.
const AT_ONCE: usize = 16;

/// Forgets connections that are older than they can be, unless this process has looked a short time
/// ago. Each is told to its object.
///
/// # Errors
///
/// Those of the store.
pub(crate) async fn sweep(runtime: &Arc<Runtime>) -> Result<()> {
    let Ok(transport) = runtime.held.transport() else { return Ok(()) };
    let clock = runtime.clock.as_ref();
    {
        let mut swept = runtime.held.swept.lock();
        if swept.is_some_and(|at: Instant| at.elapsed_at_least(clock) < INTERVAL) {
            return Ok(());
        }
        *swept = Some(Instant::now(clock));
    }
    let (connections, age_max) = (runtime.tenants.connections()?, transport.time_max() + MARGIN);
    let mut after = None;
    loop {
        let page = connections.list(after.as_ref(), STORE_PAGE_MAX).await?;
        // The store has just told its time.
        let now_ms = connections.bucket.store_time_ms(Part::Log).unwrap_or(0);
        let is_over = |entry: &Entry| {
            let age = millis::between(entry.modified_ms, now_ms);
            age.saturating_sub(connections.bucket.store_time_error()) > age_max
        };
        stream::iter(page.iter().filter(|entry| is_over(entry)))
            .for_each_concurrent(AT_ONCE, |entry| forget_one(runtime, &connections, entry))
            .await;
        match page.last() {
            Some(last) if page.len() == STORE_PAGE_MAX => after = Some(last.key.clone()),
            _ => return Ok(()),
        }
    }
}

async fn forget_one(runtime: &Runtime, connections: &Connections, entry: &Entry) {
    let Some(socket) = Connections::connection(entry) else { return };
    // If it can't be read now, the next one reads it.
    let Ok(note) = connections.get(socket).await else { return };
    match note.as_deref().and_then(Note::read) {
        Some((place, object, _)) => end(runtime, &object, SocketEvent::lost(place.socket)).await,
        None => forget(runtime, socket).await,
    }
}
