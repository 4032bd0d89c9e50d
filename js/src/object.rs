//! An object whose class is in JavaScript: an event is what runs until nothing is left to do, and is
//! the request's turn and transaction.

use std::sync::Arc;

use dotdo::sockets::{SocketClose, SocketMessage, WebSocket};
use dotdo::{AlarmInfo, Context, DurableObject, Error, Request, RequestExt, Response, Result};

use crate::event::{AlarmAbout, Effect, Event, Failed, What};
use crate::host::sockets::about;
use crate::realm::{Realm, Whose};
use crate::realms::{Ended, Realms};
use crate::wire::{self, Incoming, UNCAUGHT};

/// The value of such an object in memory. What it is in JavaScript, its realm has.
pub(crate) struct JsObject {
    realms: Arc<Realms>,
    class: Arc<str>,
    made: Option<Made>,
}

/// Where the instance is.
#[derive(Clone, Copy)]
struct Made {
    place: usize,
    generation: u64,
    instance: u64,
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

/// What runs on an instance.
struct Step {
    made: Made,
    what: What,
    given: Given,
}

impl JsObject {
    pub(crate) fn new(realms: Arc<Realms>, class: Arc<str>) -> Self {
        Self { realms, class, made: None }
    }

    /// Runs an event on the instance, which is made first if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`Realms::error_of`]; that of the constructor.
    async fn on(
        &mut self,
        ctx: &mut Context,
        mut given: Given,
        what: impl FnOnce(u64) -> What,
    ) -> Result<Ended> {
        let realms = self.realms.clone();
        let number = realms.place_of(ctx.id());
        let mut locked = realms.place(number).realm.lock().await;
        let realm = realms.in_place(&mut locked)?;
        let made = match self.made {
            Some(made) if made.generation == realm.generation => Ok(made),
            _ => self.make(realm, ctx, given.named.take()),
        };
        let ended = made
            .and_then(|made| self.run(realm, ctx, Step { made, what: what(made.instance), given }));
        match ended {
            Ok(ended) => Ok(ended),
            Err(Stopped::Realm(fault)) => {
                *locked = None;
                Err(realms.error_of(&fault))
            }
            Err(Stopped::Object(error)) => Err(error),
        }
    }

    /// Makes the instance: runs its constructor, and what that blocks other events for.
    fn make(
        &mut self,
        realm: &Realm,
        ctx: &mut Context,
        named: Option<String>,
    ) -> std::result::Result<Made, Stopped> {
        let instance = self.realms.number();
        let place = self.realms.place_of(ctx.id());
        let made = Made { place, generation: realm.generation, instance };
        let what = What::Make {
            class: self.class.to_string(),
            instance,
            object: ctx.id().id().to_owned(),
            named,
        };
        let (outcome, _) = self.run(realm, ctx, Step { made, what, given: Given::default() })?;
        self.made = Some(made);
        match outcome.error {
            None => Ok(made),
            Some(failed) => Err(Stopped::Object(reset(ctx, &failed))),
        }
    }

    fn run(
        &self,
        realm: &Realm,
        ctx: &mut Context,
        Step { made, what, given: Given { body, asked, .. } }: Step,
    ) -> std::result::Result<Ended, Stopped> {
        let place = self.realms.place(made.place);
        let event = self.realms.number();
        let about = Event { what, event, gone: place.take_gone() };
        let whose = Whose { instance: made.instance, asked, ctx };
        let effects = realm.run_on(&about, body, whose).map_err(Stopped::Realm)?;
        let (ended, calls) = place.sort(event, effects);
        for call in calls {
            // The runtime refuses calls in events of objects.
            if let Effect::Call(call) = call {
                tracing::error!(target: "dotdo::javascript", call = call.id, "an object has called");
            }
        }
        ended.ok_or_else(|| Stopped::Object(endless()))
    }
}

/// Why an event did not end well.
enum Stopped {
    /// It has ended its realm.
    Realm(crate::event::Fault),
    /// It ends the value of its object.
    Object(Error),
}

/// The error of a handler that waits for what never happens.
fn endless() -> Error {
    Error::handler(
        "the handler awaits something that never happens: in an object only its storage can be awaited as yet, and everything else that was awaited \
         has no way to end",
    )
    .with_code("AWAITS_NOTHING")
}

/// The error of an object whose value has ended; what its event has changed is rolled back.
fn reset(ctx: &Context, failed: &Failed) -> Error {
    log(ctx, failed);
    Error::handler(format!("{}: {}", failed.name, failed.message))
        .with_code("OBJECT_RESET")
        .confidential("the object was reset by its class; the server's log has the reason")
}

/// Logs the exception of an event that nobody waits for.
///
/// # Errors
///
/// The one of an object whose value has ended.
fn noted(ctx: &Context, failed: Option<Failed>) -> Result<()> {
    match failed {
        Some(failed) if failed.reset => Err(reset(ctx, &failed)),
        failed => {
            failed.iter().for_each(|failed| log(ctx, failed));
            Ok(())
        }
    }
}

fn log(ctx: &Context, failed: &Failed) {
    let Failed { name, message, stack, .. } = failed;
    tracing::error!(target: "dotdo::javascript", object = %ctx.id(), "uncaught {name}: {message}\n{stack}");
}

impl DurableObject for JsObject {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let asked = request.websocket().ok();
        let (parts, body) = request.into_parts();
        let Incoming { name, method, head } = Incoming::of(parts);
        let bytes = body.bytes().await?.to_vec();
        let class = self.class.to_string();
        let (outcome, body) = match method {
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
        match &outcome.error {
            None if !outcome.text.is_empty() => Ok(Response::new(outcome.text.into())),
            None => match asked.filter(|_| outcome.socket.is_some()) {
                Some(socket) => wire::accepted(&outcome, socket.upgraded()),
                None => wire::response_of(&outcome, body),
            },
            Some(failed) if failed.reset => Err(reset(ctx, failed)),
            Some(failed) => {
                log(ctx, failed);
                Ok(wire::exception(failed))
            }
        }
    }

    async fn alarm(&mut self, info: AlarmInfo, ctx: &mut Context) -> Result<()> {
        let info = AlarmAbout {
            retry_count: u64::from(info.retry_count),
            is_retry: info.retry_count > 0,
            scheduled_time: info.scheduled_ms,
        };
        let (outcome, _) =
            self.on(ctx, Given::default(), |instance| What::Alarm { instance, info }).await?;
        outcome.error.map_or(Ok(()), |failed| {
            log(ctx, &failed);
            Err(Error::handler(format!("{}: {}", failed.name, failed.message)).with_code(UNCAUGHT))
        })
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
        let message = |instance| What::Message { instance, socket: from, text };
        let (outcome, _) = self.on(ctx, given, message).await?;
        noted(ctx, outcome.error)
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
        let (outcome, _) = self.on(ctx, Given::default(), closed).await?;
        noted(ctx, outcome.error)
    }
}

impl Drop for JsObject {
    fn drop(&mut self) {
        if let Some(made) = self.made {
            self.realms.place(made.place).forget(made.instance);
        }
    }
}
