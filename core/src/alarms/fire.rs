//! Runs the alarms that are due, of objects that this process times.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;

use crate::activation::{Activations, Undone, restart_on_panic};
use crate::alarms::answer::{AlarmReply, AlarmRequest};
use crate::alarms::timers::Timers;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::millis;
use crate::tenants::Place;

/// The pause before an alarm is looked at again that could not be run, for a reason that is not its
/// handler's.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Begins; ends when the engine is gone. On a platform that freezes its programs, what is overdue
/// runs when the next request thaws it.
pub(crate) fn start_alarms(activations: Weak<Activations>, clock: Arc<dyn Clock>) {
    tokio::spawn(restart_on_panic("alarms", clock.clone(), move || {
        run(activations.clone(), clock.clone())
    }));
}

async fn run(activations: Weak<Activations>, clock: Arc<dyn Clock>) {
    while let Some(activations) = activations.upgrade() {
        let timers = activations.runtime.timers.shared();
        if activations.runtime.stopping.is_closed() {
            return;
        }
        for object in timers.due(clock.wall_ms()) {
            start(&activations, object);
        }
        // Nothing of the engine is kept while this waits.
        drop(activations);
        match timers.pause(clock.wall_ms()) {
            Some(pause) => sleep(clock.as_ref(), pause, &timers).await,
            None => timers.earlier.notified().await,
        }
    }
}

/// Sleeps for `pause`, or until a timer is earlier.
async fn sleep(clock: &dyn Clock, pause: Duration, timers: &Timers) {
    let (timer, earlier) = (clock.sleep(pause).fuse(), timers.earlier.notified().fuse());
    futures_util::pin_mut!(timer, earlier);
    futures_util::select_biased! {
        () = earlier => {}
        () = timer => {}
    }
}

/// Looks at an object in a task of its own.
fn start(activations: &Arc<Activations>, object: ObjectId) {
    let activations = activations.clone();
    let runtime = activations.runtime.clone();
    let busy = runtime.deliveries.begin();
    runtime.relays.spawn(async move {
        let _busy = busy;
        // What went wrong is in the log, and the object is timed again.
        let _ = fire(&activations, &object).await;
    });
}

/// Runs an object's alarm if it is due, and times the object for the next.
///
/// # Errors
///
/// Why nobody could look.
pub(super) async fn fire(activations: &Activations, object: &ObjectId) -> Result<AlarmReply> {
    let runtime = activations.runtime.as_ref();
    let place = runtime.couriers.acquire(object.tenant()).await;
    let outcome = if runtime.stopping.is_closed() {
        Err(Error::new(ErrorKind::Gone, "the server is stopping"))
    } else {
        ask(activations, object, place).await
    };
    match &outcome {
        Ok(reply) => {
            if let Some(wake_ms) = reply.wake_ms {
                runtime.timers.arm(object, wake_ms);
            }
        }
        // Its owner times it; a closed tenant has no alarms; another program knows the class.
        Err(error) if is_anothers(error) => {}
        Err(error) => {
            tracing::warn!(%object, code = error.code(), %error, "cannot look at an object with an alarm; retrying");
            let again_ms = runtime.clock.wall_ms().saturating_add(millis::signed(LOOK_AGAIN));
            runtime.timers.arm(object, again_ms);
        }
    }
    outcome
}

fn is_anothers(error: &Error) -> bool {
    Undone::has_other_owner(error)
        || matches!(error.kind(), ErrorKind::Gone | ErrorKind::NotFound | ErrorKind::Invalid)
}

async fn ask(activations: &Activations, object: &ObjectId, place: Place) -> Result<AlarmReply> {
    let activation = activations.get(object)?;
    let look = AlarmRequest::look(place);
    let error = match activation.visit(look.request()).await {
        Err(error) if !Undone::has_other_owner(&error) => error,
        answer => {
            let reply = AlarmReply::of(answer?)?;
            let Some(due) = reply.ended else { return Ok(reply) };
            let done = AlarmRequest::done(due);
            return AlarmReply::of(activation.visit(done.request()).await?);
        }
    };
    let Some(note) = look.failed(&error) else { return Err(error) };
    tracing::warn!(%object, code = error.code(), %error, "an alarm has failed; retrying");
    AlarmReply::of(activation.visit(note.request()).await?)
}
