//! An instance of a class in a realm: its events run here, one slice at a time, and what comes of them
//! is sorted.
//!
//! Promises: the end of another event is told when the slice that brought it about is in the bucket.

use std::sync::Arc;

use dotdo::sockets::WebSocket;
use dotdo::{Context, Error, ObjectId};

use crate::bodies::Ended;
use crate::event::{Effect, Event, Failed, Fault, Operation, What};
use crate::host::storage::kept_name;
use crate::realm::{Realm, Whose};
use crate::realms::Realms;
use crate::under_way::{UnderWay, Waiting};

/// What comes with an event.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) body: Option<Vec<u8>>,
    /// The WebSocket that a request asks for.
    pub(crate) asked: Option<WebSocket>,
}

/// What has come of an event in its first slice.
pub(crate) enum Turned {
    Ended(Box<Ended>),
    /// It awaits what others do.
    Waits(Waiting),
}

/// What a slice has done besides changes.
pub(crate) struct Ran {
    pub(crate) turned: Turned,
    pub(crate) begun: Vec<Operation>,
}

/// Why a slice did not end well.
pub(crate) enum Stopped {
    /// It has ended its realm.
    Realm(Fault),
    /// It ends the value of its object.
    Object(Error),
}

/// An instance. Dropping it ends what it has under way.
pub(crate) struct Instance {
    realms: Arc<Realms>,
    pub(crate) place: usize,
    generation: u64,
    pub(crate) number: u64,
    pub(crate) under_way: Arc<UnderWay>,
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.under_way.end(None);
        self.realms.place(self.place).forget(self.number);
    }
}

impl Instance {
    /// An instance of `class` in `realm`, for the object of `ctx`. It is not made yet.
    pub(crate) fn new(realms: Arc<Realms>, realm: &Realm, ctx: &Context) -> Self {
        let (number, place) = (realms.number(), realms.place_of(ctx.id()));
        let under_way = Arc::new(UnderWay::new(realms.clone(), place, number));
        Self { realms, place, generation: realm.generation, number, under_way }
    }

    /// Whether events can run on it in `realm`.
    pub(crate) fn is_alive(&self, realm: &Realm) -> bool {
        self.generation == realm.generation && !self.under_way.has_failed()
    }

    /// Runs the constructor of `class`, and what that blocks other events for. If this awaits something
    /// outside, the events of the instance wait for it in JavaScript. `named`: what the object's id
    /// was made of, if the event says it. Returns what was begun.
    ///
    /// # Errors
    ///
    /// Why there is no value.
    pub(crate) fn make(
        &self,
        realm: &Realm,
        ctx: &mut Context,
        (class, named): (&str, Option<String>),
    ) -> Result<Vec<Operation>, Stopped> {
        ctx.linger();
        let (class, instance) = (class.to_owned(), self.number);
        let object = ctx.id().id().to_owned();
        let named = match named {
            Some(named) => Some(named),
            None => kept_name(ctx).map_err(Stopped::Object)?,
        };
        let what = What::Make { class, instance, object, named };
        let Ran { turned, begun } = self.run(realm, ctx, what, Given::default())?;
        let failed = match turned {
            Turned::Ended(ended) => ended.0.error,
            Turned::Waits(_) => None,
        };
        failed.map_or(Ok(begun), |failed| Err(Stopped::Object(reset(ctx.id(), &failed))))
    }

    /// Runs an event until nothing is runnable.
    ///
    /// # Errors
    ///
    /// What has ended with it.
    pub(crate) fn run(
        &self,
        realm: &Realm,
        ctx: &mut Context,
        what: What,
        Given { body, asked }: Given,
    ) -> Result<Ran, Stopped> {
        let place = self.realms.place(self.place);
        let event = self.realms.number();
        let about = Event { what, event, gone: place.take_gone() };
        let whose = Whose { instance: self.number, asked, ctx: &mut *ctx };
        let effects = realm.run_on(&about, body, whose).map_err(Stopped::Realm)?;
        self.under_way.moved();
        self.sort(ctx, event, effects)
    }

    /// What comes of the effects of `event`.
    fn sort(&self, ctx: &mut Context, event: u64, effects: Vec<Effect>) -> Result<Ran, Stopped> {
        let (place, under_way) = (self.realms.place(self.place), &self.under_way);
        let is_reset = |effect: &Effect| matches!(effect, Effect::Reset { instance, .. } if *instance == self.number);
        let ends = effects.iter().any(is_reset);
        let (mut own, mut begun, mut failure) = (None, Vec::new(), None);
        for effect in effects {
            match effect {
                Effect::Settled { event: settled, outcome, body } => {
                    let ended = under_way.bodies.ended(outcome, body);
                    if settled == event {
                        own = Some(Box::new(ended));
                    } else if ends {
                        // It is of no change of this slice, which is rolled back.
                        place.settle(settled, ended);
                    } else {
                        under_way.forget(settled);
                        let (realms, place) = (self.realms.clone(), self.place);
                        // Its response depends on what this slice has changed.
                        ctx.after_commit(move || realms.place(place).settle(settled, ended));
                    }
                }
                Effect::Begun(operation) => begun.push(operation),
                Effect::Cancelled(operation) => {
                    begun.retain(|begun: &Operation| begun.id != operation);
                    _ = under_way.cancel(operation);
                }
                Effect::Reset { failed, .. } if ends => failure = Some(reset(ctx.id(), &failed)),
                Effect::Reset { .. } => {}
                Effect::Body(change) => {
                    let under_way = under_way.clone();
                    ctx.after_commit(move || under_way.bodies.change(change));
                }
                Effect::Line(number, change) => {
                    let under_way = under_way.clone();
                    ctx.after_commit(move || under_way.lines.change(number, change));
                }
            }
        }
        if let Some(error) = failure {
            under_way.end(Some(error.clone()));
            return Err(Stopped::Object(error));
        }
        let turned = own.map_or_else(|| Turned::Waits(under_way.wait_for(event)), Turned::Ended);
        Ok(Ran { turned, begun })
    }
}

/// The error of an object whose value has ended; what its slice has changed is rolled back.
fn reset(object: &ObjectId, failed: &Failed) -> Error {
    log(object, failed);
    Error::handler(format!("{}: {}", failed.name, failed.message))
        .with_code("OBJECT_RESET")
        .confidential("the object was reset by its class; the server's log has the reason")
}

/// Logs an exception that nobody has caught.
pub(crate) fn log(object: &ObjectId, failed: &Failed) {
    let Failed { name, message, stack, .. } = failed;
    tracing::error!(target: "dotdo::javascript", object = %object, "uncaught {name}: {message}\n{stack}");
}
