//! A process's own requests to an object about its alarm. They take their turn like other requests,
//! and their replies pass the gate like responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::activation::{Activation, Resident, run_alarm, run_start};
use crate::alarms::row::{Alarm, clear_alarm, note_failure};
use crate::alarms::settle::{Known, settle};
use crate::error::{Error, Result};
use crate::executor::offload;
use crate::millis;
use crate::object::{Body, Request, Response};
use crate::planted::{Bug, planted};
use crate::settings::Ownership;

/// A request that runs an object's alarm if it is due, or notes that it has failed. It is in a
/// request's extensions and never leaves this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlarmRequest(Arc<Task>);

#[derive(Debug, Default)]
struct Task {
    /// The error of the handler, which must be noted.
    failure: Option<String>,
    /// Whether the handler has failed, and not something around it.
    has_failed: AtomicBool,
}

/// The reply to an [`AlarmRequest`]; in its response's extensions.
#[derive(Debug, Clone, Default)]
pub(super) struct AlarmReply {
    /// When somebody must look at the object again.
    pub(super) wake_ms: Option<i64>,
    /// The name of its marker.
    pub(super) marker: Option<String>,
}

impl AlarmRequest {
    /// Runs the alarm, if it is due.
    pub(super) fn look() -> Self {
        Self::default()
    }

    /// Notes that the alarm that is due has failed.
    pub(super) fn failed(error: &Error) -> Self {
        let failure = Some(format!("{}: {}", error.code(), error.message()));
        Self(Arc::new(Task { failure, ..Task::default() }))
    }

    /// The request that does this.
    pub(super) fn request(&self) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(self.clone());
        request
    }

    /// Whether the object's handler has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.0.has_failed.load(Ordering::Relaxed)
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
    AlarmRequest(task): &AlarmRequest,
) -> Result<Response> {
    let executor = activation.runtime.executor.as_ref();
    task.has_failed.store(false, Ordering::Relaxed);
    let now_ms = resident.context.now_ms();
    // It acts for itself, whoever has set the alarm.
    resident.context.request.caller = None;
    let database = &mut resident.context.database;
    let mut known = offload(executor, || Known::read(database))?;
    let due = known.alarm.filter(|alarm| alarm.next_ms <= now_ms);
    match (due, &task.failure) {
        (Some(alarm), Some(failure)) => {
            resident.context.request.releases = is_held_for_it(activation);
            let database = &mut resident.context.database;
            offload(executor, || note_failure(database, alarm, (now_ms, failure)))?;
        }
        (Some(alarm), None) => ring(activation, resident, (task, alarm)).await?,
        (None, _) => {}
    }
    if due.is_some() || known.is_unsettled(now_ms) {
        settle(activation, resident).await?;
        let database = &mut resident.context.database;
        known = offload(executor, || Known::read(database))?;
    }
    let marker = known.marker.as_ref().map(|marker| marker.as_str().to_owned());
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(AlarmReply { wake_ms: known.wake_ms(), marker });
    Ok(response)
}

/// Runs the handler of an alarm that is due. Its row goes in the same transaction, so the record
/// that has the handler's changes says that it is done.
async fn ring(
    activation: &Arc<Activation>,
    resident: &mut Resident,
    (task, alarm): (&Task, Alarm),
) -> Result<()> {
    let runtime = activation.runtime.as_ref();
    // Nobody else runs the handler meanwhile: what it does outside can't be rolled back.
    activation.hold_for_handler(resident.context.foreign_claim.as_ref()).await?;
    resident.context.request.releases = is_held_for_it(activation);
    let late = millis::between(alarm.next_ms, resident.context.now_ms());
    metrics::histogram!("dotdo_alarm_lateness_seconds").record(late.as_secs_f64());
    let run = async {
        // The alarm is still set while the class starts, so that a start does not set another.
        run_start(runtime, resident).await?;
        if !planted(Bug::AlarmTakenTwice) {
            let database = &mut resident.context.database;
            offload(runtime.executor.as_ref(), || clear_alarm(database))?;
        }
        run_alarm(runtime, resident, alarm.info()).await
    };
    let outcome = run.await;
    task.has_failed.store(outcome.is_err(), Ordering::Relaxed);
    metrics::counter!("dotdo_alarms_total", "outcome" => if outcome.is_ok() { "done" } else { "failed" })
        .increment(1);
    outcome
}

/// Whether the object is held for the alarm alone, and released with its record.
fn is_held_for_it(activation: &Activation) -> bool {
    activation.runtime.settings.ownership == Ownership::PerRequest
}
