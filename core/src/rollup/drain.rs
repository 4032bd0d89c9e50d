//! Rolls up what waits: in the background, by a tick, and for objects whose marker was found.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};

use crate::activation::{Activations, restart_on_panic};
use crate::clock::Clock;
use crate::error::{ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::limits::{ROLLUP_OBJECTS_AT_ONCE, ROLLUP_READS_AT_ONCE};
use crate::rollup::message::Held;
use crate::rollup::queue::Pending;
use crate::rollup::send::{Done, Link};
use crate::rollup::since::{Since, since};

/// Begins; ends when the engine is gone. On a platform that freezes its programs, what is overdue is
/// rolled up when the next request thaws it.
pub(crate) fn start_draining(activations: &Arc<Activations>, clock: Arc<dyn Clock>) {
    if !activations.runtime.app.rolls_up() {
        return;
    }
    let activations = Arc::downgrade(activations);
    tokio::spawn(restart_on_panic("roll-ups", clock.clone(), move || {
        run(activations.clone(), clock.clone())
    }));
}

async fn run(activations: Weak<Activations>, clock: Arc<dyn Clock>) {
    while let Some(activations) = activations.upgrade() {
        if activations.runtime.stopping.is_closed() {
            return;
        }
        let rollups = activations.runtime.rollups.clone();
        let now = clock.monotonic();
        for (_, pending) in by_class(rollups.take(now)) {
            start(&activations, pending);
        }
        unmark(&activations, now);
        // Nothing of the engine is kept while this waits.
        drop(activations);
        let pause = rollups.next().map(|due| due.saturating_sub(now));
        let timer = async {
            match pause {
                Some(pause) => clock.sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let (timer, earlier) = (timer.fuse(), rollups.earlier.notified().fuse());
        futures_util::pin_mut!(timer, earlier);
        futures_util::select_biased! {
            () = earlier => {}
            () = timer => {}
        }
    }
}

/// Rolls objects of one class up in a task of its own.
fn start(activations: &Arc<Activations>, pending: Vec<Pending>) {
    let activations = activations.clone();
    let runtime = activations.runtime.clone();
    let busy = runtime.deliveries.begin();
    runtime.relays.spawn(async move {
        let _busy = busy;
        let _ = drain_taken(&activations, pending).await;
    });
}

/// Deletes the markers of objects of which nothing waits any more.
fn unmark(activations: &Arc<Activations>, now: Duration) {
    let unmarked = activations.runtime.rollups.unmark(now);
    if unmarked.is_empty() {
        return;
    }
    let runtime = activations.runtime.clone();
    activations.runtime.relays.spawn(async move {
        for unmarked in unmarked {
            if let Ok(log) = runtime.log(&unmarked.object) {
                unmarked.marker.remove(&log, unmarked.uses).await;
            }
        }
    });
}

/// Rolls up what waits in this process, whether it is due or not.
///
/// # Errors
///
/// The last one, after the others were rolled up.
pub(crate) async fn drain_pending(activations: &Arc<Activations>) -> Result<()> {
    let taken = activations.runtime.rollups.take_all(|_| true);
    let mut outcome = Ok(());
    for (_, pending) in by_class(taken) {
        outcome = drain_taken(activations, pending).await.and(outcome);
    }
    unmark(activations, activations.runtime.clock.monotonic());
    outcome
}

/// Rolls up what waits in this process of the objects of a class.
///
/// # Errors
///
/// As [`drain_pending`].
pub(crate) async fn drain_pending_of(
    activations: &Arc<Activations>,
    (tenant, class): (&Tenant, &str),
) -> Result<()> {
    let is_of = |object: &ObjectId| (object.tenant(), object.class()) == (tenant, class);
    drain_taken(activations, activations.runtime.rollups.take_all(is_of)).await
}

/// Rolls up an object whose marker was found. Whether the marker may go.
///
/// # Errors
///
/// Why it could not be rolled up.
pub(crate) async fn look_after(activations: &Arc<Activations>, object: &ObjectId) -> Result<bool> {
    let app = &activations.runtime.app;
    if app.rolled_up(object.class()).is_none() {
        // Another program may know the class, and roll it up.
        let known = app.check_class(object.class());
        return Ok(known.map_or_else(|error| error.kind() == ErrorKind::Gone, |()| true));
    }
    let pending = vec![Pending { object: object.clone(), head: 0 }];
    let outcomes = drain(activations, pending).await;
    outcomes.into_values().try_fold(true, |_, outcome| outcome.map(|_| true))
}

/// Rolls up objects of one class that were taken from those that wait, and notes how that went.
async fn drain_taken(activations: &Arc<Activations>, pending: Vec<Pending>) -> Result<()> {
    let runtime = activations.runtime.as_ref();
    let mut result = Ok(());
    for (object, outcome) in drain(activations, pending).await {
        match outcome {
            Ok(_) => {
                let stays = match runtime.rollups.marker(&object) {
                    Some(marker) => marker.stays(runtime).await.unwrap_or_default(),
                    None => Duration::ZERO,
                };
                runtime.rollups.done(&object, runtime.clock.monotonic(), stays);
            }
            Err(error) => {
                tracing::warn!(%object, code = error.code(), %error, "cannot roll an object up; retrying");
                runtime.rollups.failed(&object, runtime.clock.monotonic());
                result = Err(error);
            }
        }
    }
    result
}

/// Rolls up objects of one class.
pub(super) async fn drain(
    activations: &Arc<Activations>,
    pending: Vec<Pending>,
) -> BTreeMap<ObjectId, Result<Done>> {
    let mut outcomes = BTreeMap::new();
    for chunk in pending.chunks(ROLLUP_OBJECTS_AT_ONCE) {
        let drained = drain_chunk(activations, chunk).await;
        for Pending { object, .. } in chunk {
            let outcome = match &drained {
                Ok(drained) => drained.get(object.id()).cloned().unwrap_or(Ok(Done::Nothing)),
                Err(error) => Err(error.clone()),
            };
            outcomes.insert(object.clone(), outcome);
        }
    }
    outcomes
}

async fn drain_chunk(
    activations: &Arc<Activations>,
    chunk: &[Pending],
) -> Result<BTreeMap<String, Result<Done>>> {
    let Some(first) = chunk.first() else { return Ok(BTreeMap::new()) };
    let mut link = Link::to(activations, (first.object.tenant(), first.object.class()))?;
    let held = link.ask(chunk.iter().map(|one| one.object.id().to_owned()).collect()).await?;
    let tables: Vec<String> = link.tables().to_vec();
    let mut reads: Vec<BoxFuture<'_, (&str, Result<Since>)>> = Vec::new();
    for one in chunk {
        let (held, tables) = (held.get(one.object.id()).cloned().unwrap_or_default(), &tables);
        let read = async move { (one.object.id(), look(activations, one, &held, tables).await) };
        reads.push(read.boxed());
    }
    let mut reads = stream::iter(reads).buffered(ROLLUP_READS_AT_ONCE);
    while let Some((object, found)) = reads.next().await {
        match found {
            Ok(since) => link.tell(object, since).await,
            Err(error) => _ = link.outcomes.insert(object.to_owned(), Err(error)),
        }
    }
    drop(reads);
    Ok(link.finish().await)
}

async fn look(
    activations: &Arc<Activations>,
    one: &Pending,
    held: &Held,
    tables: &[String],
) -> Result<Since> {
    let runtime = activations.runtime.as_ref();
    let log = runtime.log(&one.object)?;
    let bucket = log.bucket.clone();
    Box::pin(bucket.admit(async { since(runtime, &log, (held, one.head), tables).await })).await
}

/// Those that share a roll-up, together.
fn by_class(pending: Vec<Pending>) -> BTreeMap<(Tenant, String), Vec<Pending>> {
    let mut groups: BTreeMap<_, Vec<Pending>> = BTreeMap::new();
    for one in pending {
        let key = (one.object.tenant().clone(), one.object.class().to_owned());
        groups.entry(key).or_default().push(one);
    }
    groups
}
