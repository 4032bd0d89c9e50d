//! A process's own requests to an object about its alarm. They take their turn like other requests,
//! and their replies pass the gate like responses.

use std::sync::Arc;

use futures_util::future::{Either, select};
use http::Extensions;

use crate::activation::{Activation, Resident, run_start};
use crate::alarms::due::Due;
use crate::alarms::settle::{Known, settle};
use crate::error::{Error, Result};
use crate::executor::offload;
use crate::limits::ALARM_UNDER_WAY_MIN;
use crate::millis;
use crate::object::{Body, Context, Continuation, Request, Response, Rest};
use crate::planted::{Bug, planted};
use crate::settings::Ownership;
use crate::sync::Mutex;
use crate::tenants::Place;

/// A request about an object's alarm or schedule. It is in a request's extensions and never leaves
/// this process.
#[derive(Clone, Default)]
pub(crate) struct AlarmRequest(Arc<Task>);

#[derive(Default)]
struct Task {
    purpose: Purpose,
    /// For what the handler has failed, and not something around it; also one that is under way, as
    /// long as it is.
    failed: Mutex<Option<Due>>,
    /// The place among those who look at objects, which a handler that leaves its turn leaves, too.
    place: Mutex<Option<Place>>,
}

/// What is to be done.
#[derive(Debug, Default)]
enum Purpose {
    /// Runs what is due.
    #[default]
    Look,
    /// Notes that the handler has failed, with this error.
    Failed(Due, String),
    /// Notes that the handler that had left its turn has ended well.
    Done(Due),
    /// Notes that the handler that has left its turn goes on, at least until this time.
    PutOff(Due, i64),
}

/// The reply to an [`AlarmRequest`]; in its response's extensions.
#[derive(Debug, Clone, Default)]
pub(super) struct AlarmReply {
    /// When somebody must look at the object again.
    pub(super) wake_ms: Option<i64>,
    /// The name of its marker.
    pub(super) marker: Option<String>,
    /// What the handler has ended for that had left its turn.
    pub(super) ended: Option<Due>,
}

impl AlarmRequest {
    /// Runs the alarm, if it is due. `place` is given back when its handler leaves its turn.
    pub(super) fn look(place: Place) -> Self {
        Self(Arc::new(Task { place: Mutex::new(Some(place)), ..Task::default() }))
    }

    /// The request that notes that the handler has failed with `error` when this one ran it; `None`
    /// when something around it did.
    pub(super) fn failed(&self, error: &Error) -> Option<Self> {
        let due = self.0.failed.lock().take()?;
        Some(Self::of(Purpose::Failed(due, format!("{}: {}", error.code(), error.message()))))
    }

    /// The request that notes that the handler for `due`, which had left its turn, has ended well.
    pub(super) fn done(due: Due) -> Self {
        Self::of(Purpose::Done(due))
    }

    fn put_off(due: Due, next_ms: i64) -> Self {
        Self::of(Purpose::PutOff(due, next_ms))
    }

    fn of(purpose: Purpose) -> Self {
        Self(Arc::new(Task { purpose, ..Task::default() }))
    }

    /// The request that does this.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(self.clone());
        request
    }
}

impl AlarmReply {
    /// Takes the reply out of a response.
    ///
    /// # Errors
    ///
    /// `Internal` when there is none.
    pub(super) fn of(mut response: Response) -> Result<Self> {
        let reply = response.extensions_mut().remove();
        reply.ok_or_else(|| Error::internal("a request about an alarm came back without a reply"))
    }
}

/// Answers a request about an alarm inside its open transaction.
///
/// # Errors
///
/// The handler's error; those of the database and the store. The caller rolls everything back.
pub(crate) async fn answer_alarm(
    activation: &Arc<Activation>,
    resident: &mut Resident,
    request: &AlarmRequest,
) -> Result<Response> {
    let executor = activation.runtime.executor.as_ref();
    let task = &request.0;
    *task.failed.lock() = None;
    let now_ms = resident.context.now_ms();
    // It acts for itself, whoever has set the alarm.
    resident.context.request.caller = None;
    let database = &mut resident.context.database;
    let mut known = offload(executor, || Known::read(database))?;
    let due = known.due.clone().filter(|due| due.next_ms() <= now_ms);
    let (mut is_touched, mut rest) = (due.is_some(), Extensions::new());
    if let Purpose::Look = task.purpose {
        if let Some(due) = due {
            rest = ring(activation, resident, (request, due)).await?;
        }
    } else {
        is_touched |= offload(executor, || note(activation, &mut resident.context, task))?;
    }
    if is_touched || known.is_unsettled(now_ms) {
        settle(activation, resident).await?;
        let database = &mut resident.context.database;
        known = offload(executor, || Known::read(database))?;
    }
    let marker = known.marker.as_ref().map(|marker| marker.as_str().to_owned());
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(AlarmReply { wake_ms: known.wake_ms(), marker, ended: None });
    response.extensions_mut().extend(rest);
    Ok(response)
}

