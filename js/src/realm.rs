//! A realm: a thread with a bundle in an engine of its own, to which events come one at a time.
//!
//! Promises: code of a bundle never runs on a thread of the server. Dropping the handle ends the
//! thread after its event.

use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread;

use dotdo::engine::Random;
use dotdo::sockets::WebSocket;
use dotdo::{Context, Error, Result};
use tokio::sync::oneshot;

use crate::engine::{Engine, Parts};
use crate::event::{Effect, Event, Fault};
use crate::host::{Asked, Asking, Bridge, Waiter};
use crate::limits::THREAD_STACK_BYTES;

/// A handle to a realm.
pub(crate) struct Realm {
    entries: mpsc::Sender<Entry>,
    /// Distinguishes it from those that were there before.
    pub(crate) generation: u64,
}

/// An event for the thread.
struct Entry {
    event: String,
    body: Option<Vec<u8>>,
    asking: Asking,
}

/// For whom an event of an object runs.
pub(crate) struct Whose<'a> {
    pub(crate) instance: u64,
    /// The WebSocket that its request asks for.
    pub(crate) asked: Option<WebSocket>,
    pub(crate) ctx: &'a mut Context,
}

impl Realm {
    /// Starts a realm. Its bundle is loaded on its thread; `loaded` is told what it exports, or what
    /// is wrong with it.
    ///
    /// # Errors
    ///
    /// `Unavailable` when the system has no thread left.
    pub(crate) fn start(
        parts: Arc<Parts>,
        random: Arc<dyn Random>,
        generation: u64,
        loaded: mpsc::Sender<std::result::Result<String, String>>,
    ) -> Result<Self> {
        let (entries, events) = mpsc::channel();
        let run = move || {
            let bridge = Rc::new(Bridge::new(random, parts.source.clone()));
            match Engine::load(&parts, bridge.clone()) {
                Ok((engine, exported)) => {
                    // Nobody may want to know.
                    let _ = loaded.send(Ok(exported));
                    live(&engine, &bridge, &events);
                }
                Err(text) => {
                    tracing::error!(target: "dotdo::javascript", "{text}");
                    let _ = loaded.send(Err(text));
                }
            }
        };
        let thread = thread::Builder::new().name("dotdo-js".to_owned());
        thread.stack_size(THREAD_STACK_BYTES).spawn(run).map_err(|cause| {
            Error::new(
                dotdo::ErrorKind::Unavailable,
                format!("cannot start a thread for JavaScript: {cause}"),
            )
        })?;
        Ok(Self { entries, generation })
    }

    /// Runs an event of an object, whose turn the caller has. The thread of the caller does what
    /// the code asks for on the object's context.
    ///
    /// # Errors
    ///
    /// Why the realm has ended.
    pub(crate) fn run_on(
        &self,
        event: &Event,
        body: Option<Vec<u8>>,
        whose: Whose<'_>,
    ) -> std::result::Result<Vec<Effect>, Fault> {
        let Whose { instance, asked, ctx } = whose;
        let asked = asked.map(|socket| (event.event, socket));
        let (turn, coming) = mpsc::channel();
        let asking = Asking {
            waiter: Waiter::Turn(turn),
            instance: Some(instance),
            asked,
            gone: event.gone.clone(),
            object: ctx.id().to_string(),
            now_ms: ctx.now_ms(),
        };
        self.enter(event, body, asking)?;
        loop {
            match coming.recv() {
                Ok(Asked::Work(work)) => work(ctx),
                Ok(Asked::Done(done)) => return done,
                Err(_) => return Err(gone()),
            }
        }
    }

    /// Runs an event of the worker in front.
    ///
    /// # Errors
    ///
    /// Why the realm has ended.
    pub(crate) async fn run_in_front(
        &self,
        event: &Event,
        body: Option<Vec<u8>>,
        now_ms: i64,
    ) -> std::result::Result<Vec<Effect>, Fault> {
        let (front, done) = oneshot::channel();
        let asking = Asking {
            waiter: Waiter::Front(front),
            instance: None,
            asked: None,
            gone: Vec::new(),
            object: "worker".to_owned(),
            now_ms,
        };
        self.enter(event, body, asking)?;
        done.await.unwrap_or_else(|_| Err(gone()))
    }

    fn enter(
        &self,
        event: &Event,
        body: Option<Vec<u8>>,
        asking: Asking,
    ) -> std::result::Result<(), Fault> {
        let event =
            serde_json::to_string(event).map_err(|cause| Fault::Broken(cause.to_string()))?;
        self.entries.send(Entry { event, body, asking }).map_err(|_| gone())
    }
}

fn gone() -> Fault {
    Fault::Broken("the realm could not be started, or its thread has ended".to_owned())
}

/// Runs events until nobody sends any, or one of them ends the realm.
fn live(engine: &Engine, bridge: &Bridge, events: &mpsc::Receiver<Entry>) {
    while let Ok(Entry { event, body, asking }) = events.recv() {
        bridge.begin(asking);
        let done = engine.run(&event, body);
        let has_ended = done.is_err();
        let asking = bridge.end();
        // Who has asked may be gone.
        match asking.map(|asking| asking.waiter) {
            Some(Waiter::Turn(turn)) => _ = turn.send(Asked::Done(done)),
            Some(Waiter::Front(front)) => _ = front.send(done),
            None => {}
        }
        if has_ended {
            return;
        }
    }
}
