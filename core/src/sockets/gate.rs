//! What other servers send to the connections that this process has.

use uuid::Uuid;

use crate::activation::Runtime;
use crate::cluster::Owner;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::object::{Body, Request, Response, json};
use crate::sockets::event::{Part, SocketPart};
use crate::sockets::line::SocketFrame;
use crate::sockets::message::interrupted;
use crate::sockets::owner::{Taken, ask};
use crate::sockets::registry::Arriving;
use crate::sockets::wire::Batch;

/// Answers a request that is for this server and not for an object.
///
/// # Errors
///
/// `Invalid` when it can't be read.
pub(crate) async fn receive_part(
    runtime: &Runtime,
    object: &ObjectId,
    part: SocketPart,
    request: Request,
) -> Result<Response> {
    match part.0 {
        Part::Frames { instance, address } => {
            let from = Owner { instance, address: address.unwrap_or_default() };
            let batch = Batch::decode(&request.into_body().bytes().await?)?;
            json(&take(runtime, object, from, batch).await)
        }
        Part::Sent { stream, to } => {
            json(&runtime.sockets.streams.sent(&(object.clone(), to), stream))
        }
        Part::Done { stream, sent } => {
            finish(runtime, object, stream, sent);
            json(&true)
        }
        Part::GivenUp => {
            let batch = Batch::decode(&request.into_body().bytes().await?)?;
            for id in batch.frames.iter().flat_map(|to| &to.sockets) {
                runtime.sockets.push(object, *id, &SocketFrame::Break(interrupted()));
            }
            json(&true)
        }
        Part::Open(_) | Part::Event(_) => Err(Error::invalid("the request is for an object")),
    }
}

/// Gives frames to their connections, unless some before them are missing.
async fn take(runtime: &Runtime, object: &ObjectId, from: Owner, batch: Batch) -> Taken {
    let known = runtime.sockets.arriving(object);
    let same = known.as_ref().filter(|known| known.stream == batch.stream);
    let is_complete = match (&known, same) {
        // It was sent again.
        (_, Some(same)) if batch.number < same.next => return Taken::default(),
        (_, Some(same)) => batch.number == same.next,
        (None, None) => true,
        (Some(former), None) => batch.number == 0 && has_sent_all(runtime, object, former).await,
    };
    if !is_complete {
        interrupt(runtime, object, &from);
    }
    let (stream, next) = (batch.stream, batch.number + 1);
    runtime.sockets.note_arriving(object, Arriving { from, stream, next });
    let mut missing = Vec::new();
    for to in batch.frames {
        for id in to.sockets {
            let is_there = match &to.frame {
                Some(frame) => runtime.sockets.push(object, id, frame),
                None => runtime.sockets.has(object, id),
            };
            missing.extend((!is_there).then_some(id));
        }
    }
    Taken { missing }
}

/// Notes that a stream is complete, so that its server need not be asked, which is about to end.
fn finish(runtime: &Runtime, object: &ObjectId, stream: Uuid, sent: u64) {
    let known = runtime.sockets.arriving(object).filter(|known| known.stream == stream);
    match known {
        Some(known) if known.next == sent => _ = runtime.sockets.take_arriving(object),
        Some(known) => interrupt(runtime, object, &known.from),
        None => {}
    }
}

/// Closes the connections here if the server that had the object before may not have sent all that
/// it had for them. This process has the object now, and had `sockets` before.
pub(crate) async fn settle_former(runtime: &Runtime, object: &ObjectId, sockets: &[Uuid]) {
    if let Some(former) = runtime.sockets.take_arriving(object)
        && !has_sent_all(runtime, object, &former).await
    {
        note_interruption(object, &former.from);
        let close = SocketFrame::Break(interrupted());
        for id in sockets {
            runtime.sockets.push(object, *id, &close);
        }
    }
}

fn interrupt(runtime: &Runtime, object: &ObjectId, from: &Owner) {
    note_interruption(object, from);
    runtime.sockets.end_all_of(object, &interrupted());
}

fn note_interruption(object: &ObjectId, from: &Owner) {
    metrics::counter!("dotdo_sockets_interrupted_total").increment(1);
    tracing::warn!(%object, server = %from.instance, "frames of an object are missing; its connections are closed");
}

/// Whether the server that had the object before has sent all that it had for the connections here.
async fn has_sent_all(runtime: &Runtime, object: &ObjectId, former: &Arriving) -> bool {
    if former.from.instance == runtime.instance {
        return true;
    }
    let part = Part::Sent { stream: former.stream, to: runtime.instance };
    let sent: Result<Option<u64>, String> =
        ask(runtime, object, (&former.from, part), Body::empty()).await;
    sent.is_ok_and(|sent| sent == Some(former.next))
}
