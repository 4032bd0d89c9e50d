//! The worker in front: each request runs until nothing is left to do, then its calls to objects are
//! made, and their answers are events of its own.
//!
//! Promises: no storage here, and no turn of an object; what an object has answered is in the bucket.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dotdo::engine::{Clock, Handshake};
use dotdo::service::{Gateway, GatewayObjects};
use dotdo::{Body, Error, ErrorKind, Request, Response, Result};
use futures_util::future::Fuse;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use crate::bodies::{Arrived, Bodies, Ended};
use crate::calls::{Called, Way};
use crate::event::{Answer, Effect, Event, Failed, Fault, Head, LineChange, Operation, What, Work};
use crate::limits::{CALLS_AT_ONCE, REST_TIME_MAX};
use crate::lines::{Far, Lines, relay};
use crate::realms::Realms;
use crate::wire::{self, UNCAUGHT};

/// The worker of a bundle.
pub(crate) struct Front {
    pub(crate) realms: Arc<Realms>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Cron expressions, each of which is the id of the object that has it.
    pub(crate) crons: Vec<String>,
}

impl Gateway for Front {
    /// Arms the crons: an object of one looks whether it has a next time.
    async fn begin(&self, objects: GatewayObjects) -> Result<()> {
        for cron in &self.crons {
            let request = http::Request::post("http://object/arm").body(Body::empty())?;
            objects.fetch("dotdo_cron", cron, request).await?.into_body().bytes().await?;
        }
        Ok(())
    }

    async fn fetch(&self, request: Request, objects: GatewayObjects) -> Result<Response> {
        let (mut parts, body) = request.into_parts();
        if let Some(assets) = self.realms.assets() {
            let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
            if let Some(response) = assets.in_front(method, uri, headers).await? {
                return Ok(response);
            }
        }
        wire::strip(&mut parts.headers);
        let head = wire::head_of(&parts, None);
        let body = body.bytes().await?.to_vec();
        let is_handshake = parts.extensions.get::<Handshake>().is_some();
        let visit = Visit::new(self, objects, is_handshake);
        Box::pin(visit.answer(head, (!body.is_empty()).then_some(body))).await
    }
}

type UnderWay = Pin<Box<dyn Future<Output = Option<Came>> + Send>>;

/// The end of an operation.
enum Came {
    Called(Box<Called>),
    Rang(u64),
    /// What was passed on between the client and another server has ended.
    Relayed,
}

/// A request to the worker.
struct Visit {
    realms: Arc<Realms>,
    clock: Arc<dyn Clock>,
    way: Arc<Way>,
    objects: GatewayObjects,
    /// Whether its client asks for a WebSocket.
    is_handshake: bool,
    place: usize,
    /// The realm in which it began.
    generation: Option<u64>,
    event: u64,
    operations: FuturesUnordered<UnderWay>,
    /// Dropping an operation's sender ends it.
    begun: HashMap<u64, oneshot::Sender<()>>,
    /// Places for calls; further ones wait.
    places: Arc<Semaphore>,
    /// Its end, when another request brings it about.
    ended: Fuse<oneshot::Receiver<Ended>>,
    /// The errors of its calls, by which exceptions that pass on one are known.
    errors: Vec<Error>,
    bodies: Arc<Bodies>,
    lines: Arc<Lines>,
    /// Whether something is passed on between the client and another server.
    is_relaying: bool,
}

impl Drop for Visit {
    fn drop(&mut self) {
        let place = self.realms.place(self.place);
        place.wait_no_more(self.event);
        place.forget(self.event);
    }
}

impl Visit {
    fn new(front: &Front, objects: GatewayObjects, is_handshake: bool) -> Self {
        let (realms, clock) = (front.realms.clone(), front.clock.clone());
        let (place, event) = (realms.next(), realms.number());
        let ended = realms.place(place).wait_for(event).fuse();
        Self {
            realms,
            clock,
            way: Arc::new(Way::Worker(objects.clone())),
            objects,
            is_handshake,
            place,
            generation: None,
            event,
            operations: FuturesUnordered::new(),
            begun: HashMap::new(),
            places: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
            ended,
            errors: Vec::new(),
            bodies: Arc::default(),
            lines: Arc::default(),
            is_relaying: false,
        }
    }

