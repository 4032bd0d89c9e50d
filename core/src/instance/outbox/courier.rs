//! The courier: a task that delivers one object's messages, as long as there are any.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::engine::WeakEngine;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::instance::background::{Running, Tasks};
use crate::instance::outbox::errand::{Errand, Mail};
use crate::instance::outbox::line::Line;
use crate::instance::slot::Slot;
use crate::instance::{Deps, Slots};
use crate::limits::{DELIVERY_PAUSE_MAX, DELIVERY_PAUSE_MIN, RECEIVERS_AT_ONCE};
use crate::object::{Letter, Settled};
use crate::trace::{span, traced};

/// A server that stops waits so long for deliveries that are under way; what has not come back by
/// then is delivered again by another.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// Whether a courier is at work for an object.
#[derive(Default)]
pub(crate) struct Courier {
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Default)]
struct State {
    at_work: bool,
    /// There may be something new since it last looked.
    again: bool,
    /// Counts it among those that have something to do now, not only something to wait for.
    busy: Option<Running>,
}

impl Courier {
    /// Asks for another look; `true` when a courier must be sent for it.
    fn ask(&self, deliveries: &Tasks) -> bool {
        let mut state = self.state();
        state.busy.get_or_insert_with(|| deliveries.begin());
        if !std::mem::replace(&mut state.at_work, true) {
            return true;
        }
        state.again = true;
        self.woken.notify_one();
        false
    }

    /// What was asked for until now is looked for now.
    fn looks(&self, deliveries: &Tasks) {
        let _ = self.woken.notified().now_or_never();
        let mut state = self.state();
        state.again = false;
        state.busy.get_or_insert_with(|| deliveries.begin());
    }

    /// It only waits from now on, unless something may have come since the last look.
    fn rests(&self) {
        let mut state = self.state();
        if !state.again {
            state.busy = None;
        }
    }

    /// Ends the work, unless something may have come since the last look.
    fn ends(&self) -> bool {
        let mut state = self.state();
        state.at_work = state.again;
        if !state.at_work {
            state.busy = None;
        }
        !state.at_work
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Delivers the messages of `object` in the background.
pub(crate) fn deliver(deps: &Arc<Deps>, object: &ObjectId, slots: &Slots) {
    match slots.get(deps, object) {
        Ok(slot) => wake(deps, &slot),
        Err(error) => tracing::error!(%object, %error, "an object that has run can't be found"),
    }
}

/// Delivers the messages of the object at `slot` in the background.
pub(crate) fn wake(deps: &Arc<Deps>, slot: &Arc<Slot>) {
    if slot.outbox.courier.ask(&deps.deliveries) {
        let round = Round::new(deps, slot);
        deps.couriers.spawn(run(round));
    }
}

/// What came of a delivery of several messages to one receiver, in order.
#[derive(Default)]
struct Outcome {
    delivered: Vec<i64>,
    /// The first one that was not delivered, how often it had been tried, and why.
    failed: Option<(i64, i64, Error)>,
}

/// A courier's work.
struct Round {
    deps: Arc<Deps>,
    slot: Arc<Slot>,
    under_way: FuturesUnordered<Delivering>,
    line: Line,
    /// What the outbox does not know yet.
    settled: Settled,
    /// How many errands have failed in a row.
    failures: u32,
}

type Delivering = std::pin::Pin<
    Box<dyn Future<Output = (ObjectId, Result<Outcome, tokio::task::JoinError>)> + Send>,
>;

/// What ended a wait.
enum Woken {
    Again,
    Stopping,
}

/// What an errand has shown.
enum Found {
    Something,
    /// Nothing, when the marker had been used so often.
    Nothing(u64),
}

/// A courier at work. Should its task end before its work does, the next message sends another.
struct AtWork(Option<Arc<Slot>>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            *slot.outbox.courier.state() = State::default();
        }
    }
}

async fn run(round: Round) {
    let mut at_work = AtWork(Some(round.slot.clone()));
    deliver_all(round).await;
    at_work.0 = None;
}

