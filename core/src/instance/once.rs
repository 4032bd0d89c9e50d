//! What happens once although it is asked for again: requests with an idempotency key, and messages from other objects.
//!
//! Everything that makes it so is in the object's database and in the handler's own transaction. Nothing is remembered here, so a handler may
//! be run again on a newer state, by any server.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::instance::Deps;
use crate::instance::handler::{self, offload};
use crate::instance::outbox::{Errand, mark};
use crate::instance::slot::Warm;
use crate::limits::STORED_RESPONSE_BYTES_MAX;
use crate::object::{self, Answer, Delivery, Keyed, Request, Response};
use crate::planted::{Bug, planted};

/// Makes a request ready for its turn: one with an idempotency key is read to its end, so that its turn knows what it asks for.
///
/// # Errors
///
/// `Invalid` when its key is none; what reading its body fails with.
pub(crate) async fn prepare(request: Request) -> Result<Request> {
    let (mut head, body) = request.into_parts();
    // A message has its number; the key that it may carry is the handler's own affair.
    let key = if head.extensions.get::<Delivery>().is_some() { None } else { Keyed::key_of(&head)? };
    let Some(key) = key else { return Ok(Request::from_parts(head, body)) };
    let body = body.bytes().await?;
    let keyed = Keyed::new(key, &head, &body);
    head.extensions.insert(keyed);
    Ok(Request::from_parts(head, body.into()))
}

/// Answers a request inside its open transaction: by running the handler, or with what an earlier run has left in the database.
///
/// # Errors
///
/// What the handler fails with, `KeyReused`, and what the database fails with. The caller undoes everything.
pub(crate) async fn answer(deps: &Arc<Deps>, warm: &mut Warm, mut request: Request) -> Result<Response> {
    // They are this object's: a handler that passes its request on must not pass them on.
    let extensions = request.extensions_mut();
    let (errand, delivery, keyed) = (extensions.remove::<Errand>(), extensions.remove::<Delivery>(), extensions.remove::<Keyed>());
    let mut response = match (errand, delivery, keyed) {
        (Some(errand), ..) => offload(deps.executor.as_ref(), || errand.run(&mut warm.context.database))?,
        (None, Some(delivery), _) => take(deps, warm, request, delivery).await?,
        (None, None, Some(keyed)) => recall(deps, warm, request, &keyed).await?,
        (None, None, None) => handler::run(deps, warm, request).await?,
    };
    if warm.context.request.sent {
        mark(deps, warm.context.id(), &mut response);
    }
    Ok(response)
}

/// Runs the handler on a message, unless it has taken it before.
async fn take(deps: &Deps, warm: &mut Warm, request: Request, delivery: Delivery) -> Result<Response> {
    if !offload(deps.executor.as_ref(), || object::take(&mut warm.context.database, &delivery))? && !planted(Bug::MessageTakenTwice) {
        return Ok(object::taken_before());
    }
    warm.context.request.sender = Some(delivery.sender);
    handler::run(deps, warm, request).await
}

/// Runs the handler on a request with a key and stores its answer, unless there is one.
async fn recall(deps: &Deps, warm: &mut Warm, request: Request, keyed: &Keyed) -> Result<Response> {
    let now_ms = warm.context.now_ms();
    let kept_ms = i64::try_from(deps.settings.idempotency_keep.as_millis()).unwrap_or(i64::MAX);
    let since_ms = now_ms.saturating_sub(kept_ms);
    if let Some(stored) = offload(deps.executor.as_ref(), || object::recall(&mut warm.context.database, keyed, since_ms))? {
        metrics::counter!("dotdo_requests_replayed_total").increment(1);
        return Ok(stored);
    }
    let (head, body) = handler::run(deps, warm, request).await?.into_parts();
    let body = handler::collect(deps, body, STORED_RESPONSE_BYTES_MAX).await?.ok_or_else(too_large)?;
    let answer = Answer { head, body };
    if planted(Bug::KeyForgotten) {
        return Ok(Response::from_parts(answer.head, answer.body.into()));
    }
    offload(deps.executor.as_ref(), || object::keep(&mut warm.context.database, keyed, &answer, (now_ms, since_ms)))?;
    Ok(Response::from_parts(answer.head, answer.body.into()))
}

fn too_large() -> Error {
    let text = format!(
        "the response is larger than the {STORED_RESPONSE_BYTES_MAX} bytes that can be stored for an Idempotency-Key; nothing of the request remains"
    );
    Error::new(ErrorKind::Handler, text).with_code("IDEMPOTENCY_RESPONSE_TOO_LARGE")
}
