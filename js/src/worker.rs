//! The worker in front: each request runs until nothing is left to do, then its calls to objects are
//! made, and their answers are events of its own.
//!
//! Promises: no storage here, and no turn of an object; what an object has answered is in the bucket.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dotdo::engine::{Clock, Handshake, SocketConnection};
use dotdo::service::{Gateway, GatewayObjects};
use dotdo::{Error, ErrorKind, Request, Response, Result};
use futures_util::future::Fuse;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::event::{Answer, Call, Effect, Event, Failed, Fault, Head, What};
use crate::limits::{CALLS_AT_ONCE, REST_TIME_MAX};
use crate::realms::{Ended, Realms};
use crate::wire::{self, Outgoing, UNCAUGHT};

/// The worker of a bundle.
pub(crate) struct Front {
    pub(crate) realms: Arc<Realms>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Gateway for Front {
    async fn fetch(&self, request: Request, objects: GatewayObjects) -> Result<Response> {
        let (mut parts, body) = request.into_parts();
        wire::strip(&mut parts.headers);
        let head = wire::head_of(&parts, None);
        let body = body.bytes().await?.to_vec();
        let is_handshake = parts.extensions.get::<Handshake>().is_some();
        let visit = Visit::new(self, objects, is_handshake);
        Box::pin(visit.answer(head, (!body.is_empty()).then_some(body))).await
    }
}

type Answering = Pin<Box<dyn Future<Output = Called> + Send>>;

/// The answer of a call, the body of its response, and the error behind it.
#[derive(Default)]
struct Called {
    answer: Answer,
    body: Option<Vec<u8>>,
    error: Option<Error>,
    /// The response that accepts the WebSocket of the worker's client.
    accepted: Option<Response>,
}

/// A request to the worker.
struct Visit {
    realms: Arc<Realms>,
    clock: Arc<dyn Clock>,
    objects: GatewayObjects,
    place: usize,
    /// The realm in which it began.
    generation: Option<u64>,
    event: u64,
    calls: FuturesUnordered<Answering>,
    places: Arc<Semaphore>,
    /// Its end, when another request brings it about.
    ended: Fuse<oneshot::Receiver<Ended>>,
    /// The errors of its calls, by which exceptions that pass on one are known.
    errors: Vec<Error>,
    /// Whether its client asks for a WebSocket.
    is_handshake: bool,
    /// The responses of objects that have accepted it; one of them may be the worker's.
    accepted: Vec<Option<Response>>,
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.realms.place(self.place).wait_no_more(self.event);
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
            objects,
            place,
            generation: None,
            event,
            calls: FuturesUnordered::new(),
            places: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
            ended,
            errors: Vec::new(),
            is_handshake,
            accepted: Vec::new(),
        }
    }

    async fn answer(mut self, request: Head, body: Option<Vec<u8>>) -> Result<Response> {
        let mut ended = self.enter(What::Front { request }, body).await?;
        while ended.is_none() {
            ended = self.go_on().await?;
        }
        let (outcome, body) = ended.ok_or_else(|| Error::internal("a request has an end"))?;
        let answer = match outcome.error {
            None => match outcome.socket.and_then(|number| self.take_accepted(number)) {
                Some(upgraded) => wire::accepted(&outcome, upgraded),
                None => wire::response_of(&outcome, body),
            },
            Some(failed) => Err(self.uncaught(failed)),
        };
        if !self.calls.is_empty() {
            // What the worker has begun goes on after its response, for a time.
            tokio::spawn(timeout(REST_TIME_MAX, self.finish()));
        }
        answer
    }

    async fn finish(mut self) {
        while !self.calls.is_empty() {
            if let Err(error) = self.go_on().await {
                tracing::error!(target: "dotdo::javascript", code = error.code(), "work after a response failed: {}", error.message());
                return;
            }
        }
    }

    /// Waits for what comes next.
    async fn go_on(&mut self) -> Result<Option<Ended>> {
        if self.calls.is_empty() {
            return self.wait_for_others().await.map(Some);
        }
        tokio::select! {
            Some(Called { mut answer, body, error, accepted }) = self.calls.next() => {
                self.know(&mut answer, error);
                if accepted.is_some() {
                    self.accepted.push(accepted);
                    answer.socket = Some(self.accepted.len() as u64);
                }
                self.enter(What::Answer(answer), body).await
            }
            Ok(ended) = &mut self.ended => Ok(Some(ended)),
        }
    }

    /// Waits for another request to do what this one waits for.
    async fn wait_for_others(&mut self) -> Result<Ended> {
        let has_hope = self.realms.place(self.place).calls.load(Ordering::Relaxed) > 0;
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
        let (ended, calls) = place.sort(self.event, effects);
        for call in calls {
            if let Effect::Call(call) = call {
                self.begin(call);
            }
        }
        Ok(ended)
    }

    fn begin(&mut self, call: Call) {
        let (objects, places) = (self.objects.clone(), self.places.clone());
        let is_handshake = self.is_handshake;
        let under_way = UnderWay::new(self.realms.clone(), self.place);
        self.calls.push(Box::pin(async move {
            let _under_way = under_way;
            // It is never closed.
            let _place = places.acquire_owned().await;
            let id = call.id;
            let mut called = match made(&objects, call, is_handshake).await {
                Ok(called) => called,
                Err(error) => Called {
                    answer: Answer { error: Some(failed(&error)), ..Answer::default() },
                    error: Some(error),
                    ..Called::default()
                },
            };
            called.answer.call = id;
            called
        }));
    }

    /// The response of an object by which a WebSocket goes to the client.
    fn take_accepted(&mut self, number: u64) -> Option<Response> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.accepted.get_mut(at)?.take()
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

