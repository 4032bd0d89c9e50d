//! Executes once what may be sent again: requests with an idempotency key, requests that servers
//! repeat, and messages from other objects.
//!
//! All state for that is in the object's database, written in the handler's own transaction. The
//! process remembers nothing, so any server may run a handler again on a newer state.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use crate::activation::{
    Activation, Resident, Runtime, collect_body, run_handler, run_within_time,
};
use crate::administration::Statements;
use crate::alarms::{AlarmRequest, answer_alarm, settle};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::{offload, offload_bytes};
use crate::id::ObjectId;
use crate::idempotency::answers::{
    Answer, Entry, IDEMPOTENCY_REPLAYED_HEADER, Kept, Keyed, keep_answer, recall_answer,
};
use crate::limits::{ATTEMPT_KEPT, ATTEMPT_RESPONSE_BYTES_MAX, STORED_RESPONSE_BYTES_MAX};
use crate::messages::{Delivery, OutboxRequest, take_message, taken_before};
use crate::millis;
use crate::object::{Caller, Context, Continuation, Request, Response};
use crate::planted::{Bug, planted};
use crate::rollup::is_rollup;
use crate::sockets::SocketEvent;
use crate::sqlite::Database;

/// Prepares a request for its turn: reads its body to its end, so that no sender holds a turn, and
/// finds its key. If the class reads bodies while they arrive, the body is read only if the request
/// has a key.
///
/// # Errors
///
/// `Invalid` when its key is invalid; the error of reading its body.
pub(crate) async fn prepare(
    runtime: &Runtime,
    object: &ObjectId,
    request: Request,
) -> Result<Request> {
    let (mut head, body) = request.into_parts();
    // A message has a number of its own; a key in its headers is for the handler only.
    let key =
        if head.extensions.get::<Delivery>().is_some() { None } else { Keyed::key_of(&head)? };
    if key.is_none() && runtime.app.streams_requests(object.class()) {
        return Ok(Request::from_parts(head, body));
    }
    let body = body.bytes().await?;
    if let Some(key) = key {
        let keyed =
            offload_bytes(runtime.executor.as_ref(), body.len(), || Keyed::new(&key, &head, &body));
        head.extensions.insert(keyed);
    }
    Ok(Request::from_parts(head, body.into()))
}

/// Answers a request inside its open transaction: runs the handler, or returns the response that an
/// earlier run has stored.
///
/// # Errors
///
/// The handler's error, `KeyReused`, and errors of the database. The caller rolls everything back.
pub(crate) async fn answer_once(
    activation: &Arc<Activation>,
    resident: &mut Resident,
    mut request: Request,
) -> Result<Response> {
    let runtime = activation.runtime.as_ref();
    // They are for this object only: a handler that passes its request on must not pass them on.
    let extensions = request.extensions_mut();
    if let Some(statements) = extensions.remove::<Statements>() {
        return run_within_time(runtime, resident, |resident| {
            statements.run(&mut resident.context.database)
        });
    }
    if let Some(about_alarm) = extensions.remove::<AlarmRequest>() {
        let mut response = Box::pin(answer_alarm(activation, resident, &about_alarm)).await?;
        if resident.context.request.sent {
            activation.mark(&mut response);
        }
        return Ok(response);
    }
    let (outbox_request, delivery, keyed) = (
        extensions.remove::<OutboxRequest>(),
        extensions.remove::<Delivery>(),
        extensions.remove::<Keyed>(),
    );
    let mut response = match (outbox_request, delivery, keyed) {
        (Some(outbox_request), ..) => offload(runtime.executor.as_ref(), || {
            let tenant = activation.log.object.tenant();
            outbox_request.run(&mut resident.context.database, tenant)
        })?,
        (None, Some(delivery), _) => Box::pin(take(runtime, resident, request, delivery)).await?,
        (None, None, Some(keyed)) if keyed.is_attempt() => {
            Box::pin(attempt(runtime, resident, request, &keyed)).await?
        }
        (None, None, Some(keyed)) => Box::pin(recall(runtime, resident, request, &keyed)).await?,
        (None, None, None) => run_handler(runtime, resident, request).await?,
    };
    if resident.context.request.touched_alarm {
        Box::pin(settle(activation, resident)).await?;
    }
    if resident.context.request.sent {
        activation.mark(&mut response);
    }
    Ok(response)
}

/// Runs the handler on a message, unless the object has executed it before.
async fn take(
    runtime: &Runtime,
    resident: &mut Resident,
    request: Request,
    delivery: Delivery,
) -> Result<Response> {
    // A roll-up knows by the records of its objects what it has.
    let is_once = is_rollup(resident.context.id().class());
    if !is_once
        && !offload(runtime.executor.as_ref(), || {
            take_message(&mut resident.context.database, &delivery)
        })?
        && !planted(Bug::MessageTakenTwice)
    {
        return Ok(taken_before());
    }
    resident.context.request.caller = Some(Caller::of_object(&delivery.sender));
    resident.context.request.sender = Some(delivery.sender);
    run_handler(runtime, resident, request).await
}

