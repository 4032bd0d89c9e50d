//! An object whose class is in JavaScript. What runs from one event until nothing is left to do is a
//! slice: one turn and one transaction. An event that awaits something outside leaves its turn, and
//! goes on in further slices, with which the answers come (docs/design/0035).

use std::sync::Arc;

use dotdo::sockets::{SocketClose, SocketMessage, WebSocket};
use dotdo::{
    AlarmInfo, Context, DurableObject, Error, ErrorKind, ObjectId, Request, RequestExt, Response,
    Result, Turns,
};

use crate::event::{AlarmAbout, Effect, Event, Failed, Fault, Operation, Outcome, What};
use crate::host::sockets::about;
use crate::realm::{Realm, Whose};
use crate::realms::{Ended, Realms, lock_at_once};
use crate::under_way::{Answered, UnderWay, Waiting};
use crate::wire::{self, Incoming, UNCAUGHT};

/// The value of such an object in memory. What it is in JavaScript, its realm has.
pub(crate) struct JsObject {
    realms: Arc<Realms>,
    class: Arc<str>,
    instance: Option<Instance>,
}

/// An instance of the class in a realm. Dropping it ends what it has under way.
struct Instance {
    realms: Arc<Realms>,
    place: usize,
    generation: u64,
    number: u64,
    under_way: Arc<UnderWay>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.under_way.end(None);
        self.realms.place(self.place).forget(self.number);
    }
}

/// What comes with an event.
#[derive(Default)]
struct Given {
    /// What the object's id was made of.
    named: Option<String>,
    body: Option<Vec<u8>>,
    /// The WebSocket that a request asks for.
    asked: Option<WebSocket>,
}

/// What has come of an event in its first slice.
enum Turned {
    Ended(Ended),
    /// It awaits what others do.
    Waits(Waiting),
}

/// What a slice has done besides changes.
struct Ran {
    turned: Turned,
    begun: Vec<Operation>,
}

/// Why a slice did not end well.
enum Stopped {
    /// It has ended its realm.
    Realm(Fault),
    /// It ends the value of its object.
    Object(Error),
}

impl JsObject {
    pub(crate) fn new(realms: Arc<Realms>, class: Arc<str>) -> Self {
        Self { realms, class, instance: None }
    }

    /// Runs the first slice of an event on the instance, which is made first if there is none. What it
    /// begins, [`JsObject::begin`] is for.
    ///
    /// # Errors
    ///
    /// Those of [`Realms::error_of`]; that of the constructor; that of staying in memory, if the
    /// event goes on.
    async fn on(
        &mut self,
        ctx: &mut Context,
        mut given: Given,
        what: impl FnOnce(u64) -> What,
    ) -> Result<Ran> {
        let realms = self.realms.clone();
        let number = realms.place_of(ctx.id());
        let mut locked = realms.place(number).realm.lock().await;
        let realm = realms.in_place(&mut locked)?;
        let is_there = self.instance.as_ref().is_some_and(|instance| {
            instance.generation == realm.generation && !instance.under_way.has_failed()
        });
        let made =
            if is_there { Ok(Vec::new()) } else { self.make(realm, ctx, given.named.take()) };
        let ran = made.and_then(|before| {
            let what = what(self.made().number);
            let mut ran = self.run(realm, ctx, what, given)?;
            ran.begun.splice(0..0, before);
            Ok(ran)
        });
        let ran = match ran {
            Ok(ran) => ran,
            Err(Stopped::Realm(fault)) => {
                *locked = None;
                return Err(realms.error_of(&fault));
            }
            Err(Stopped::Object(error)) => return Err(error),
        };
        drop(locked);
        let under_way = self.made().under_way.clone();
        if !ran.begun.is_empty() || matches!(ran.turned, Turned::Waits(_)) {
            under_way.stay(ctx).await?;
        }
        Ok(ran)
    }

    /// The instance of an event that runs.
    fn made(&self) -> &Instance {
        self.instance.as_ref().expect("an event runs on an instance")
    }

    /// Makes the instance: runs its constructor, and what that blocks other events for. If this awaits
    /// something outside, the events of the instance wait for it in JavaScript.
    fn make(
        &mut self,
        realm: &Realm,
        ctx: &mut Context,
        named: Option<String>,
    ) -> std::result::Result<Vec<Operation>, Stopped> {
        let (number, place) = (self.realms.number(), self.realms.place_of(ctx.id()));
        let under_way = Arc::new(UnderWay::new(self.realms.clone(), place, number));
        let (realms, generation) = (self.realms.clone(), realm.generation);
        self.instance = Some(Instance { realms, place, generation, number, under_way });
        ctx.linger();
        let class = self.class.to_string();
        let object = ctx.id().id().to_owned();
        let what = What::Make { class, instance: number, object, named };
        let Ran { turned, begun } = self.run(realm, ctx, what, Given::default())?;
        match turned {
            Turned::Ended((outcome, _)) => match outcome.error {
                Some(failed) => Err(Stopped::Object(reset(ctx.id(), &failed))),
                None => Ok(begun),
            },
            Turned::Waits(_) => Ok(begun),
        }
    }