    async fn answer(mut self, request: Head, body: Option<Vec<u8>>) -> Result<Response> {
        let mut ended = self.enter(What::Front { request }, body).await?;
        while ended.is_none() {
            ended = self.go_on().await?;
        }
        let (outcome, body) = ended.ok_or_else(|| Error::internal("a request has an end"))?;
        let answer = match outcome.error {
            None => match outcome.socket {
                Some(number) => self
                    .accepted(number, outcome.is_own)
                    .inspect_err(|_| self.lines.change(number, LineChange::Dropped))
                    .and_then(|upgraded| wire::accepted(&outcome, upgraded)),
                None => wire::response_of(&outcome, body),
            },
            Some(failed) => Err(self.uncaught(failed)),
        };
        if !self.operations.is_empty() {
            tokio::spawn(self.finish());
        }
        answer
    }

    /// What the worker has begun goes on after its response: as long as that streams or a WebSocket is
    /// open, and for a time.
    async fn finish(mut self) {
        let mut until = None;
        while !self.operations.is_empty() {
            let is_over =
                self.bodies.outlets.is_empty() && self.lines.is_empty() && !self.is_relaying;
            let next = if is_over {
                let until = *until.get_or_insert_with(|| Instant::now() + REST_TIME_MAX);
                let Ok(next) = timeout_at(until, self.go_on()).await else { return };
                next
            } else {
                self.go_on().await
            };
            if let Err(error) = next {
                tracing::error!(target: "dotdo::javascript", code = error.code(), "work after a response failed: {}", error.message());
                return;
            }
        }
    }

    /// Waits for what comes next.
    async fn go_on(&mut self) -> Result<Option<Ended>> {
        if self.operations.is_empty() {
            return self.wait_for_others().await.map(Some);
        }
        tokio::select! {
            Some(came) = self.operations.next() => match came {
                Some(came) => self.take(came).await,
                None => Ok(None),
            },
            Ok(ended) = &mut self.ended => Ok(Some(ended)),
        }
    }

    /// Runs the event with the end of an operation.
    async fn take(&mut self, came: Came) -> Result<Option<Ended>> {
        let called = match came {
            Came::Called(called) => called,
            Came::Rang(operation) => {
                return self.enter(What::Timer { instance: None, operation }, None).await;
            }
            Came::Relayed => {
                self.is_relaying = false;
                return Ok(None);
            }
        };
        let mut called = *called;
        called.keep(&self.lines);
        let Called { mut answer, body, error, .. } = called;
        self.know(&mut answer, error);
        let body = self.bodies.arrive(&mut answer, body);
        self.enter(What::Answer { instance: None, answer }, body).await
    }

    /// Waits for another request to do what this one waits for.
    async fn wait_for_others(&mut self) -> Result<Ended> {
        let has_hope = self.realms.place(self.place).operations.load(Ordering::Relaxed) > 0;
        let ended =
            if has_hope { timeout(REST_TIME_MAX, &mut self.ended).await.ok() } else { None };
        ended.and_then(std::result::Result::ok).ok_or_else(|| {
            let text = "the worker awaits something that never happens; nothing that it has begun is under way";
            Error::handler(text).with_code("AWAITS_NOTHING")
        })
    }

    /// Runs an event in the realm, and begins the calls that it makes.
    async fn enter(&mut self, what: What, body: Option<Vec<u8>>) -> Result<Option<Ended>> {
        let realms = self.realms.clone();
        let place = realms.place(self.place);
        let mut locked = place.realm.lock().await;
        let has_ended =
            locked.as_ref().is_none_or(|realm| Some(realm.generation) != self.generation);
        if self.generation.is_some() && has_ended {
            let text = "the realm of this request has ended, because another one used up its time or memory";
            return Err(Error::new(ErrorKind::Unknown, text).with_code("REALM_ENDED"));
        }
        let realm = realms.in_place(&mut locked)?;
        self.generation = Some(realm.generation);
        let event = Event { what, event: self.event, gone: place.take_gone() };
        let effects = realm.run_in_front(&event, body, self.clock.wall_ms()).await;
        let effects = effects.map_err(|fault: Fault| {
            *locked = None;
            realms.error_of(&fault)
        })?;
        drop(locked);
        Ok(self.sort(effects))
    }

    /// Begins what was begun, and returns the end of this request if it has come.
    fn sort(&mut self, effects: Vec<Effect>) -> Option<Ended> {
        let mut ended = None;
        for effect in effects {
            match effect {
                Effect::Settled { event, outcome, body } => {
                    let settled = self.bodies.ended(outcome, body);
                    if event == self.event {
                        ended = Some(settled);
                    } else {
                        self.realms.place(self.place).settle(event, settled);
                    }
                }
                Effect::Begun(operation) => self.begin(operation),
                Effect::Cancelled(id) => _ = self.begun.remove(&id),
                Effect::Body(change) => self.bodies.change(change),
                Effect::Line(number, change) => self.lines.change(number, change),
                // There is no object here.
                Effect::Reset { .. } => {}
            }
        }
        ended
    }

