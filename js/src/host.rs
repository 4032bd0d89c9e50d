//! What `runtime/*.js` asks Rust for. Statements and values of an object go to the thread that has its
//! turn, which does them on the object's context while this thread waits.
//!
//! Promises: code gets at an object's state in that object's own events only; time and randomness
//! are those of the core.

mod bindings;
mod bodies;
mod bytes;
mod compression;
mod crypto;
mod inside;
mod lines;
mod names;
pub(crate) mod sockets;
mod sqlite;
pub(crate) mod storage;
mod texts;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use dotdo::Context;
use dotdo::engine::Random;
use dotdo::sockets::WebSocket;
use rquickjs::function::{Function, Opt};
use rquickjs::{ArrayBuffer, Ctx, Exception, Object, Persistent, Result};
use tokio::sync::oneshot;

use crate::engine::is_out_of_memory;
use crate::event::{Call, Effect, Failed, Fault, Fetch, Operation, Outcome, Work as Undertaking};
use crate::limits::{BEGUN_BYTES_MAX, BEGUN_MAX, LOGGED_BYTES_MAX};
use crate::modules;
use crate::source::Source;

/// Work on the context of the object whose event runs.
pub(crate) type Work = Box<dyn FnOnce(&mut Context) + Send>;

/// What the thread that waits for an event gets.
pub(crate) enum Asked {
    /// Something to do on the object's context.
    Work(Work),
    /// The event has ended.
    Done(std::result::Result<Vec<Effect>, Fault>),
}

/// Who waits for an event.
pub(crate) enum Waiter {
    /// The thread that has the turn of an object.
    Turn(mpsc::Sender<Asked>),
    /// A request to the worker in front.
    Front(oneshot::Sender<std::result::Result<Vec<Effect>, Fault>>),
}

/// For whom an event runs.
pub(crate) struct Asking {
    pub(crate) waiter: Waiter,
    /// The object in memory; `None` for the worker in front.
    pub(crate) instance: Option<u64>,
    /// The event, and the WebSocket that its request asks for.
    pub(crate) asked: Option<(u64, WebSocket)>,
    /// Instances that have left memory.
    pub(crate) gone: Vec<u64>,
    /// Its name in the log.
    pub(crate) object: String,
    pub(crate) now_ms: i64,
}

/// What the functions of one realm share.
pub(crate) struct Bridge {
    asking: RefCell<Option<Asking>>,
    effects: RefCell<Vec<Effect>>,
    /// WebSockets that events ask for which have not ended, by the events; with the instances.
    asked: RefCell<HashMap<u64, (u64, WebSocket)>>,
    random: Arc<dyn Random>,
    source: Arc<Source>,
    out_of_memory: Cell<bool>,
    /// How many operations the slice has begun, and how many bytes they carry.
    begun: Cell<(usize, usize)>,
    /// What is told of each promise, once code follows its contexts.
    tracking: RefCell<Option<Tracking>>,
}

/// A function of the runtime's own that takes what happens to promises.
pub(crate) type Tracking = Persistent<Function<'static>>;

impl Bridge {
    pub(crate) fn new(random: Arc<dyn Random>, source: Arc<Source>) -> Self {
        Self {
            asking: RefCell::default(),
            effects: RefCell::default(),
            asked: RefCell::default(),
            random,
            source,
            out_of_memory: Cell::new(false),
            begun: Cell::default(),
            tracking: RefCell::default(),
        }
    }

    /// What is told of each promise, if anything is.
    pub(crate) fn tracking(&self) -> Option<Tracking> {
        self.tracking.borrow().clone()
    }

    /// Nothing is told of promises any more. The engine, to which the function belongs, ends.
    pub(crate) fn track_no_more(&self) {
        self.tracking.take();
    }

    /// An event begins.
    pub(crate) fn begin(&self, mut asking: Asking) {
        let gone = std::mem::take(&mut asking.gone);
        if !gone.is_empty() {
            self.asked.borrow_mut().retain(|_, (instance, _)| !gone.contains(instance));
        }
        if let (Some((event, socket)), Some(instance)) = (asking.asked.take(), asking.instance) {
            self.asked.borrow_mut().insert(event, (instance, socket));
        }
        *self.asking.borrow_mut() = Some(asking);
        self.begun.set((0, 0));
    }

    /// The event has ended: for whom it ran.
    pub(crate) fn end(&self) -> Option<Asking> {
        self.asking.take()
    }

    pub(crate) fn take_effects(&self) -> Vec<Effect> {
        self.effects.take()
    }