    /// Runs an event on the instance until nothing is runnable.
    fn run(
        &self,
        realm: &Realm,
        ctx: &mut Context,
        what: What,
        Given { body, asked, .. }: Given,
    ) -> std::result::Result<Ran, Stopped> {
        let instance = self.made();
        let (place, under_way) = (self.realms.place(instance.place), &instance.under_way);
        let event = self.realms.number();
        let about = Event { what, event, gone: place.take_gone() };
        let whose = Whose { instance: instance.number, asked, ctx: &mut *ctx };
        let effects = realm.run_on(&about, body, whose).map_err(Stopped::Realm)?;
        under_way.moved();
        let is_reset = |effect: &Effect| matches!(effect, Effect::Reset { instance: ended, .. } if *ended == instance.number);
        let ends = effects.iter().any(is_reset);
        let (mut own, mut begun, mut failure) = (None, Vec::new(), None);
        for effect in effects {
            match effect {
                Effect::Settled { event: settled, outcome, body } if settled == event => {
                    own = Some((outcome, body));
                }
                // It is of no change of this slice, which is rolled back.
                Effect::Settled { event: settled, outcome, body } if ends => {
                    place.settle(settled, (outcome, body));
                }
                Effect::Settled { event: settled, outcome, body } => {
                    under_way.forget(settled);
                    let (realms, place) = (self.realms.clone(), instance.place);
                    // Its response depends on what this slice has changed.
                    ctx.after_commit(move || realms.place(place).settle(settled, (outcome, body)));
                }
                Effect::Begun(operation) => begun.push(operation),
                Effect::Cancelled(operation) => {
                    begun.retain(|begun: &Operation| begun.id != operation);
                    under_way.cancel(operation);
                }
                Effect::Reset { failed, .. } if ends => failure = Some(reset(ctx.id(), &failed)),
                Effect::Reset { .. } => {}
            }
        }
        if let Some(error) = failure {
            under_way.end(Some(error.clone()));
            return Err(Stopped::Object(error));
        }
        let turned = own.map_or_else(|| Turned::Waits(under_way.wait_for(event)), Turned::Ended);
        Ok(Ran { turned, begun })
    }

    /// Begins what a slice has begun when its changes are in the bucket, and lets go of the object if
    /// there is nothing more to come.
    fn begin(&self, ctx: &mut Context, begun: Vec<Operation>, object: &Turns<Self>) -> Result<()> {
        let under_way = &self.made().under_way;
        under_way.begin(ctx, begun, object);
        under_way.end_stay_if_idle(ctx)
    }

    /// Runs the slice with the answer of an operation. `object` is the handle of the event that has
    /// begun it.
    ///
    /// # Errors
    ///
    /// Those of [`Realms::error_of`]; why the value of the object has ended.
    pub(crate) fn resume(
        &mut self,
        ctx: &mut Context,
        answered: Answered,
        object: &Turns<Self>,
    ) -> Result<()> {
        let Answered { instance: number, operation, what, body } = answered;
        // Otherwise who waits for it was told when its value ended.
        let Some(instance) = self.instance.as_ref().filter(|instance| instance.number == number)
        else {
            return Ok(());
        };
        instance.under_way.cancel(operation);
        let realms = self.realms.clone();
        let mut locked = lock_at_once(&realms.place(instance.place).realm);
        let realm = locked.as_ref().filter(|realm| realm.generation == instance.generation);
        let Some(realm) = realm else {
            self.instance.as_ref().inspect(|it| it.under_way.end(Some(realm_ended())));
            return Ok(());
        };
        let ran = match self.run(realm, ctx, what, Given { body, ..Given::default() }) {
            Ok(ran) => ran,
            Err(Stopped::Object(error)) => return Err(error),
            Err(Stopped::Realm(fault)) => {
                *locked = None;
                let error = realms.error_of(&fault);
                self.made().under_way.end(Some(error.clone()));
                return Err(error);
            }
        };
        drop(locked);
        self.begin(ctx, ran.begun, object)
    }

    /// Runs an event that nobody waits for beyond its first slice.
    async fn hear(
        &mut self,
        ctx: &mut Context,
        given: Given,
        what: impl FnOnce(u64) -> What,
    ) -> Result<()> {
        let Ran { turned, begun } = self.on(ctx, given, what).await?;
        let object = ctx.turns();
        self.begin(ctx, begun, &object)?;
        match turned {
            Turned::Ended((outcome, _)) => outcome.error.iter().for_each(|failed| log(ctx.id(), failed)),
            Turned::Waits(waiting) => ctx.wait_until(async move {
                match waiting.end(&object).await {
                    Ok((outcome, _)) => outcome.error.iter().for_each(|failed| log(object.id(), failed)),
                    Err(error) => {
                        tracing::error!(target: "dotdo::javascript", object = %object.id(), code = error.code(), "{}", error.message());
                    }
                }
            }),
        }
        Ok(())
    }
}

