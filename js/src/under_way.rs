//! What goes on between the turns of an object: events whose end nobody knows yet, and operations
//! whose answers are further slices of them.
//!
//! Promises: an operation begins when the slice that has begun it is in the bucket, and its answer
//! runs in one slice at most. When the value of the object ends, so does all that it has under way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use dotdo::engine::Stay;
use dotdo::engine::sync::Mutex;
use dotdo::{Context, Error, ErrorKind, Result, Turns};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, oneshot};

use crate::bodies::{Bodies, Ended};
use crate::calls::{Called, Way};
use crate::event::{Operation, What, Work};
use crate::limits::{CALLS_AT_ONCE, REST_TIME_MAX, RESUME_PAUSE, RESUME_TRIES};
use crate::lines::Lines;
use crate::object::JsObject;
use crate::realms::Realms;

/// What an object in memory has under way.
pub(crate) struct UnderWay {
    realms: Arc<Realms>,
    place: usize,
    /// The instance.
    instance: u64,
    state: Mutex<State>,
    /// Places for calls; further ones wait.
    calls: Arc<Semaphore>,
    pub(crate) bodies: Bodies,
    pub(crate) lines: Lines,
}

#[derive(Default)]
struct State {
    /// Events that have not ended.
    events: HashSet<u64>,
    /// Operations; dropping one's sender ends it.
    operations: HashMap<u64, oneshot::Sender<()>>,
    /// Number of slices so far.
    slices: u64,
    stay: Option<Stay>,
    /// Why all of it has ended.
    failure: Option<Error>,
}

impl State {
    fn is_idle(&self) -> bool {
        self.events.is_empty() && self.operations.is_empty()
    }
}

/// The answer of an operation, for the slice that it runs in.
pub(crate) struct Answered {
    pub(crate) instance: u64,
    pub(crate) operation: u64,
    pub(crate) what: What,
    pub(crate) body: Option<Vec<u8>>,
}

impl UnderWay {
    pub(crate) fn new(realms: Arc<Realms>, place: usize, instance: u64) -> Self {
        let calls = Arc::new(Semaphore::new(CALLS_AT_ONCE));
        let (state, bodies, lines) = Default::default();
        Self { realms, place, instance, state, calls, bodies, lines }
    }

    /// A slice has run.
    pub(crate) fn moved(&self) {
        self.state.lock().slices += 1;
    }

    /// Waits for the end of `event`.
    pub(crate) fn wait_for(self: &Arc<Self>, event: u64) -> Waiting {
        self.state.lock().events.insert(event);
        let ended = self.realms.place(self.place).wait_for(event);
        Waiting { event, ended, under_way: self.clone() }
    }

    /// `event` has ended, or nobody waits for it any more.
    pub(crate) fn forget(&self, event: u64) {
        let mut state = self.state.lock();
        state.events.remove(&event);
        // Nothing needs the object in memory now.
        let stay = if state.is_idle() { state.stay.take() } else { None };
        drop(state);
        drop(stay);
    }

    /// Nobody waits for an operation any more. Whether somebody has until now.
    pub(crate) fn cancel(&self, operation: u64) -> bool {
        self.state.lock().operations.remove(&operation).is_some()
    }

    /// Keeps the object in memory while something is under way. The caller has its turn.
    ///
    /// # Errors
    ///
    /// Those of [`Context::stay`].
    pub(crate) async fn stay(&self, ctx: &mut Context) -> Result<()> {
        if self.state.lock().stay.is_none() {
            let stay = ctx.stay().await?;
            self.state.lock().stay = Some(stay);
        }
        Ok(())
    }

    /// Lets go of the object if nothing is under way. The caller has its turn.
    ///
    /// # Errors
    ///
    /// Those of [`Context::end_stay`].
    pub(crate) fn end_stay_if_idle(&self, ctx: &mut Context) -> Result<()> {
        let stay = {
            let mut state = self.state.lock();
            if state.is_idle() { state.stay.take() } else { None }
        };
        stay.map_or(Ok(()), |stay| ctx.end_stay(stay))
    }

    /// Begins operations when the changes of this turn are in the bucket, in their order: so calls of
    /// one object arrive in theirs.
    pub(crate) fn begin(
        self: &Arc<Self>,
        ctx: &mut Context,
        begun: Vec<Operation>,
        object: &Turns<JsObject>,
    ) {
        let carried_out = begun.into_iter().map(|operation| {
            let (under_way, cancelled) = oneshot::channel();
            self.state.lock().operations.insert(operation.id, under_way);
            self.clone().carry_out(operation, object.clone(), cancelled)
        });
        let mut carried_out: FuturesUnordered<_> = carried_out.collect();
        if !carried_out.is_empty() {
            ctx.wait_until(async move { while carried_out.next().await.is_some() {} });
        }
    }

