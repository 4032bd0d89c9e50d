//! Time travel: runs a request on a former state of an object, read-only.

use std::time::Duration;

use futures_util::FutureExt;

use crate::activation::handler::run_on_former;
use crate::activation::rebuild::{Sources, replay_from};
use crate::activation::restore::{Newest, newest};
use crate::activation::runtime::Runtime;
use crate::budget::{Charge, Use};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::limits::RESIDENT_BYTES;
use crate::log::{Log, fetch as fetch_records, list_newest};
use crate::object::{CallChain, Context, Request, RequestState, Response};
use crate::router::At;
use crate::snapshot::{self, Document, SnapshotEntry};
use crate::sqlite::Database;
use crate::tenants::Place;

/// Runs `request` on the state of `object` at `at`.
///
/// # Errors
///
/// `NotFound` when the object did not exist then, or the retention has passed; `Invalid` when the
/// handler tries to change something; `Gone` when its tenant is closed.
pub(crate) async fn fetch_as_of(
    runtime: &Runtime,
    object: &ObjectId,
    at: At,
    request: Request,
) -> Result<Response> {
    let log = runtime.log(object)?;
    log.bucket.admit(run_as_of(runtime, &log, at, request)).await
}

async fn run_as_of(runtime: &Runtime, log: &Log, at: At, request: Request) -> Result<Response> {
    let object = &log.object;
    let value = runtime.app.make(object.class())?;
    // A call by another object already has its place, through the request that caused it.
    let is_call =
        request.extensions().get::<CallChain>().is_some_and(|chain| !chain.objects.is_empty());
    let _place = if is_call { None } else { Some(place_of_former(runtime, object).await?) };
    let mut room = runtime.budget.count(Use::TimeTravel, object, 0);
    let Former { mut database, .. } = restore_at(runtime, log, at, &mut room).await?;
    room.set(RESIDENT_BYTES + database.bytes());
    let deadline = runtime.clock.monotonic() + runtime.settings.handler_time_max;
    let clock = runtime.clock.clone();
    database.set_interrupt(Some(Box::new(move || clock.monotonic() > deadline)));
    let mut context = Context::new(object.clone(), runtime.host.clone(), database);
    context.is_as_of = true;
    context.request = RequestState::new(&request, object.tenant(), runtime.clock.wall_ms());
    let response = run_on_former(runtime, value, &mut context, request).await?;
    if context.request.after_commit.is_empty() && context.request.wait_until.is_empty() {
        return Ok(response);
    }
    Err(Error::new(
        ErrorKind::Invalid,
        "a request with X-DO-At is read-only; it can't send messages or leave work to do",
    )
    .with_code("READ_ONLY"))
}

/// A former state.
pub(crate) struct Former {
    pub(crate) database: Database,
    /// The last record in it.
    pub(crate) sequence: u64,
}

/// Waits for one of the places for requests to former states.
///
/// # Errors
///
/// `Busy` when none is free in time.
pub(crate) async fn place_of_former(runtime: &Runtime, object: &ObjectId) -> Result<Place> {
    let (place, timer) = (
        runtime.time_travels.acquire(object.tenant()).fuse(),
        runtime.clock.sleep(runtime.settings.turn_wait_max).fuse(),
    );
    futures_util::pin_mut!(place, timer);
    let place = futures_util::select_biased! {
        place = place => Some(place),
        () = timer => None,
    };
    let busy = || {
        Error::new(ErrorKind::Busy, "too many requests with X-DO-At wait; retry later")
            .with_retry_after(Duration::from_secs(1))
    };
    place.ok_or_else(busy)
}

/// Restores the state at `at`.
///
/// # Errors
///
/// `NotFound` when the object did not exist then or the retention has passed; otherwise those of
/// a restore of the newest.
pub(crate) async fn restore_at(
    runtime: &Runtime,
    log: &Log,
    at: At,
    room: &mut Charge,
) -> Result<Former> {
    match read_at(runtime, log, at, room).await {
        // What was listed may have been swept before it was read; what is damaged still is.
        Err(error) if error.kind() == ErrorKind::Corrupt => read_at(runtime, log, at, room).await,
        read => read,
    }
}

