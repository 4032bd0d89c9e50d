//! Requests to an object as it was: a former state is restored, the handler runs on it, and nothing
//! can be changed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::SemaphorePermit;

use crate::budget::Use;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::instance::{Deps, run_read_only};
use crate::limits::RESIDENT_BYTES;
use crate::object::{CallChain, Context, Request, RequestState, Response};
use crate::restore::restore_at;
use crate::router::At;
use crate::sqlite::Mode;

/// Runs `request` on the state of `object` at `at`.
///
/// # Errors
///
/// `NotFound` when the object did not exist then, or the retention has passed; `Invalid` when the
/// handler tries to change something.
pub(crate) async fn fetch(
    deps: &Arc<Deps>,
    object: &ObjectId,
    at: At,
    request: Request,
) -> Result<Response> {
    let log = deps.log(object)?;
    let value = deps.app.make(object.class())?;
    let chain = request.extensions().get::<CallChain>().cloned().unwrap_or_default();
    // A request that another object makes has its place already, through the one that caused it.
    let _place = if chain.objects.is_empty() { Some(place(deps).await?) } else { None };
    let mut room = deps.budget.count(Use::Pasts, object, 0);
    let mut database = restore_at(deps, &log, at, &mut room).await?;
    room.set(RESIDENT_BYTES + database.bytes());
    let deadline = deps.clock.monotonic() + deps.settings.handler_time_max;
    let clock = deps.clock.clone();
    database.set_interrupt(Some(Box::new(move || clock.monotonic() > deadline)));
    let mut context = Context::new(object.clone(), deps.engine.clone(), database);
    context.is_past = true;
    context.request =
        RequestState { chain, now_ms: deps.clock.wall_ms(), ..RequestState::default() };
    context.database.begin(Mode::ReadOnly)?;
    let response = run_read_only(deps, value, &mut context, request).await?;
    if context.request.after_commit.is_empty() && context.request.wait_until.is_empty() {
        return Ok(response);
    }
    Err(Error::new(ErrorKind::Invalid, "a request on a former state can't leave work behind")
        .with_code("READ_ONLY"))
}

/// A place among the requests to former states that are answered at the same time.
async fn place(deps: &Deps) -> Result<SemaphorePermit<'_>> {
    let (place, timer) =
        (deps.pasts.acquire().fuse(), deps.clock.sleep(deps.settings.turn_wait_max).fuse());
    futures_util::pin_mut!(place, timer);
    let place = futures_util::select_biased! {
        place = place => place.ok(),
        () = timer => None,
    };
    let busy = || {
        Error::new(ErrorKind::Busy, "too many requests to former states wait")
            .with_retry_after(Duration::from_secs(1))
    };
    place.ok_or_else(busy)
}