/// Counts a call while it is under way.
struct UnderWay(Arc<Realms>, usize);

impl UnderWay {
    fn new(realms: Arc<Realms>, place: usize) -> Self {
        realms.place(place).calls.fetch_add(1, Ordering::Relaxed);
        Self(realms, place)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.place(self.1).calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes a call and reads its answer. `is_handshake`: the client of the worker asks for a WebSocket,
/// and a call that does so, too, is for that.
async fn made(objects: &GatewayObjects, call: Call, is_handshake: bool) -> Result<Called> {
    let Call { about, body, .. } = call;
    let is_method = about.rpc.is_some();
    let (head, body) = if is_method {
        let url = "http://object/".to_owned();
        (Head { url, method: "POST".to_owned(), headers: Vec::new() }, about.values.into_bytes())
    } else {
        let head = Head { url: about.url, method: about.method, headers: about.headers };
        (head, body.unwrap_or_default())
    };
    let outgoing =
        Outgoing { head: &head, name: about.name.as_deref(), method: about.rpc.as_deref() };
    let mut request = outgoing.request(body)?;
    if is_handshake && !is_method && wire::asks_for_socket(request.headers()) {
        request.extensions_mut().insert(Handshake);
    }
    let response = objects.fetch(&about.class, &about.object, request).await?;
    if response.extensions().get::<SocketConnection>().is_some() {
        let headers = texts(response.headers());
        let answer = Answer { status: response.status().as_u16(), headers, ..Answer::default() };
        return Ok(Called { answer, accepted: Some(response), ..Called::default() });
    }
    let (mut parts, body) = response.into_parts();
    let bytes = body.bytes().await?.to_vec();
    let mut answer = Answer { status: parts.status.as_u16(), ..Answer::default() };
    if wire::is_exception(&parts.headers) {
        answer.error = Some(serde_json::from_slice(&bytes).unwrap_or_default());
        return Ok(Called { answer, ..Called::default() });
    }
    if is_method {
        let text = String::from_utf8(bytes);
        answer.text = Some(text.map_err(|_| Error::internal("a method answers with JSON"))?);
        return Ok(Called { answer, ..Called::default() });
    }
    wire::strip(&mut parts.headers);
    answer.headers = texts(&parts.headers);
    Ok(Called { answer, body: Some(bytes), ..Called::default() })
}

fn texts(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// An error of ours as the worker sees it.
fn failed(error: &Error) -> Failed {
    let retryable =
        matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unavailable | ErrorKind::Fenced);
    Failed {
        name: "Error".to_owned(),
        message: error.message().to_owned(),
        code: Some(error.code().to_owned()),
        retryable,
        ..Failed::default()
    }
}