/// The error of an event whose realm was ended by another one.
fn realm_ended() -> Error {
    let text =
        "the realm of this object has ended, because another event used up its time or memory";
    Error::new(ErrorKind::Unknown, text).with_code("REALM_ENDED")
}

/// The error of an object whose value has ended; what its slice has changed is rolled back.
fn reset(object: &ObjectId, failed: &Failed) -> Error {
    log(object, failed);
    Error::handler(format!("{}: {}", failed.name, failed.message))
        .with_code("OBJECT_RESET")
        .confidential("the object was reset by its class; the server's log has the reason")
}

fn log(object: &ObjectId, failed: &Failed) {
    let Failed { name, message, stack, .. } = failed;
    tracing::error!(target: "dotdo::javascript", object = %object, "uncaught {name}: {message}\n{stack}");
}

/// The response of a method, or of a request that has asked for a WebSocket or not.
fn response_to(
    object: &ObjectId,
    (outcome, body): Ended,
    asked: Option<WebSocket>,
) -> Result<Response> {
    match &outcome.error {
        None if !outcome.text.is_empty() => Ok(Response::new(outcome.text.into())),
        None => match asked.filter(|_| outcome.socket.is_some()) {
            Some(socket) => wire::accepted(&outcome, socket.upgraded()),
            None => wire::response_of(&outcome, body),
        },
        Some(failed) => {
            log(object, failed);
            Ok(wire::exception(failed))
        }
    }
}

impl DurableObject for JsObject {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let asked = request.websocket().ok();
        let (parts, body) = request.into_parts();
        let Incoming { name, method, head } = Incoming::of(parts);
        let bytes = body.bytes().await?.to_vec();
        let class = self.class.to_string();
        let Ran { turned, begun } = match method {
            Some(method) => {
                let values = String::from_utf8(bytes)
                    .map_err(|_| Error::invalid("expected the arguments of a call as JSON"))?;
                let given = Given { named: name, ..Given::default() };
                self.on(ctx, given, |instance| What::Rpc { instance, method, values }).await?
            }
            None => {
                let body = (!bytes.is_empty()).then_some(bytes);
                let fetch = |instance| What::Fetch { class, instance, request: head };
                self.on(ctx, Given { named: name, body, asked: asked.clone() }, fetch).await?
            }
        };
        match turned {
            Turned::Ended(ended) => {
                let object = ctx.turns();
                self.begin(ctx, begun, &object)?;
                response_to(ctx.id(), ended, asked)
            }
            Turned::Waits(waiting) => {
                let mut handle = None;
                let response = ctx.leave_turn(|object: Turns<Self>| {
                    handle = Some(object.clone());
                    async move { response_to(object.id(), waiting.end(&object).await?, asked) }
                })?;
                let object = handle.unwrap_or_else(|| ctx.turns());
                self.begin(ctx, begun, &object)?;
                Ok(response)
            }
        }
    }

    async fn alarm(&mut self, info: AlarmInfo, ctx: &mut Context) -> Result<()> {
        let info = AlarmAbout {
            retry_count: u64::from(info.retry_count),
            is_retry: info.retry_count > 0,
            scheduled_time: info.scheduled_ms,
        };
        let Ran { turned, begun } =
            self.on(ctx, Given::default(), |instance| What::Alarm { instance, info }).await?;
        let outcome_of = |object: &ObjectId, outcome: Outcome| match outcome.error {
            None => Ok(()),
            Some(failed) => {
                log(object, &failed);
                let error = Error::handler(format!("{}: {}", failed.name, failed.message));
                Err(error.with_code(UNCAUGHT))
            }
        };
        match turned {
            Turned::Ended((outcome, _)) => {
                outcome_of(ctx.id(), outcome)?;
                let object = ctx.turns();
                self.begin(ctx, begun, &object)
            }
            Turned::Waits(waiting) => {
                let mut handle = None;
                ctx.leave_alarm(|object: Turns<Self>| {
                    handle = Some(object.clone());
                    async move { outcome_of(object.id(), waiting.end(&object).await?.0) }
                })?;
                let object = handle.unwrap_or_else(|| ctx.turns());
                self.begin(ctx, begun, &object)
            }
        }
    }

    /// After an exception the socket stays open, as on Cloudflare, and so does what was written.
    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        let from = about(&socket)?;
        let (text, body) = match message {
            SocketMessage::Text(text) => (Some(text), None),
            SocketMessage::Binary(bytes) => (None, Some(bytes.to_vec())),
        };
        let given = Given { body, ..Given::default() };
        self.hear(ctx, given, |instance| What::Message { instance, socket: from, text }).await
    }

    async fn websocket_close(
        &mut self,
        socket: WebSocket,
        close: SocketClose,
        ctx: &mut Context,
    ) -> Result<()> {
        let SocketClose { code, reason } = close;
        let socket = about(&socket)?;
        let closed = |instance| What::Closed { instance, socket, code, reason };
        self.hear(ctx, Given::default(), closed).await
    }
}
