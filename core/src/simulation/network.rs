//! The way from server to server: letters that can be lost, late and cut off, and whose answers
//! can.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::cluster::{
    Forward, Forwarded, NotTaken, Owner, PeerError, Peers, Received, RequestContext,
};
use crate::engine::Engine;
use crate::error::Error;
use crate::id::ObjectId;
use crate::object::{Request, Response};
use crate::simulation::clock::SimClock;
use crate::simulation::plan::{MS, SECOND};
use crate::simulation::timeline::{Delivery, Event, Process, State, Timeline};

/// A peer that does not say so soon whether it takes a request is left alone.
const ACCEPT_MAX: Duration = Duration::from_secs(1);

/// A peer that has a request and does not answer for so long is given up.
const ANSWER_MAX: Duration = Duration::from_secs(40);

/// What one server sends to another.
pub(super) struct Letter {
    from: Process,
    /// Whom it is for; another process at the same address does not take it.
    to: uuid::Uuid,
    content: Content,
    reply: oneshot::Sender<Reply>,
}

/// What it says.
enum Content {
    /// Would you take a request for this object?
    Offer(ObjectId),
    Request(ObjectId, Box<RequestContext>, Box<http::Request<Bytes>>),
}

/// What comes back.
pub(super) enum Reply {
    Accepted,
    Declined,
    /// No answer, an answer of another process, or a broken connection.
    Broken,
    Answered(Result<http::Response<Bytes>, Error>),
}

/// One process's way to the others.
pub(super) struct SimPeers {
    pub(super) timeline: Timeline,
    pub(super) process: Process,
    pub(super) clock: Arc<SimClock>,
}

/// Where others reach a machine.
pub(super) fn address(machine: usize) -> String {
    format!("sim://{machine}")
}

impl SimPeers {
    /// Sends a letter and waits for its answer, for so long.
    async fn ask(&self, owner: &Owner, content: Content, patience: Duration) -> Reply {
        let Some(machine) =
            owner.address.strip_prefix("sim://").and_then(|number| number.parse().ok())
        else {
            return Reply::Broken;
        };
        let (reply, answer) = oneshot::channel();
        let letter = Letter { from: self.process, to: owner.instance, content, reply };
        self.timeline.lock().post(machine, letter);
        let answer = async {
            match answer.await {
                Ok(reply) => reply,
                Err(_) => pending().await,
            }
        };
        let timer = self.clock.sleep(patience);
        futures_util::pin_mut!(answer);
        futures_util::select_biased! {
            reply = answer.fuse() => reply,
            () = timer.fuse() => Reply::Broken,
        }
    }
}

#[async_trait]
impl Peers for SimPeers {
    async fn send(&self, owner: &Owner, forward: Forward) -> Result<Forwarded, PeerError> {
        let Forward { object, request, mut request_context } = forward;
        request_context.visited.push(self.process.uuid().to_string());
        let (head, body) = request.into_parts();
        let not_taken = |request: Option<Request>, cause: NotTaken| PeerError::NotTaken {
            request: request.map(Box::new),
            cause,
            reason: cause.label().to_owned(),
        };
        let Ok(body) = body.bytes().await else { return Err(not_taken(None, NotTaken::Broken)) };
        let back = Request::from_parts(head.clone(), body.clone().into());
        let part = request_context.socket.as_ref();
        let offered = match part.is_some_and(|part| part.is_for_the_server()) {
            // Nobody has to own the object for it.
            true => Reply::Accepted,
            false => self.ask(owner, Content::Offer(object.clone()), ACCEPT_MAX).await,
        };
        match offered {
            Reply::Accepted => {}
            Reply::Declined => return Err(not_taken(Some(back), NotTaken::Declined)),
            _ => return Err(not_taken(Some(back), NotTaken::Unreachable)),
        }
        let mut parcel = http::Request::from_parts(head, body);
        // What is known of a request inside of a process does not travel.
        parcel.extensions_mut().clear();
        match self
            .ask(
                owner,
                Content::Request(object, Box::new(request_context), Box::new(parcel)),
                ANSWER_MAX,
            )
            .await
        {
            Reply::Answered(answer) => {
                Ok(Forwarded::Answered(answer.map(|answer| answer.map(Into::into))))
            }
            Reply::Declined => Err(not_taken(None, NotTaken::Declined)),
            _ => Err(PeerError::Unknown { reason: "no answer came".to_owned() }),
        }
    }
}