    async fn carry_out(
        self: Arc<Self>,
        Operation { id, work }: Operation,
        object: Turns<JsObject>,
        cancelled: oneshot::Receiver<()>,
    ) {
        let (what, body) = tokio::select! {
            biased;
            _ = cancelled => return,
            answer = self.answer(id, work, &object) => answer,
        };
        let answered = Answered { instance: self.instance, operation: id, what, body };
        let answered = Arc::new(Mutex::new(Some(answered)));
        for attempt in 1.. {
            let (taken, handle) = (answered.clone(), object.clone());
            let work = move |value: &mut JsObject, ctx: &mut Context| {
                // It runs again only if all was undone, and with it the value that would take it.
                let answered = taken.lock().take();
                answered.map_or(Ok(()), |answered| value.resume(ctx, answered, &handle))
            };
            // It is never closed.
            let place = self.realms.resuming.acquire().await;
            let Err(error) = object.turn(work).await else { return };
            drop(place);
            let has_run = answered.lock().is_none();
            let may_pass = matches!(error.kind(), ErrorKind::Busy | ErrorKind::Unavailable);
            if has_run || !may_pass || attempt == RESUME_TRIES {
                return self.end(Some(error));
            }
            if object.sleep(attempt * RESUME_PAUSE).await.is_err() {
                return self.end(Some(error));
            }
        }
    }

    /// The answer of a call, whose body and WebSocket are kept.
    fn called(&self, mut called: Called) -> (What, Option<Vec<u8>>) {
        called.keep(&self.lines);
        let Called { mut answer, body, .. } = called;
        let body = self.bodies.arrive(&mut answer, body);
        (What::Answer { instance: Some(self.instance), answer }, body)
    }

    /// What an operation answers.
    async fn answer(
        &self,
        id: u64,
        work: Work,
        object: &Turns<JsObject>,
    ) -> (What, Option<Vec<u8>>) {
        let instance = Some(self.instance);
        match work {
            Work::Call(call) => {
                // It is never closed.
                let _place = self.calls.acquire().await;
                let object = object.clone();
                let way = Way::Object(Box::new(move |class, id| object.object(class, id)));
                self.called(way.call(id, call).await)
            }
            Work::Fetch(fetch) => {
                let _place = self.calls.acquire().await;
                self.called(self.realms.fetcher().fetch(id, fetch).await)
            }
            Work::Line(number) => {
                let (answer, body) = self.lines.next(id, number).await;
                (What::Answer { instance, answer }, body)
            }
            Work::Asset(head) => {
                let (mut answer, body) = self.realms.asset(id, head).await;
                let body = self.bodies.arrive(&mut answer, body);
                (What::Answer { instance, answer }, body)
            }
            Work::Body(waits) => {
                let (answer, body) = self.bodies.wait(id, waits).await;
                (What::Answer { instance, answer }, body)
            }
            Work::Timer(duration) => {
                // When the server stops, there is no turn for its answer either.
                let _stopping = object.sleep(duration).await;
                (What::Timer { instance, operation: id }, None)
            }
        }
    }

    /// Ends all that is under way, for this reason if it is the first.
    pub(crate) fn end(&self, reason: Option<Error>) {
        let mut state = self.state.lock();
        state.failure = state.failure.take().or(reason);
        let (events, operations) =
            (std::mem::take(&mut state.events), std::mem::take(&mut state.operations));
        let stay = state.stay.take();
        drop(state);
        events.into_iter().for_each(|event| self.realms.place(self.place).wait_no_more(event));
        self.bodies.end();
        self.lines.end();
        drop((operations, stay));
    }

    /// Whether all of it has ended, and with it the instance.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.lock().failure.is_some()
    }

    fn failure(&self) -> Error {
        let failure = self.state.lock().failure.clone();
        failure.unwrap_or_else(|| {
            let text = "the object was reset while this request was under way";
            Error::new(ErrorKind::Unknown, text).with_code("OBJECT_RESET")
        })
    }
}

/// An event whose end is not known yet.
pub(crate) struct Waiting {
    event: u64,
    ended: oneshot::Receiver<Ended>,
    under_way: Arc<UnderWay>,
}

impl Waiting {
    /// Waits for it. `object` is whose event it is.
    ///
    /// # Errors
    ///
    /// `Handler` (code `AWAITS_NOTHING`) when nothing is under way that could end it, and nothing has
    /// happened for [`REST_TIME_MAX`]; why the value of the object has ended.
    pub(crate) async fn end(mut self, object: &Turns<JsObject>) -> Result<Ended> {
        loop {
            let before = self.under_way.state.lock().slices;
            tokio::select! {
                biased;
                ended = &mut self.ended => return ended.map_err(|_| self.under_way.failure()),
                slept = object.sleep(REST_TIME_MAX) => slept?,
            }
            let state = self.under_way.state.lock();
            if state.operations.is_empty() && state.slices == before {
                return Err(endless(REST_TIME_MAX));
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.under_way.realms.place(self.under_way.place).wait_no_more(self.event);
        self.under_way.forget(self.event);
    }
}

/// The error of a handler that waits for what never happens.
fn endless(time: Duration) -> Error {
    Error::handler(format!(
        "the handler awaits something that never happens: nothing that the object has begun is under way, and no other event of it has come for {} s",
        time.as_secs()
    ))
    .with_code("AWAITS_NOTHING")
}
