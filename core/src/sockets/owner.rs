//! Frames from an object to its connections, wherever those are: after the record, in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::activation::{Runtime, spawn_detached};
use crate::clock::Instant;
use crate::cluster::{Forward, Forwarded, Owner, RequestContext};
use crate::id::ObjectId;
use crate::object::{Body, Request};
use crate::sockets::event::{Addressed, Part, Place, SocketPart};
use crate::sockets::line::SocketFrame;
use crate::sockets::message::{SocketClose, interrupted};
use crate::sockets::sending::push;
use crate::sockets::wire::{Batch, ToSockets};

/// How many servers are told at the same time that a stream is complete.
const GOODBYES_AT_ONCE: usize = 16;

/// How long a server that could not be reached is told of the connections that were given up for
/// that. Longer than networks are usually parted; one that can't be reached for so long has probably ended.
const GIVEN_UP_TIME_MAX: Duration = Duration::from_secs(10 * 60);

/// The pause before the first time; it doubles.
const GIVEN_UP_PAUSE: Duration = Duration::from_millis(500);

/// The maximum of that pause.
const GIVEN_UP_PAUSE_MAX: Duration = Duration::from_secs(20);

/// The answer of a server to a batch.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// The connections that it does not have.
    pub(crate) missing: Vec<Uuid>,
}

/// Sends `frames` of `object` to its connections. Those that are gone are forgotten, and the object
/// is told.
pub(crate) fn send(runtime: &Arc<Runtime>, object: &ObjectId, frames: Vec<Addressed>) {
    let mut missing = Vec::new();
    for Addressed { to, frame } in frames {
        let mut elsewhere: BTreeMap<Uuid, (Option<Owner>, Vec<Uuid>)> = BTreeMap::new();
        for place in to {
            let is_here = place.instance == runtime.instance;
            if frame.is_some() {
                count(&place, is_here);
            }
            if place.held_at().is_some() {
                // What holds it does not say whether it is there before it gets a frame.
                let is_lost =
                    frame.as_ref().is_some_and(|frame| !push(runtime, object, &place, frame));
                missing.extend(is_lost.then_some(place.socket));
            } else if is_here {
                let is_there = match &frame {
                    Some(frame) => runtime.sockets.push(object, place.socket, frame),
                    None => runtime.sockets.has(object, place.socket),
                };
                missing.extend((!is_there).then_some(place.socket));
            } else {
                let server = place.server();
                elsewhere
                    .entry(place.instance)
                    .or_insert((server, Vec::new()))
                    .1
                    .push(place.socket);
            }
        }
        for (server, sockets) in elsewhere.into_values() {
            match server.filter(|_| runtime.peers.is_some()) {
                Some(server) => {
                    leave(runtime, object, server, ToSockets { sockets, frame: frame.clone() })
                }
                None => missing.extend(sockets),
            }
        }
    }
    forget(runtime, object, missing);
}

/// Asks the servers of connections whether they are still there, and forgets those that are not.
pub(crate) fn check(runtime: &Arc<Runtime>, object: &ObjectId, to: Vec<Place>) {
    send(runtime, object, vec![Addressed { to, frame: None }]);
}

/// Closes the connections of an object that was deleted.
pub(crate) fn close_all(runtime: &Arc<Runtime>, object: &ObjectId, to: Vec<Place>) {
    if to.is_empty() {
        return;
    }
    let close = SocketClose::new(1001, "the object was deleted");
    send(runtime, object, vec![Addressed { to, frame: Some(SocketFrame::Close(close)) }]);
}

fn count(place: &Place, is_here: bool) {
    let way = match place.held_at() {
        Some(_) => "held",
        None if is_here => "here",
        None => "elsewhere",
    };
    metrics::counter!("dotdo_socket_frames_total", "way" => way).increment(1);
}

fn forget(runtime: &Runtime, object: &ObjectId, sockets: Vec<Uuid>) {
    if let (false, Some(host)) = (sockets.is_empty(), runtime.host.upgrade()) {
        host.forget_sockets(object, sockets);
    }
}