async fn deliver_all(mut round: Round) {
    let courier = round.slot.clone();
    loop {
        courier.outbox.courier.looks(&round.deps.deliveries);
        let goes_on = match round.errand(RECEIVERS_AT_ONCE).await {
            Ok(Found::Something) => round.wait(None).await,
            Ok(Found::Nothing(uses)) => match round.linger(uses).await {
                Some(woken) => woken,
                None if courier.outbox.courier.ends() => return,
                None => Woken::Again,
            },
            // Whoever has the object now has found its messages too.
            Err(error) if is_elsewhere(&error) || round.deps.engine.upgrade().is_none() => {
                if courier.outbox.courier.ends() {
                    return;
                }
                Woken::Again
            }
            Err(error) => {
                tracing::warn!(object = %courier.log.object, %error, "its messages can't be read or noted as delivered; tried again");
                round.failures += 1;
                round.wait(Some(pause(i64::from(round.failures)))).await
            }
        };
        if matches!(goes_on, Woken::Stopping) {
            round.finish().await;
            return;
        }
    }
}

impl Round {
    fn new(deps: &Arc<Deps>, slot: &Arc<Slot>) -> Self {
        Self {
            deps: deps.clone(),
            slot: slot.clone(),
            under_way: FuturesUnordered::new(),
            line: Line::default(),
            settled: Settled::default(),
            failures: 0,
        }
    }

    /// Tells the outbox what became of its messages, takes the next ones, and sends them on their
    /// way.
    async fn errand(&mut self, receivers_max: usize) -> Result<Found> {
        let engine = self.deps.engine.upgrade().ok_or_else(gone)?;
        let uses = self.slot.outbox.marker.uses();
        let now = self.deps.clock.monotonic();
        loop {
            let task = self.line.task(now, self.settled.clone(), receivers_max);
            let mail = Mail::of(engine.run(&self.slot, Errand::request(task)).await?)?;
            metrics::counter!("dotdo_messages_delivered_total")
                .increment(self.settled.delivered.len() as u64);
            self.settled = Settled::default();
            self.failures = 0;
            let letters = self.line.take(mail);
            self.send(letters);
            if receivers_max == 0 || !self.line.goes_on() {
                break;
            }
        }
        if self.line.is_empty() {
            return Ok(Found::Nothing(uses));
        }
        // As long as its marker is young, other servers leave the object alone.
        self.slot.outbox.marker.keep(&self.deps, &self.slot.log.object).await;
        Ok(Found::Something)
    }

    /// Sends each receiver's letters on their way, in a task of their own: a courier that waits for
    /// its object must not hold up another one.
    fn send(&mut self, letters: Vec<(ObjectId, Vec<Letter>)>) {
        for (receiver, letters) in letters {
            let (engine, sender) = (self.deps.engine.clone(), self.slot.log.object.clone());
            let delivery: JoinHandle<Outcome> = tokio::spawn(hand_over(engine, sender, letters));
            self.under_way.push(Box::pin(async move { (receiver, delivery.await) }));
        }
    }

    /// Waits until there is something to do, at most for `most`.
    async fn wait(&mut self, most: Option<Duration>) -> Woken {
        if self.under_way.is_empty() {
            self.slot.outbox.courier.rests();
        }
        let most = most.or(self.line.rest(self.deps.clock.monotonic()));
        let (clock, slot) = (self.deps.clock.clone(), self.slot.clone());
        let patience = async {
            match most {
                Some(most) => clock.sleep(most).await,
                None => std::future::pending().await,
            }
        };
        let came = tokio::select! {
            biased;
            () = stopping(&self.deps) => return Woken::Stopping,
            Some(came) = self.under_way.next() => Some(came),
            () = slot.outbox.courier.woken.notified() => None,
            () = patience => None,
        };
        if let Some((receiver, outcome)) = came {
            self.note(&receiver, outcome);
            self.note_what_came();
        }
        Woken::Again
    }

    /// Notes every delivery that has come back, without waiting.
    fn note_what_came(&mut self) {
        while let Some(Some((receiver, outcome))) = self.under_way.next().now_or_never() {
            self.note(&receiver, outcome);
        }
    }