/// Runs the handler on a request with a key and stores its response, unless one is stored. The
/// response to a safe method is stored only if the request changed something.
async fn recall(
    runtime: &Runtime,
    resident: &mut Resident,
    request: Request,
    keyed: &Keyed,
) -> Result<Response> {
    let now_ms = resident.context.now_ms();
    let since_ms = now_ms.saturating_sub(millis::signed(runtime.settings.idempotency_keep));
    if let Some(stored) = offload(runtime.executor.as_ref(), || {
        recall_answer(&mut resident.context.database, keyed, since_ms)
    })? {
        metrics::counter!("dotdo_requests_replayed_total").increment(1);
        return Ok(stored);
    }
    let is_safe = request.method().is_safe();
    let mut response = run_handler(runtime, resident, request).await?;
    if Continuation::is_in(response.extensions()) {
        response.extensions_mut().insert(keyed.clone());
        let entry = Entry { keyed, kept: Kept::Begun, time_ms: now_ms };
        offload(runtime.executor.as_ref(), || {
            keep_answer(&mut resident.context.database, entry, since_ms)
        })?;
        return Ok(response);
    }
    if is_safe && !has_left(runtime, resident)? {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    let body =
        collect_body(runtime, body, STORED_RESPONSE_BYTES_MAX).await?.ok_or_else(too_large)?;
    let answer = Answer { head, body };
    if planted(Bug::KeyForgotten) {
        return Ok(Response::from_parts(answer.head, answer.body.into()));
    }
    offload(runtime.executor.as_ref(), || {
        let entry = Entry { keyed, kept: Kept::Answer(&answer), time_ms: now_ms };
        keep_answer(&mut resident.context.database, entry, since_ms)
    })?;
    Ok(Response::from_parts(answer.head, answer.body.into()))
}

/// Runs the handler on a request that a server may repeat. If it changed something, that is stored,
/// with the response if that is small. If it changed nothing, it may run again.
async fn attempt(
    runtime: &Runtime,
    resident: &mut Resident,
    request: Request,
    keyed: &Keyed,
) -> Result<Response> {
    let now_ms = resident.context.now_ms();
    let is_event = request.extensions().get::<SocketEvent>().is_some();
    let since_ms = now_ms.saturating_sub(millis::signed(runtime.settings.idempotency_keep));
    if let Some(mut stored) = offload(runtime.executor.as_ref(), || {
        recall_answer(&mut resident.context.database, keyed, since_ms)
    })? {
        metrics::counter!("dotdo_requests_replayed_total").increment(1);
        // The client has sent its request only once; the connection of an event must know, because
        // frames for it may be lost.
        if !is_event {
            stored.headers_mut().remove(IDEMPOTENCY_REPLAYED_HEADER);
        }
        return Ok(stored);
    }
    let (head, body) = run_handler(runtime, resident, request).await?.into_parts();
    let is_begun = Continuation::is_in(&head.extensions);
    if !(is_begun || has_left(runtime, resident)?) || planted(Bug::AttemptForgotten) {
        return Ok(Response::from_parts(head, body));
    }
    let answer = body
        .peek()
        .filter(|body| body.len() <= ATTEMPT_RESPONSE_BYTES_MAX)
        .map(|body| Answer { head: head.clone(), body: body.clone() });
    let kept = match &answer {
        _ if is_begun => Kept::Begun,
        Some(answer) => Kept::Answer(answer),
        None => Kept::Executed,
    };
    // It is dated so that it expires when no server can repeat the request any more.
    let dated_ms = since_ms.saturating_add(millis::signed(attempt_kept(runtime)));
    offload(runtime.executor.as_ref(), || {
        let entry = Entry { keyed, kept, time_ms: dated_ms };
        keep_answer(&mut resident.context.database, entry, since_ms)
    })?;
    Ok(Response::from_parts(head, body))
}

/// Stores the response of a request whose handler had left its turn, in the transaction of
/// `context`.
///
/// # Errors
///
/// Those of [`keep_answer`].
pub(crate) fn keep_final_answer(
    context: &mut Context,
    keyed: &Keyed,
    (head, body): (http::response::Parts, Bytes),
    keep: Duration,
) -> Result<()> {
    let now_ms = context.now_ms();
    let answer = Answer { head, body };
    let entry = Entry { keyed, kept: Kept::Answer(&answer), time_ms: now_ms };
    keep_answer(&mut context.database, entry, now_ms.saturating_sub(millis::signed(keep)))
}

/// Whether a handler that has ended has effects: changes, or calls of other objects.
fn has_left(runtime: &Runtime, resident: &mut Resident) -> Result<bool> {
    let called = resident.context.request.called.load(Ordering::Relaxed);
    Ok(called
        || offload(runtime.executor.as_ref(), || has_changed(&mut resident.context.database))?)
}

/// Whether the open transaction must be recorded.
fn has_changed(database: &mut Database) -> Result<bool> {
    Ok(!database.has_only_started()? && !database.prepare_commit()?.is_empty())
}

/// How long a server may repeat a request: the waits for a turn and a handler, at one owner and at
/// the next.
fn attempt_kept(runtime: &Runtime) -> Duration {
    ATTEMPT_KEPT + 2 * (runtime.settings.turn_wait_max + runtime.settings.handler_time_max)
}

pub(crate) fn too_large() -> Error {
    let text = format!(
        "expected a response of at most {STORED_RESPONSE_BYTES_MAX} bytes for a request with an Idempotency-Key, got a larger one; the request was rolled back"
    );
    Error::new(ErrorKind::Handler, text).with_code("IDEMPOTENCY_RESPONSE_TOO_LARGE")
}