impl Letter {
    /// What a process that it reaches makes of it, and the way back.
    pub(super) async fn read(self, timeline: Timeline, process: Process, engine: Option<Engine>) {
        let Self { from, to, content, reply } = self;
        let answer = match engine.filter(|_| to == process.uuid()) {
            None => Reply::Broken,
            Some(engine) => content.answered(&engine).await,
        };
        timeline.lock().reply(process.machine, from, reply, answer);
    }

    /// There is nobody to read it.
    pub(super) fn return_to_sender(self, machine: usize, state: &mut State) {
        state.reply(machine, self.from, self.reply, Reply::Broken);
    }
}

impl Content {
    async fn answered(self, engine: &Engine) -> Reply {
        let (object, request_context, request) = match self {
            Self::Offer(object) => {
                return if engine.admits(&object).await {
                    Reply::Accepted
                } else {
                    Reply::Declined
                };
            }
            Self::Request(object, request_context, request) => (object, *request_context, request),
        };
        match engine.receive(&object, request_context, request.map(Into::into)).await {
            Received::NotOwner => Reply::Declined,
            Received::Answered(Err(error)) => Reply::Answered(Err(error)),
            Received::Answered(Ok(response)) => Reply::Answered(whole(response).await),
        }
    }
}

async fn whole(response: Response) -> Result<http::Response<Bytes>, Error> {
    let (head, body) = response.into_parts();
    let mut answer = http::Response::new(body.bytes().await?);
    (*answer.status_mut(), *answer.headers_mut()) = (head.status, head.headers);
    Ok(answer)
}

impl State {
    /// Whether nothing passes between two machines now.
    fn is_parted(&self, one: usize, other: usize) -> bool {
        let (first, second, until_us) = self.parted;
        self.now_us < until_us && [(first, second), (second, first)].contains(&(one, other))
    }

    fn loses(&mut self, from: usize, to: usize, in_thousand: u64) -> bool {
        self.is_parted(from, to)
            || self.is_cut(from)
            || self.is_cut(to)
            || self.chance.in_thousand(in_thousand)
    }

    fn post(&mut self, machine: usize, letter: Letter) {
        let (from, lost) = (letter.from, self.network.request_lost);
        let is_known = machine < self.machines.len();
        if !is_known || self.loses(from.machine, machine, lost) {
            self.note(format_args!("a letter of m{} to m{machine} is lost", from.machine));
            return self.break_off(from, letter.reply);
        }
        let process = Process { machine, life: self.machines[machine].life };
        let way_us = self.peer_way_us();
        self.schedule(way_us, Event::Deliver(process, Delivery::Letter(Box::new(letter))));
    }

    fn reply(&mut self, machine: usize, to: Process, reply: oneshot::Sender<Reply>, answer: Reply) {
        let lost = self.network.answer_lost;
        if self.loses(machine, to.machine, lost) {
            self.note(format_args!("an answer of m{machine} to m{} is lost", to.machine));
            return self.break_off(to, reply);
        }
        let way_us = self.peer_way_us();
        self.schedule(way_us, Event::Deliver(to, Delivery::Reply(reply, answer)));
    }

    /// The connection ends, as its other end notices some time.
    fn break_off(&mut self, process: Process, reply: oneshot::Sender<Reply>) {
        let after_us = self.chance.spread(10 * MS..=20 * SECOND);
        self.schedule(after_us, Event::Deliver(process, Delivery::Reply(reply, Reply::Broken)));
    }

    fn peer_way_us(&mut self) -> u64 {
        let slow = self.chance.in_thousand(self.network.late);
        let most_us = if slow { 20 * SECOND } else { 5 * MS };
        self.chance.spread(1..=most_us)
    }
}