    /// Notes what came of the messages to `receiver`.
    fn note(&mut self, receiver: &ObjectId, outcome: Result<Outcome, tokio::task::JoinError>) {
        let outcome = outcome.unwrap_or_else(|error| {
            tracing::error!(%receiver, %error, "a delivery ended without an outcome");
            Outcome::default()
        });
        let failed_without_a_name = outcome.failed.is_none() && outcome.delivered.is_empty();
        self.settled.delivered.extend(outcome.delivered);
        let mut attempts = i64::from(failed_without_a_name);
        if let Some((number, before, error)) = outcome.failed {
            let sender = &self.slot.log.object;
            tracing::warn!(%sender, %receiver, number, attempts = before + 1, code = error.code(), %error, "a message was not taken; tried again");
            metrics::counter!("dotdo_messages_failed_total", "code" => error.code()).increment(1);
            self.settled.failed.push((number, format!("{}: {}", error.code(), error.message())));
            attempts = before + 1;
        }
        if attempts > 0 {
            self.line.failed(receiver, self.deps.clock.monotonic() + pause(attempts));
        } else {
            self.line.served(receiver);
        }
    }

    /// Keeps the marker for a while after the last message, because another may follow; then
    /// removes it. `None` when it is gone.
    async fn linger(&mut self, uses: u64) -> Option<Woken> {
        let stays = self.slot.outbox.marker.stays(&self.deps).await?;
        self.slot.outbox.courier.rests();
        let (slot, deps) = (self.slot.clone(), self.deps.clone());
        let woken = tokio::select! {
            biased;
            () = stopping(&deps) => Some(Woken::Stopping),
            () = slot.outbox.courier.woken.notified() => return Some(Woken::Again),
            () = deps.clock.sleep(stays) => None,
        };
        slot.outbox.marker.remove(&deps, uses).await;
        woken
    }

    /// The server stops: waits a little for what is under way, and tells the outbox.
    async fn finish(&mut self) {
        let clock = self.deps.clock.clone();
        let mut patience = clock.sleep(STOP_WAIT);
        while !self.under_way.is_empty() {
            tokio::select! {
                biased;
                Some((receiver, outcome)) = self.under_way.next() => self.note(&receiver, outcome),
                () = &mut patience => break,
            }
        }
        if !(self.settled.delivered.is_empty() && self.settled.failed.is_empty())
            && let Err(error) = self.errand(0).await
        {
            tracing::debug!(object = %self.slot.log.object, %error, "what was delivered is not noted; it is delivered again, and taken once");
        }
    }
}

/// Delivers letters to their one receiver, in order, up to the first that is not taken.
async fn hand_over(engine: WeakEngine, sender: ObjectId, letters: Vec<Letter>) -> Outcome {
    let mut outcome = Outcome::default();
    for letter in letters {
        match hand_over_one(&engine, &sender, &letter).await {
            Ok(()) => outcome.delivered.push(letter.number),
            Err(error) => {
                outcome.failed = Some((letter.number, letter.attempts, error));
                break;
            }
        }
    }
    outcome
}

async fn hand_over_one(engine: &WeakEngine, sender: &ObjectId, letter: &Letter) -> Result<()> {
    let engine = engine.upgrade().ok_or_else(gone)?;
    let request = letter.request(sender)?;
    // Whatever the answer is, the receiver has taken the message.
    let span = span!("deliver", dotdo.class = letter.receiver.class());
    traced(span, engine.fetch(&letter.receiver, None, request)).await.map(drop)
}

/// The pause after the failure number `attempts`.
fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 16)).unwrap_or(16) - 1;
    (DELIVERY_PAUSE_MIN * 2_u32.pow(doublings)).min(DELIVERY_PAUSE_MAX)
}

/// Waits until the server stops.
async fn stopping(deps: &Deps) {
    // It never has a permit to give, so this waits until it is closed.
    drop(deps.stopping.acquire().await);
}

fn is_elsewhere(error: &Error) -> bool {
    error.code() == "OWNED_ELSEWHERE"
}

fn gone() -> Error {
    Error::new(ErrorKind::Busy, "the server is stopping")
}