/// Puts a frame into the stream to another server.
fn leave(runtime: &Arc<Runtime>, object: &ObjectId, server: Owner, frame: ToSockets) {
    let stream = (object.clone(), server.instance);
    if runtime.sockets.streams.push((object, &server), frame, || runtime.uuid()) {
        let runtime = runtime.clone();
        runtime.background.clone().spawn(async move { empty(&runtime, &stream, &server).await });
    }
}

/// Sends what waits in a stream until nothing does.
async fn empty(runtime: &Arc<Runtime>, stream: &(ObjectId, Uuid), server: &Owner) {
    let object = &stream.0;
    while let Some(batch) = runtime.sockets.streams.next_batch(stream) {
        let sockets = batch.frames.iter().flat_map(|frame| frame.sockets.clone()).collect();
        let part =
            Part::Frames { instance: runtime.instance, address: runtime.settings.address.clone() };
        let taken = ask::<Taken>(runtime, object, (server, part), batch.encode().into()).await;
        match taken {
            Ok(taken) => forget(runtime, object, taken.missing),
            Err(reason) => {
                tracing::warn!(%object, server = %server.instance, reason, "cannot send frames to the server of some connections; they count as lost");
                let lost = runtime.sockets.streams.give_up(stream, sockets);
                tell_given_up(runtime, object, server, lost.clone());
                forget(runtime, object, lost);
            }
        }
    }
}

/// Has the server of connections that are given up close them, as soon as it can be reached: their
/// clients would wait on them for what was not sent.
fn tell_given_up(runtime: &Arc<Runtime>, object: &ObjectId, server: &Owner, sockets: Vec<Uuid>) {
    let (runtime, object, server) = (runtime.clone(), object.clone(), server.clone());
    let frame = Some(SocketFrame::Break(interrupted()));
    let frames = vec![ToSockets { sockets, frame }];
    let batch = Batch { stream: Uuid::nil(), number: 0, frames }.encode();
    spawn_detached(async move {
        let (clock, mut pause) = (runtime.clock.clone(), GIVEN_UP_PAUSE);
        let begun = Instant::now(clock.as_ref());
        while begun.elapsed_at_least(clock.as_ref()) < GIVEN_UP_TIME_MAX
            && runtime.host.strong_count() > 0
        {
            clock.sleep(pause).await;
            let part = (&server, Part::GivenUp);
            if ask::<bool>(&runtime, &object, part, batch.clone().into()).await.is_ok() {
                return;
            }
            pause = (pause * 2).min(GIVEN_UP_PAUSE_MAX);
        }
    });
}

/// Tells the servers of connections that nothing more comes from this process, which ends.
pub(crate) async fn say_goodbye(runtime: &Runtime) {
    let streams = runtime.sockets.streams.take_complete();
    stream::iter(streams)
        .for_each_concurrent(GOODBYES_AT_ONCE, |(object, server, stream, sent)| async move {
            let part = Part::Done { stream, sent };
            // Who does not hear it closes its connections when the object has its next owner.
            let _ = ask::<bool>(runtime, &object, (&server, part), Body::empty()).await;
        })
        .await;
}

/// Asks another server about its connections, and reads its answer.
pub(crate) async fn ask<T: for<'a> Deserialize<'a>>(
    runtime: &Runtime,
    object: &ObjectId,
    (server, part): (&Owner, Part),
    body: Body,
) -> Result<T, String> {
    let peers = runtime.peers.as_ref().ok_or("this server reaches no others")?;
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    let request_context =
        RequestContext { socket: Some(SocketPart(part)), ..RequestContext::default() };
    let forward = Forward { object: object.clone(), request, request_context };
    let sent = peers.send(server, forward).await.map_err(|error| error.label().to_owned())?;
    let Forwarded::Answered(answer) = sent else {
        return Err("it is reached through the platform's proxy only".to_owned());
    };
    let response = answer.map_err(|error| error.message().to_owned())?;
    response.into_body().json().await.map_err(|error| error.message().to_owned())
}