/// Notes what has become of a handler, unless its alarm was set anew or deleted meanwhile. Whether it
/// has changed anything.
fn note(activation: &Activation, context: &mut Context, task: &Task) -> Result<bool> {
    let now_ms = context.now_ms();
    // Whatever has become of the alarm, the object is not held for it any more.
    let has_ended = !matches!(task.purpose, Purpose::PutOff(..));
    context.request.releases = has_ended && is_held_for_it(activation);
    let database = &mut context.database;
    let (Purpose::Failed(due, _) | Purpose::Done(due) | Purpose::PutOff(due, _)) = &task.purpose
    else {
        return Ok(false);
    };
    let Some(now) = due.as_it_is(database)? else { return Ok(false) };
    match &task.purpose {
        Purpose::Look => {}
        Purpose::Failed(_, error) => now.note_failure(database, (now_ms, error))?,
        Purpose::Done(_) => now.take(database, now_ms)?,
        Purpose::PutOff(_, next_ms) => now.put_off(database, *next_ms)?,
    }
    Ok(true)
}

/// Runs the handler of what is due. Its row goes in the same transaction, or is set to its next time,
/// so the record that has the handler's changes says that it is done. If the handler has left its
/// turn, the row stays, and what is returned goes on when the record is in the bucket.
async fn ring(
    activation: &Arc<Activation>,
    resident: &mut Resident,
    (request, due): (&AlarmRequest, Due),
) -> Result<Extensions> {
    let (runtime, task) = (activation.runtime.as_ref(), &request.0);
    // Nobody else runs the handler meanwhile: what it does outside can't be rolled back.
    activation.hold_for_handler(resident.context.foreign_claim.as_ref()).await?;
    resident.context.request.releases = is_held_for_it(activation);
    resident.context.request.is_of_alarm = matches!(due, Due::Alarm(_));
    let now_ms = resident.context.now_ms();
    let late = millis::between(due.next_ms(), now_ms);
    metrics::histogram!("dotdo_alarm_lateness_seconds").record(late.as_secs_f64());
    let again = due.clone();
    let run = async {
        // The alarm is still set while the class starts, so that a start does not set another.
        run_start(runtime, resident).await?;
        if !planted(Bug::AlarmTakenTwice) {
            let database = &mut resident.context.database;
            offload(runtime.executor.as_ref(), || due.take(database, now_ms))?;
        }
        due.run(runtime, resident).await
    };
    let outcome = run.await;
    let rest = resident.context.request.rest_of_alarm.take().filter(|_| outcome.is_ok());
    let Some(rest) = rest else {
        *task.failed.lock() = outcome.is_err().then_some(again);
        count(outcome.is_ok());
        return outcome.map(|()| Extensions::new());
    };
    resident.context.request.releases = false;
    let until_ms = now_ms.saturating_add(millis::signed(ALARM_UNDER_WAY_MIN));
    let database = &mut resident.context.database;
    let due = offload(runtime.executor.as_ref(), || again.note_under_way(database, until_ms))?;
    *task.failed.lock() = Some(due.clone());
    let (activation, request) = (activation.clone(), request.clone());
    let mut extensions = Extensions::new();
    extensions.insert(Continuation::of(rest.within(|work| go_on(activation, request, due, work))));
    Ok(extensions)
}

/// The rest of a handler that has left its turn. While it is under way, the time at which its alarm
/// runs again is put off, each time by twice as much.
fn go_on(activation: Arc<Activation>, request: AlarmRequest, due: Due, work: Rest) -> Rest {
    Box::pin(async move {
        // Others may look at their objects meanwhile.
        drop(request.0.place.lock().take());
        watch(&activation, &due, work).await?;
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(AlarmReply { ended: Some(due), ..AlarmReply::default() });
        Ok(response)
    })
}

async fn watch(activation: &Arc<Activation>, due: &Due, mut work: Rest) -> Result<Response> {
    let clock = activation.runtime.clock.clone();
    let mut length = ALARM_UNDER_WAY_MIN;
    let outcome = loop {
        let pause = clock.sleep(length / 2);
        match select(work, pause).await {
            Either::Left((outcome, _)) => break outcome,
            Either::Right(((), rest)) => work = rest,
        }
        length *= 2;
        let until_ms = clock.wall_ms().saturating_add(millis::signed(length));
        let put_off = AlarmRequest::put_off(due.clone(), until_ms).request();
        if let Err(error) = activation.visit(put_off).await {
            tracing::warn!(object = %activation.log.object, code = error.code(), %error, "cannot note that the handler of an alarm is under way");
        }
    };
    count(outcome.is_ok());
    outcome
}

fn count(is_done: bool) {
    let outcome = if is_done { "done" } else { "failed" };
    metrics::counter!("dotdo_alarms_total", "outcome" => outcome).increment(1);
}

/// Whether the object is held for the alarm alone, and released with its record.
fn is_held_for_it(activation: &Activation) -> bool {
    activation.runtime.settings.ownership == Ownership::PerRequest
}
