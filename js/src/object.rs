//! An object whose class is in JavaScript. What runs from one event until nothing is left to do is a
//! slice: one turn and one transaction. An event that awaits something outside leaves its turn, and
//! goes on in further slices, with which the answers come (docs/design/0035).

use std::sync::Arc;

use dotdo::sockets::{SocketClose, SocketMessage, WebSocket};
use dotdo::{
    AlarmInfo, Context, DurableObject, Error, ErrorKind, ObjectId, Request, RequestExt, Response,
    Result, Turns,
};

use crate::bodies::Ended;
use crate::event::{AlarmAbout, Operation, Outcome, What};
use crate::host::sockets::about;
use crate::instance::{Given, Instance, Ran, Stopped, Turned, log};
use crate::realms::{Realms, lock_at_once};
use crate::under_way::Answered;
use crate::wire::{self, Incoming, UNCAUGHT};

/// The value of such an object in memory. What it is in JavaScript, its realm has.
pub(crate) struct JsObject {
    realms: Arc<Realms>,
    class: Arc<str>,
    instance: Option<Instance>,
}

impl JsObject {
    pub(crate) fn new(realms: Arc<Realms>, class: Arc<str>) -> Self {
        Self { realms, class, instance: None }
    }

    /// Runs the first slice of an event on the instance, which is made first if there is none. `named`:
    /// what the object's id was made of. What it begins, [`JsObject::begin`] is for.
    ///
    /// # Errors
    ///
    /// Those of [`Realms::error_of`]; that of the constructor; that of staying in memory, if the
    /// event goes on.
    async fn on(
        &mut self,
        ctx: &mut Context,
        (named, given): (Option<String>, Given),
        what: impl FnOnce(u64) -> What,
    ) -> Result<Ran> {
        let realms = self.realms.clone();
        let number = realms.place_of(ctx.id());
        let mut locked = realms.place(number).realm.lock().await;
        let realm = realms.in_place(&mut locked)?;
        let is_new = !self.instance.as_ref().is_some_and(|instance| instance.is_alive(realm));
        if is_new {
            self.instance = Some(Instance::new(realms.clone(), realm, ctx));
        }
        let instance = self.made();
        let made = match is_new {
            true => instance.make(realm, ctx, (&self.class, named)),
            false => Ok(Vec::new()),
        };
        let ran = made.and_then(|before| {
            let mut ran = instance.run(realm, ctx, what(instance.number), given)?;
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
        if !instance.under_way.cancel(operation) {
            // It was cancelled while it waited for this turn.
            return Ok(());
        }
        let realms = self.realms.clone();
        let mut locked = lock_at_once(&realms.place(instance.place).realm);
        let Some(realm) = locked.as_ref().filter(|realm| instance.is_alive(realm)) else {
            instance.under_way.end(Some(realm_ended()));
            return Ok(());
        };
        let ran = match instance.run(realm, ctx, what, Given { body, asked: None }) {
            Ok(ran) => ran,
            Err(Stopped::Object(error)) => return Err(error),
            Err(Stopped::Realm(fault)) => {
                *locked = None;
                let error = realms.error_of(&fault);
                instance.under_way.end(Some(error.clone()));
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
        let Ran { turned, begun } = self.on(ctx, (None, given), what).await?;
        let object = ctx.turns();
        self.begin(ctx, begun, &object)?;
        match turned {
            Turned::Ended(ended) => ended.0.error.iter().for_each(|failed| log(ctx.id(), failed)),
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
        let Incoming { name, member, head } = Incoming::of(parts);
        let bytes = body.bytes().await?.to_vec();
        let class = self.class.to_string();
        let Ran { turned, begun } = match member {
            Some(member) => {
                let values = String::from_utf8(bytes)
                    .map_err(|_| Error::invalid("expected the arguments of a call as JSON"))?;
                let given = (name, Given::default());
                self.on(ctx, given, |instance| What::Rpc { instance, member, values }).await?
            }
            None => {
                let body = (!bytes.is_empty()).then_some(bytes);
                let fetch = |instance| What::Fetch { class, instance, request: head };
                self.on(ctx, (name, Given { body, asked: asked.clone() }), fetch).await?
            }
        };
        match turned {
            Turned::Ended(ended) if ended.0.stream.is_none() => {
                let object = ctx.turns();
                self.begin(ctx, begun, &object)?;
                response_to(ctx.id(), *ended, asked)
            }
            // What comes of it in later turns is not waited for in this one.
            Turned::Ended(ended) => {
                let object = ctx.turns();
                self.begin(ctx, begun, &object)?;
                let id = ctx.id().clone();
                ctx.leave_turn(|_: Turns<Self>| async move { response_to(&id, *ended, asked) })
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
            self.on(ctx, Default::default(), |instance| What::Alarm { instance, info }).await?;
        let outcome_of = |object: &ObjectId, outcome: Outcome| match outcome.error {
            None => Ok(()),
            Some(failed) => {
                log(object, &failed);
                let error = Error::handler(format!("{}: {}", failed.name, failed.message));
                Err(error.with_code(UNCAUGHT))
            }
        };
        match turned {
            Turned::Ended(ended) => {
                outcome_of(ctx.id(), ended.0)?;
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
