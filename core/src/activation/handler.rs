//! Runs a user's handler: within its time limit, without blocking other objects, and with its
//! panics caught.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use crate::activation::resident::Resident;
use crate::activation::runtime::Runtime;
use crate::alarms::AlarmInfo;
use crate::budget::{Account, Use};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::limits::CONTINUATION_TIME_MAX;
use crate::millis;
use crate::object::{AnyObject, Body, Context, Continuation, Request, Response, Rest, Schedule};
use crate::sqlite::Mode;
use crate::trace::{span, traced};

/// The code of the error of a handler that panicked.
pub(super) const HANDLER_PANICKED: &str = "HANDLER_PANICKED";

/// Runs the handler of `resident` on `request`, for at most the time that the settings allow.
///
/// # Errors
///
/// The handler's own error; `TimedOut` when it overran; `Handler` when it panicked. The caller
/// undoes what it did.
pub(crate) async fn run_handler(
    runtime: &Runtime,
    resident: &mut Resident,
    request: Request,
) -> Result<Response> {
    run(runtime, resident, Work::Fetch(request)).await
}

/// Starts the value of `resident`, unless it has started.
///
/// # Errors
///
/// Those of [`run_handler`].
pub(crate) async fn run_start(runtime: &Runtime, resident: &mut Resident) -> Result<()> {
    run(runtime, resident, Work::Start).await.map(drop)
}

/// Runs the alarm of `resident`.
///
/// # Errors
///
/// Those of [`run_handler`].
pub(crate) async fn run_alarm(
    runtime: &Runtime,
    resident: &mut Resident,
    info: AlarmInfo,
) -> Result<()> {
    run(runtime, resident, Work::Alarm(info)).await.map(drop)
}

/// Runs a schedule of `resident`.
///
/// # Errors
///
/// Those of [`run_handler`].
pub(crate) async fn run_scheduled(
    runtime: &Runtime,
    resident: &mut Resident,
    schedule: Schedule,
) -> Result<()> {
    run(runtime, resident, Work::Scheduled(schedule)).await.map(drop)
}

/// Which of an object's methods runs.
enum Work {
    Start,
    Fetch(Request),
    Alarm(AlarmInfo),
    Scheduled(Schedule),
}

async fn run(runtime: &Runtime, resident: &mut Resident, work: Work) -> Result<Response> {
    let time_max = runtime.settings.handler_time_max;
    let begun = runtime.clock.monotonic();
    let deadline = begun + time_max;
    resident.deadline_ms.store(millis::of(deadline), Ordering::Relaxed);
    let span = span!("handler", dotdo.class = resident.context.id().class());
    let result =
        traced(span, drive(runtime, resident.value.as_mut(), &mut resident.context, work)).await;
    resident.deadline_ms.store(u64::MAX, Ordering::Relaxed);
    let ended = runtime.clock.monotonic();
    metrics::histogram!("dotdo_handler_seconds").record(ended.saturating_sub(begun).as_secs_f64());
    if ended > deadline {
        return Err(Bound::of_handlers(runtime).overrun());
    }
    result
}

/// Does work of our own on `resident`, whose statements may take as long as a handler.
///
/// # Errors
///
/// Those of `work`; `TimedOut` when it took too long. The caller undoes what it did.
pub(crate) fn run_within_time<T>(
    runtime: &Runtime,
    resident: &mut Resident,
    work: impl FnOnce(&mut Resident) -> Result<T>,
) -> Result<T> {
    let deadline = runtime.clock.monotonic() + runtime.settings.handler_time_max;
    resident.deadline_ms.store(millis::of(deadline), Ordering::Relaxed);
    let result = offload(runtime.executor.as_ref(), || work(resident));
    resident.deadline_ms.store(u64::MAX, Ordering::Relaxed);
    result
}

/// Runs a handler on a former state, which exists only in memory. The class's start may still
/// change it, so that today's program finds the schema that it knows; after that the database is
/// read-only.
pub(crate) async fn run_on_former(
    runtime: &Runtime,
    mut value: Box<dyn AnyObject>,
    context: &mut Context,
    request: Request,
) -> Result<Response> {
    let object = context.id().clone();
    let reservation = runtime.reserve(&object).await?;
    context.database.begin_reserved(Mode::ReadWrite, reservation)?;
    guard(runtime, value.start(context)).await?;
    offload(runtime.executor.as_ref(), || context.database.commit())?;
    context.database.begin_reserved(Mode::ReadOnly, runtime.reserve(&object).await?)?;
    drive(runtime, value.as_mut(), context, Work::Fetch(request)).await
}