    /// Whether an event has ended because memory was used up.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.out_of_memory.get()
    }

    fn add(&self, effect: Effect) {
        self.effects.borrow_mut().push(effect);
    }

    /// An operation begins that carries so many bytes.
    fn begin_operation(&self, ctx: &Ctx<'_>, bytes: usize, operation: Operation) -> Result<()> {
        self.begin_something(ctx, bytes)?;
        self.add(Effect::Begun(operation));
        Ok(())
    }

    /// Something begins or is sent that carries so many bytes.
    fn begin_something(&self, ctx: &Ctx<'_>, bytes: usize) -> Result<()> {
        let (count, sum) = self.begun.get();
        let (count, sum) = (count + 1, sum.saturating_add(bytes));
        if count > BEGUN_MAX || sum > BEGUN_BYTES_MAX {
            let text = format!(
                "expected at most {BEGUN_MAX} calls, requests, timers and pieces of responses with {BEGUN_BYTES_MAX} bytes before something is awaited, got more"
            );
            return Err(Exception::throw_range(ctx, &text));
        }
        self.begun.set((count, sum));
        Ok(())
    }

    /// The WebSocket that the request of `event` asks for, if it was not accepted yet.
    fn take_asked(&self, event: u64) -> Option<WebSocket> {
        self.asked.borrow_mut().remove(&event).map(|(_, socket)| socket)
    }

    fn now_ms(&self) -> i64 {
        self.asking.borrow().as_ref().map_or(0, |asking| asking.now_ms)
    }

    /// Does `work` on the context of the object `instance`, whose event must be the one that runs.
    fn with<T: Send + 'static>(
        &self,
        ctx: &Ctx<'_>,
        instance: u64,
        work: impl FnOnce(&mut Context) -> dotdo::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (done, outcome) = mpsc::sync_channel(1);
        let is_asked = {
            let asking = self.asking.borrow();
            match asking.as_ref() {
                Some(Asking { waiter: Waiter::Turn(turn), instance: Some(current), .. })
                    if *current == instance =>
                {
                    // The other side outlives this event, except at the end of the process.
                    let work = Box::new(move |ctx: &mut Context| _ = done.send(work(ctx)));
                    turn.send(Asked::Work(work)).is_ok()
                }
                _ => false,
            }
        };
        let outcome = if is_asked { outcome.recv().ok() } else { None };
        match outcome {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(thrown(ctx, &error)),
            None => Err(Exception::throw_message(
                ctx,
                "an object's storage is for its own events: this code runs for another object, or after the end of an event",
            )),
        }
    }

    fn log(&self, level: &str, text: &str) {
        let mut end = text.len().min(LOGGED_BYTES_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = &*self.source.shown(&text[..end]);
        let asking = self.asking.borrow();
        let object = asking.as_ref().map_or("", |asking| asking.object.as_str());
        match level {
            "error" => tracing::error!(target: "dotdo::javascript", object, "{text}"),
            "warn" => tracing::warn!(target: "dotdo::javascript", object, "{text}"),
            "debug" => tracing::debug!(target: "dotdo::javascript", object, "{text}"),
            _ => tracing::info!(target: "dotdo::javascript", object, "{text}"),
        }
    }

    fn random(&self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 16);
        while bytes.len() < length {
            bytes.extend(self.random.bytes16());
        }
        bytes.truncate(length);
        bytes
    }

    /// An event has ended, with this outcome as JSON.
    fn settle(
        &self,
        event: u64,
        text: &str,
        body: Option<Vec<u8>>,
    ) -> std::result::Result<(), serde_json::Error> {
        let mut outcome: Outcome = serde_json::from_str(text)?;
        if let Some(failed) = &mut outcome.error {
            failed.stack = self.source.shown(&failed.stack);
        }
        let failed = outcome.error.as_ref();
        if failed.is_some_and(|failed| {
            failed.name == "InternalError" && is_out_of_memory(&failed.message)
        }) {
            self.out_of_memory.set(true);
        }
        self.asked.borrow_mut().remove(&event);
        self.add(Effect::Settled { event, outcome, body });
        Ok(())
    }
}

/// An error of ours as an exception, with its code.
fn thrown(ctx: &Ctx<'_>, error: &dotdo::Error) -> rquickjs::Error {
    match Exception::from_message(ctx.clone(), error.message()) {
        Ok(exception) => {
            if let Err(failed) = exception.as_object().set("code", error.code()) {
                return failed;
            }
            exception.throw()
        }
        Err(failed) => failed,
    }
}

/// The bytes that a string stands for, which has one character for each.
fn bytes_of(binary: &str) -> Vec<u8> {
    binary.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(b'?')).collect()
}

/// A number of ours that has been a number of JavaScript: they count from 0 and never reach 2^53.
fn id(number: f64) -> u64 {
    number as u64
}

/// Puts the functions into the globals of a new realm, from where `runtime/host.js` takes them.
pub(crate) fn install<'js>(ctx: &Ctx<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let host = Object::new(ctx.clone())?;
    events(ctx, &host, bridge)?;
    names::install(ctx, &host, bridge)?;
    crypto::install(ctx, &host, bridge)?;
    compression::install(ctx, &host)?;
    texts::install(ctx, &host)?;
    bodies::install(ctx, &host, bridge)?;
    inside::install(ctx, &host)?;
    lines::install(ctx, &host, bridge)?;
    bindings::install(ctx, &host)?;
    storage::install(ctx, &host, bridge)?;
    sockets::install(ctx, &host, bridge)?;
    ctx.globals().set("__dotdo", host)
}