async fn read_at(runtime: &Runtime, log: &Log, at: At, room: &mut Charge) -> Result<Former> {
    let Newest { listing, .. } = newest(log).await?;
    let to = match at {
        At::Sequence(sequence) if (1..=listing.head).contains(&sequence) => sequence,
        At::Sequence(sequence) => {
            return Err(no_such_state(format!(
                "record {sequence}; the newest is {}",
                listing.head
            )));
        }
        At::TimeMs(_) => listing.head,
    };
    let base = newest_before(log, to, at).await?;
    let from = first_after(log, base.as_ref(), to).await?;
    let to = match at {
        At::Sequence(_) => to,
        At::TimeMs(time_ms) => last_before(log, from, to, time_ms).await?,
    };
    if to < from && base.is_none() {
        return Err(no_such_state("that time: the object did not exist yet".to_owned()));
    }
    let sources = Sources { base, records: from..=to };
    let former = replay_from(runtime, log, sources, room).await?;
    if former.exists {
        return Ok(Former { database: former.database, sequence: to });
    }
    Err(no_such_state("that time: the object was deleted".to_owned()))
}

/// The first record after the base. Without one it is the first of the log, or, where the records
/// before it were deleted, the one that starts the state anew.
async fn first_after(log: &Log, base: Option<&Document>, to: u64) -> Result<u64> {
    let from = base.map_or(1, |base| base.reference.sequence + 1);
    let oldest = list_newest(log, from).await?.unbroken_from;
    if from > to || oldest <= from {
        return Ok(from);
    }
    if base.is_none() && oldest <= to {
        let found = fetch_records(log, oldest..=oldest, None, &mut log.room()).await?;
        if found.iter().any(|found| found.record.start.is_some()) {
            return Ok(oldest);
        }
    }
    Err(no_such_state("that time: its records were deleted after the retention time".to_owned()))
}

/// The last of the records `from..=to` that was written at `time_ms` or before; `from - 1` when
/// there is none.
async fn last_before(log: &Log, from: u64, to: u64, time_ms: i64) -> Result<u64> {
    const STEP: u64 = 64;
    let mut start = from;
    while start <= to {
        let mut room = log.room();
        let step = start..=to.min(start + STEP - 1);
        let records = fetch_records(log, step, None, &mut room).await?;
        if let Some(later) = records.iter().find(|found| found.record.time_ms > time_ms) {
            return Ok(later.record.sequence - 1);
        }
        start += STEP;
    }
    Ok(to)
}

/// The newest snapshot that covers nothing after `at`.
async fn newest_before(log: &Log, to: u64, at: At) -> Result<Option<Document>> {
    let mut known = snapshot::list(log.snapshots()).await?;
    known.retain(|entry| entry.reference.sequence <= to);
    match at {
        At::Sequence(_) => match known.first() {
            Some(entry) => snapshot::read(log.snapshots(), entry.reference).await.map(Some),
            None => Ok(None),
        },
        At::TimeMs(time_ms) => newest_until(log, &known, time_ms).await,
    }
}

/// The newest of the `known` snapshots that was made at `time_ms` or before. The listing's dates,
/// which are the store's, give a first guess; the snapshots' own dates decide. Where the clocks
/// differ, a binary search finds it.
async fn newest_until(
    log: &Log,
    known: &[SnapshotEntry],
    time_ms: i64,
) -> Result<Option<Document>> {
    let guess = known.iter().position(|entry| entry.modified_ms <= time_ms).unwrap_or(known.len());
    let mut found: Option<(usize, Document)> = None;
    // All before this index are too new.
    let mut start = 0;
    let mut places: Vec<usize> = guess
        .checked_sub(1)
        .into_iter()
        .chain([guess])
        .filter(|place| *place < known.len())
        .collect();
    while !places.is_empty() {
        let reads =
            places.iter().map(|place| snapshot::read(log.snapshots(), known[*place].reference));
        for (place, document) in places.iter().zip(futures_util::future::try_join_all(reads).await?)
        {
            if document.time_ms > time_ms {
                start = start.max(place + 1);
            } else if found.as_ref().is_none_or(|(best, _)| place < best) {
                found = Some((*place, document));
            }
        }
        let end = found.as_ref().map_or(known.len(), |(best, _)| *best);
        places = if start < end { vec![start.midpoint(end)] } else { Vec::new() };
    }
    Ok(found.map(|(_, document)| document))
}

fn no_such_state(what: String) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no state of this object at {what}"))
        .with_code("NO_SUCH_STATE")
}