/// Reads the body of a handler's response to its end, at most `bytes_max`; `None` when it is
/// longer.
///
/// # Errors
///
/// The body's own error; `TimedOut` when reading it takes longer than a handler may.
pub(crate) async fn collect_body(
    runtime: &Runtime,
    body: Body,
    bytes_max: usize,
) -> Result<Option<Bytes>> {
    guard(runtime, Box::pin(body.bytes_up_to(bytes_max))).await
}

async fn drive(
    runtime: &Runtime,
    value: &mut dyn AnyObject,
    context: &mut Context,
    work: Work,
) -> Result<Response> {
    let request = match work {
        Work::Fetch(request) => request,
        Work::Start => {
            guard(runtime, value.start(context)).await?;
            return Ok(Response::new(Body::empty()));
        }
        Work::Alarm(info) => {
            guard(runtime, value.alarm(info, context)).await?;
            return Ok(Response::new(Body::empty()));
        }
        Work::Scheduled(schedule) => {
            guard(runtime, value.scheduled(schedule, context)).await?;
            return Ok(Response::new(Body::empty()));
        }
    };
    let object = context.id().clone();
    let account = request.extensions().get::<Account>().cloned();
    let account =
        account.unwrap_or_else(|| Account::new(runtime.budget.count(Use::Requests, &object, 0)));
    let request = request.map(|body| body.with_account(account.clone()));
    let (mut head, body) = guard(runtime, value.fetch(request, context)).await?.into_parts();
    if Continuation::is_in(&head.extensions) {
        head.extensions.insert(account.clone());
    }
    // Before anything of the request is visible: if there is no memory for the response, it is
    // refused and the request is rolled back.
    Ok(Response::from_parts(head, body.paid_by(&account).await?))
}

/// Runs what a handler has left its turn for.
///
/// # Errors
///
/// Its own; `TimedOut` when it overran; `Handler` when it panicked.
pub(crate) async fn run_outside(runtime: &Runtime, work: Rest) -> Result<Response> {
    let bound =
        Bound { time_max: CONTINUATION_TIME_MAX, left: "the rest of the request was not done" };
    guard_within(runtime, work, bound).await
}

/// How long a user's future may run, and what is left of it when it does not end well.
#[derive(Clone, Copy)]
struct Bound {
    time_max: Duration,
    left: &'static str,
}

impl Bound {
    fn of_handlers(runtime: &Runtime) -> Self {
        Self { time_max: runtime.settings.handler_time_max, left: "the request was rolled back" }
    }

    fn overrun(self) -> Error {
        let (ms, left) = (self.time_max.as_millis(), self.left);
        Error::new(ErrorKind::TimedOut, format!("the handler ran for more than {ms} ms; {left}"))
    }

    fn panicked(self, panic: &(dyn Any + Send)) -> Error {
        let text = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(panic = text.unwrap_or("(not text)"), "a handler panicked");
        Error::handler(format!("the handler panicked; {}", self.left)).with_code(HANDLER_PANICKED)
    }
}

/// Polls a handler's future on the executor until it completes or its time is over.
async fn guard<T>(
    runtime: &Runtime,
    work: Pin<Box<dyn Future<Output = Result<T>> + Send + '_>>,
) -> Result<T> {
    guard_within(runtime, work, Bound::of_handlers(runtime)).await
}

async fn guard_within<T>(
    runtime: &Runtime,
    mut work: Pin<Box<dyn Future<Output = Result<T>> + Send + '_>>,
    bound: Bound,
) -> Result<T> {
    let mut timer: Option<Pin<Box<dyn Future<Output = ()> + Send + '_>>> = None;
    poll_fn(|cx| {
        let polled = offload(runtime.executor.as_ref(), || {
            catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)))
        });
        match polled {
            Ok(Poll::Ready(result)) => return Poll::Ready(result),
            Ok(Poll::Pending) => {}
            Err(panic) => return Poll::Ready(Err(bound.panicked(panic.as_ref()))),
        }
        // Most handlers never wait, so they need no timer.
        let timer = timer.get_or_insert_with(|| runtime.clock.sleep(bound.time_max));
        timer.as_mut().poll(cx).map(|()| Err(bound.overrun()))
    })
    .await
}

/// Whether a handler's `deadline_ms` has passed; called regularly while it runs SQL.
pub(crate) fn is_over(clock: &dyn Clock, deadline_ms: &std::sync::atomic::AtomicU64) -> bool {
    let deadline_ms = deadline_ms.load(Ordering::Relaxed);
    deadline_ms != u64::MAX && millis::of(clock.monotonic()) > deadline_ms
}
