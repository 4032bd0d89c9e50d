//! A process's own requests to an object about its alarm. They take their turn like other requests,
//! and their replies pass the gate like responses.

use std::sync::Arc;

use crate::activation::{Activation, Resident, run_start};
use crate::alarms::due::Due;
use crate::alarms::settle::{Known, settle};
use crate::error::{Error, Result};
use crate::executor::offload;
use crate::millis;
use crate::object::{Body, Request, Response};
use crate::planted::{Bug, planted};
use crate::settings::Ownership;
use crate::sync::Mutex;

/// A request that runs an object's alarm or schedule if it is due, or notes that it has failed. It is in a
/// request's extensions and never leaves this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlarmRequest(Arc<Task>);

#[derive(Debug, Default)]
struct Task {
    /// For what the handler has failed, and its error, which must be noted.
    failure: Option<(Due, String)>,
    /// For what the handler has failed, and not something around it.
    failed: Mutex<Option<Due>>,
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

    /// The request that notes that the handler has failed with `error` when this one ran it; `None`
    /// when something around it did.
    pub(super) fn failed(&self, error: &Error) -> Option<Self> {
        let due = self.0.failed.lock().take()?;
        let failure = Some((due, format!("{}: {}", error.code(), error.message())));
        Some(Self(Arc::new(Task { failure, ..Task::default() })))
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
    AlarmRequest(task): &AlarmRequest,
) -> Result<Response> {
    let executor = activation.runtime.executor.as_ref();
    *task.failed.lock() = None;
    let now_ms = resident.context.now_ms();
    // It acts for itself, whoever has set the alarm.
    resident.context.request.caller = None;
    let database = &mut resident.context.database;
    let mut known = offload(executor, || Known::read(database))?;
    let due = known.due.clone().filter(|due| due.next_ms() <= now_ms);
    let is_due = due.is_some();
    match (due, &task.failure) {
        (Some(due), Some((failed, error))) if due.is_same(failed) => {
            resident.context.request.releases = is_held_for_it(activation);
            let database = &mut resident.context.database;
            offload(executor, || due.note_failure(database, (now_ms, error)))?;
        }
        (Some(due), None) => ring(activation, resident, (task, due)).await?,
        // What has failed was set anew or deleted meanwhile.
        (_, Some(_)) | (None, None) => {}
    }
    if is_due || known.is_unsettled(now_ms) {
        settle(activation, resident).await?;
        let database = &mut resident.context.database;
        known = offload(executor, || Known::read(database))?;
    }
    let marker = known.marker.as_ref().map(|marker| marker.as_str().to_owned());
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(AlarmReply { wake_ms: known.wake_ms(), marker });
    Ok(response)
}

/// Runs the handler of what is due. Its row goes in the same transaction, or is set to its next time,
/// so the record that has the handler's changes says that it is done.
async fn ring(
    activation: &Arc<Activation>,
    resident: &mut Resident,
    (task, due): (&Task, Due),
) -> Result<()> {
    let runtime = activation.runtime.as_ref();
    // Nobody else runs the handler meanwhile: what it does outside can't be rolled back.
    activation.hold_for_handler(resident.context.foreign_claim.as_ref()).await?;
    resident.context.request.releases = is_held_for_it(activation);
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
    *task.failed.lock() = outcome.is_err().then_some(again);
    metrics::counter!("dotdo_alarms_total", "outcome" => if outcome.is_ok() { "done" } else { "failed" })
        .increment(1);
    outcome
}

/// Whether the object is held for the alarm alone, and released with its record.
fn is_held_for_it(activation: &Activation) -> bool {
    activation.runtime.settings.ownership == Ownership::PerRequest
}
