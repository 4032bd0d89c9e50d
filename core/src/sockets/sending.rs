//! Frames to connections that something else holds: after the record, in order, each until it is sent
//! or its connection is given up.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::activation::Runtime;
use crate::clock::Instant;
use crate::id::ObjectId;
use crate::millis;
use crate::object::{Caller, Host};
use crate::sockets::event::{Place, SocketEvent};
use crate::sockets::line::SocketFrame;
use crate::sockets::message::{SocketClose, interrupted};
use crate::sockets::transport::TransportError;

/// How long a frame is tried again whose connection is not reached.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The pause before the first time; it doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How old a connection may be that is not there yet: its object has accepted it, and the answer to
/// its handshake is on its way. Between two machines' clocks.
const OPENING_MAX: Duration = Duration::from_secs(15);

/// Sends a frame of `object` to a connection. `false`: this process can't.
pub(super) fn push(
    runtime: &Arc<Runtime>,
    object: &ObjectId,
    place: &Place,
    frame: &SocketFrame,
) -> bool {
    // The object gives it: what holds the connection can't.
    if matches!(frame, SocketFrame::AutoResponse(_)) {
        return true;
    }
    match runtime.held.push(object, place.socket, frame) {
        Ok(true) => start(runtime, object, place),
        Ok(false) => {}
        Err(error) => {
            tracing::warn!(%object, %error, "cannot send a frame to a connection; it counts as lost");
            return false;
        }
    }
    true
}

/// The handshake of a connection was answered: what waits for it is sent.
pub(crate) fn opened(runtime: &Arc<Runtime>, object: &ObjectId, place: &Place) {
    if runtime.held.opened(place.socket) {
        start(runtime, object, place);
    }
}

fn start(runtime: &Arc<Runtime>, object: &ObjectId, place: &Place) {
    let (runtime, object, place) = (runtime.clone(), object.clone(), place.clone());
    let tasks = runtime.background.clone();
    tasks.spawn(async move { empty(&runtime, &object, &place).await });
}

/// Sends what waits for a connection, until nothing does.
async fn empty(runtime: &Arc<Runtime>, object: &ObjectId, place: &Place) {
    let (Ok(transport), Some(address)) = (runtime.held.transport(), place.held_at()) else {
        return;
    };
    while let Some(frame) = runtime.held.next(place.socket) {
        let is_end = matches!(frame, SocketFrame::Close(_) | SocketFrame::Break(_));
        let error = match deliver(runtime, place, frame).await {
            Ok(()) if !is_end => continue,
            outcome => outcome,
        };
        // What waits behind it is for nobody.
        runtime.held.drop_queue(place.socket);
        let Err(error) = error else { return };
        tracing::debug!(%object, socket = %place.socket, ?error, "a connection is given up");
        let (close, error) = match error {
            TransportError::Gone => (None, "the connection is gone".to_owned()),
            TransportError::Refused(close) => {
                let reason = close.reason.clone();
                (Some(close), reason)
            }
            // Its client would wait for what was not sent.
            TransportError::Failed(reason) => (Some(interrupted()), reason),
        };
        if let Some(close) = &close {
            let _ = transport.send(address, SocketFrame::Break(close.clone())).await;
        }
        let close = close.unwrap_or_else(|| SocketClose::new(1006, ""));
        end(runtime, object, SocketEvent::ended(place.socket, &close, Some(error))).await;
        return;
    }
}

/// Sends a frame, again while it may help.
async fn deliver(
    runtime: &Runtime,
    place: &Place,
    frame: SocketFrame,
) -> Result<(), TransportError> {
    let (transport, address) = match (runtime.held.transport(), place.held_at()) {
        (Ok(transport), Some(address)) => (transport, address),
        _ => return Err(TransportError::Gone),
    };
    let clock = runtime.clock.as_ref();
    let (begun, mut pause) = (Instant::now(clock), RETRY_PAUSE);
    let is_opening = millis::between(place.accepted_ms, clock.wall_ms()) < OPENING_MAX;
    loop {
        let sent = {
            let _place = runtime.held.place().await;
            transport.send(address, frame.clone()).await
        };
        let Err(error) = sent else { return Ok(()) };
        let may_help = match &error {
            TransportError::Gone => is_opening,
            TransportError::Failed(_) => true,
            TransportError::Refused(_) => false,
        };
        if !may_help || begun.elapsed_at_least(clock) >= RETRY_MAX {
            return Err(error);
        }
        clock.sleep(pause).await;
        pause *= 2;
    }
}

/// Tells an object how one of its connections has ended, and forgets what is noted about it.
pub(super) async fn end(runtime: &Runtime, object: &ObjectId, event: SocketEvent) {
    metrics::counter!("dotdo_sockets_lost_total").increment(1);
    let (socket, Some(host)) = (event.socket, runtime.host.upgrade()) else { return };
    if tell_end(host.as_ref(), object, event).await {
        forget(runtime, socket).await;
    }
}

/// Tells an object of an end that nobody has asked for. Whether it knows now.
pub(crate) async fn tell_end(host: &dyn Host, object: &ObjectId, event: SocketEvent) -> bool {
    let itself = || Caller::of_object(object);
    let outcome = host.event(object, event.request(Default::default(), itself())).await;
    let Err(error) = outcome else { return true };
    tracing::debug!(%object, %error, "cannot tell an object that a connection is gone");
    let quietly = event.quietly().request(Default::default(), itself());
    // Whoever opens the object next finds out again.
    host.event(object, quietly).await.is_ok()
}

/// Forgets what is noted about a connection. What stays is forgotten when it is too old.
pub(crate) async fn forget(runtime: &Runtime, socket: Uuid) {
    let forgotten = match runtime.tenants.connections() {
        Ok(connections) => connections.delete(socket).await,
        Err(error) => Err(error),
    };
    if let Err(error) = forgotten {
        tracing::debug!(%socket, %error, "cannot delete the note about a connection");
    }
}