/// What an event knows, and how it ends.
fn events<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let function = bridge.clone();
    host.set("now", Function::new(ctx.clone(), move || function.now_ms() as f64)?)?;
    let function = bridge.clone();
    let random = move |ctx: Ctx<'js>, length: usize| ArrayBuffer::new(ctx, function.random(length));
    host.set("random", Function::new(ctx.clone(), random)?)?;
    let function = bridge.clone();
    let log = move |level: String, text: String| function.log(&level, &text);
    host.set("log", Function::new(ctx.clone(), log)?)?;
    // The module, without waiting for anything: ours await nothing when they are evaluated.
    let load = |ctx: Ctx<'js>, name: String| modules::load(&ctx, &name);
    host.set("load", Function::new(ctx.clone(), load)?)?;
    host.set("nodeModules", modules::names_of_node())?;
    let function = bridge.clone();
    let track = move |ctx: Ctx<'js>, tell: Function<'js>| {
        *function.tracking.borrow_mut() = Some(Persistent::save(&ctx, tell));
    };
    host.set("trackPromises", Function::new(ctx.clone(), track)?)?;
    let function = bridge.clone();
    // A body is bytes, or a text.
    let settle = move |ctx: Ctx<'js>,
                       event: f64,
                       outcome: String,
                       bytes: Opt<Option<String>>,
                       text: Opt<String>| {
        let bytes = bytes.0.flatten().map(|bytes| bytes_of(&bytes));
        let body = bytes.or(text.0.map(String::into_bytes));
        let settled = function.settle(id(event), &outcome, body);
        settled.map_err(|cause| Exception::throw_message(&ctx, &cause.to_string()))
    };
    host.set("settle", Function::new(ctx.clone(), settle)?)?;
    let function = bridge.clone();
    let call = move |ctx: Ctx<'js>, number: f64, text: String, body: Opt<Option<String>>| {
        let about = serde_json::from_str(&text)
            .map_err(|cause| Exception::throw_message(&ctx, &cause.to_string()))?;
        let body = body.0.flatten().map(|body| bytes_of(&body));
        let bytes = text.len() + body.as_ref().map_or(0, Vec::len);
        let work = Undertaking::Call(Call { about, body });
        function.begin_operation(&ctx, bytes, Operation { id: id(number), work })
    };
    host.set("call", Function::new(ctx.clone(), call)?)?;
    operations(ctx, host, bridge)
}

/// What goes on outside of the realm, and the end of an object's value.
fn operations<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let function = bridge.clone();
    let fetch = move |ctx: Ctx<'js>, number: f64, text: String, body: Opt<Option<String>>| {
        let mut fetch: Fetch = serde_json::from_str(&text)
            .map_err(|cause| Exception::throw_message(&ctx, &cause.to_string()))?;
        fetch.body = body.0.flatten().map(|body| bytes_of(&body));
        let bytes = text.len() + fetch.body.as_ref().map_or(0, Vec::len);
        let work = Undertaking::Fetch(fetch);
        function.begin_operation(&ctx, bytes, Operation { id: id(number), work })
    };
    host.set("fetch", Function::new(ctx.clone(), fetch)?)?;
    let function = bridge.clone();
    let asset = move |ctx: Ctx<'js>, number: f64, text: String| {
        let head = serde_json::from_str(&text)
            .map_err(|cause| Exception::throw_message(&ctx, &cause.to_string()))?;
        let work = Undertaking::Asset(head);
        function.begin_operation(&ctx, text.len(), Operation { id: id(number), work })
    };
    host.set("asset", Function::new(ctx.clone(), asset)?)?;
    let function = bridge.clone();
    let timer = move |ctx: Ctx<'js>, number: f64, ms: f64| {
        let work = Undertaking::Timer(Duration::from_millis(id(ms)));
        function.begin_operation(&ctx, 0, Operation { id: id(number), work })
    };
    host.set("timer", Function::new(ctx.clone(), timer)?)?;
    let function = bridge.clone();
    let cancel = move |number: f64| function.add(Effect::Cancelled(id(number)));
    host.set("cancel", Function::new(ctx.clone(), cancel)?)?;
    let function = bridge.clone();
    let reset = move |ctx: Ctx<'js>, instance: f64, text: String| {
        let mut failed: Failed = serde_json::from_str(&text)
            .map_err(|cause| Exception::throw_message(&ctx, &cause.to_string()))?;
        failed.stack = function.source.shown(&failed.stack);
        function.add(Effect::Reset { instance: id(instance), failed });
        Ok::<_, rquickjs::Error>(())
    };
    host.set("reset", Function::new(ctx.clone(), reset)?)
}