    fn begin(&mut self, Operation { id, work }: Operation) {
        let (way, places, clock) = (self.way.clone(), self.places.clone(), self.clock.clone());
        let (bodies, lines) = (self.bodies.clone(), self.lines.clone());
        let (realms, counted) =
            (self.realms.clone(), Counted::new(self.realms.clone(), self.place));
        let (begun, cancelled) = oneshot::channel();
        self.begun.insert(id, begun);
        self.operations.push(Box::pin(async move {
            let _counted = counted;
            let work = async {
                match work {
                    Work::Call(call) => {
                        // It is never closed.
                        let _place = places.acquire_owned().await;
                        Came::Called(Box::new(way.call(id, call).await))
                    }
                    Work::Fetch(fetch) => {
                        let _place = places.acquire_owned().await;
                        Came::Called(Box::new(realms.fetcher().fetch(id, fetch).await))
                    }
                    Work::Line(number) => {
                        let (answer, bytes) = lines.next(id, number).await;
                        let body = bytes.map(Arrived::Whole);
                        Came::Called(Box::new(Called { answer, body, ..Called::default() }))
                    }
                    Work::Asset(head) => {
                        let (answer, body) = realms.asset(id, head).await;
                        Came::Called(Box::new(Called { answer, body, ..Called::default() }))
                    }
                    Work::Body(waits) => {
                        let (answer, piece) = bodies.wait(id, waits).await;
                        let body = piece.map(Arrived::Whole);
                        Came::Called(Box::new(Called { answer, body, ..Called::default() }))
                    }
                    Work::Timer(duration) => {
                        clock.sleep(duration).await;
                        Came::Rang(id)
                    }
                }
            };
            tokio::select! {
                biased;
                _ = cancelled => None,
                came = work => Some(came),
            }
        }));
    }

    /// The response by which the client gets the WebSocket with this number: an object's, that of another
    /// server, or one of which the worker has the other end itself.
    fn accepted(&mut self, number: u64, is_own: bool) -> Result<Response> {
        if !self.is_handshake {
            let text = "the worker returns a WebSocket for a request that does not ask for one: expected the header Upgrade: websocket, and a server that can keep connections";
            return Err(Error::handler(text).with_code("NOT_A_WEBSOCKET"));
        }
        let far = match self.lines.take(number) {
            Some(Far::Object(upgraded)) => return Ok(upgraded),
            Some(far) => Some(far),
            None if is_own => None,
            None => {
                let text = "the worker returns a WebSocket that it has already used or returned";
                return Err(Error::handler(text).with_code(UNCAUGHT));
            }
        };
        let (response, socket) = self.objects.accept()?;
        match far {
            None => self.lines.attach(number, Far::Client(socket)),
            Some(far) => {
                self.is_relaying = true;
                let relaying = relay([far, Far::Client(socket)]).map(|()| Some(Came::Relayed));
                self.operations.push(Box::pin(relaying));
            }
        }
        Ok(response)
    }

    /// Notes the error behind an answer, so that it can be given to the client as it is.
    fn know(&mut self, answer: &mut Answer, error: Option<Error>) {
        if let (Some(failed), Some(error)) = (&mut answer.error, error) {
            failed.known = Some(self.errors.len() as u64);
            self.errors.push(error);
        }
    }

    /// The error of an exception that the worker has not caught.
    fn uncaught(&self, failed: Failed) -> Error {
        let Failed { name, message, stack, known, .. } = failed;
        tracing::error!(target: "dotdo::javascript", object = "worker", "uncaught {name}: {message}\n{stack}");
        let known = known.and_then(|number| self.errors.get(usize::try_from(number).ok()?));
        known.cloned().unwrap_or_else(|| {
            Error::handler(format!("{name}: {message}")).with_code(UNCAUGHT).confidential(
                "the worker threw an exception; the server's log has it under this request's id",
            )
        })
    }
}

/// Counts an operation while it is under way.
struct Counted(Arc<Realms>, usize);

impl Counted {
    fn new(realms: Arc<Realms>, place: usize) -> Self {
        realms.place(place).operations.fetch_add(1, Ordering::Relaxed);
        Self(realms, place)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.place(self.1).operations.fetch_sub(1, Ordering::Relaxed);
    }
}
