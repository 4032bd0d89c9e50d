//! The relay: a task that delivers one object's messages while there are any.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::JoinHandle;

use crate::activation::{Activation, Runtime, Undone};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CLASS_DELETED, ObjectId};
use crate::limits::{DELIVERY_PAUSE_MAX, DELIVERY_PAUSE_MIN, RECEIVERS_AT_ONCE};
use crate::messages::marker::Marking;
use crate::messages::outbox::{DeliveryResults, Message};
use crate::messages::receivers::ReceiverQueue;
use crate::messages::request::{OutboxReply, OutboxRequest};
use crate::object::{Host, Response};
use crate::settings::Upkeep;
use crate::tenants::Places;
use crate::trace::{span, traced};

/// How long a server that stops waits for running deliveries. Those that have not ended by then are
/// repeated by another server.
const STOP_WAIT: Duration = Duration::from_secs(2);

impl Activation {
    /// Delivers the object's messages in the background.
    pub(crate) fn wake_relay(self: &Arc<Self>) {
        if self.runtime.settings.upkeep == Upkeep::Full
            && self.outbox.relay.ask(&self.runtime.deliveries)
        {
            let relay = Relay::new(self);
            self.runtime.relays.spawn(run(relay));
        }
    }

    /// Starts to write a marker, for a request that sends messages. Its `response` will wait for
    /// it.
    pub(crate) fn mark(self: &Arc<Self>, response: &mut Response) {
        if self.outbox.marker.relies(&self.runtime) {
            return;
        }
        let done = Marking::of(response);
        let activation = self.clone();
        tokio::spawn(async move {
            activation.outbox.marker.keep(&activation.runtime, &activation.log).await;
            done.send_replace(true);
        });
    }
}

/// The outcome of delivering several messages to one receiver, in order.
#[derive(Default)]
struct Outcome {
    delivered: Vec<i64>,
    /// The first message that was not delivered, its number of attempts so far, and the error.
    failed: Option<(i64, i64, Error)>,
}

/// A relay's work.
struct Relay {
    activation: Arc<Activation>,
    under_way: FuturesUnordered<Delivering>,
    line: ReceiverQueue,
    /// Outcomes that are not in the outbox yet.
    results: DeliveryResults,
    /// Number of failed requests to the outbox in a row.
    failures: u32,
}

type Delivering = std::pin::Pin<
    Box<dyn Future<Output = (ObjectId, Result<Outcome, tokio::task::JoinError>)> + Send>,
>;

/// Why a wait ended.
enum Woken {
    Again,
    Stopping,
}

/// The result of a request to the outbox.
enum Found {
    Something,
    /// No messages, and the marker's count of uses before the request.
    Nothing(u64),
}

/// Marks a running relay. If its task ends early, the next message starts another.
struct AtWork(Option<Arc<Activation>>);

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(activation) = self.0.take() {
            activation.outbox.relay.is_lost();
        }
    }
}

async fn run(relay: Relay) {
    let mut at_work = AtWork(Some(relay.activation.clone()));
    deliver_all(relay).await;
    at_work.0 = None;
}

async fn deliver_all(mut relay: Relay) {
    let activation = relay.activation.clone();
    let relay_state = &activation.outbox.relay;
    loop {
        relay_state.looks(&activation.runtime.deliveries);
        let goes_on = match relay.ask_outbox(RECEIVERS_AT_ONCE).await {
            Ok(Found::Something) => relay.wait(None).await,
            Ok(Found::Nothing(uses)) => match relay.linger(uses).await {
                Some(woken) => woken,
                None if relay_state.ends() => return,
                None => Woken::Again,
            },
            // The current owner of the object has found its messages too; a closed tenant has none.
            Err(error)
                if Undone::has_other_owner(&error)
                    || error.kind() == ErrorKind::Gone
                    || activation.runtime.host.strong_count() == 0 =>
            {
                if relay_state.ends() {
                    return;
                }
                Woken::Again
            }
            Err(error) => {
                tracing::warn!(object = %activation.log.object, %error, "cannot read messages or mark them as delivered; retrying");
                relay.failures += 1;
                relay.wait(Some(pause(i64::from(relay.failures)))).await
            }
        };
        if matches!(goes_on, Woken::Stopping) {
            relay.finish().await;
            return;
        }
    }
}

impl Relay {
    fn new(activation: &Arc<Activation>) -> Self {
        Self {
            activation: activation.clone(),
            under_way: FuturesUnordered::new(),
            line: ReceiverQueue::default(),
            results: DeliveryResults::default(),
            failures: 0,
        }
    }

    /// Writes outcomes to the outbox, reads the next messages, and starts to deliver them.
    async fn ask_outbox(&mut self, receivers_max: usize) -> Result<Found> {
        let runtime = &self.activation.runtime;
        // The relay ends with the engine, but not during a request to the outbox.
        let _host = runtime.host.upgrade().ok_or_else(gone)?;
        let uses = self.activation.outbox.marker.uses();
        let now = runtime.clock.monotonic();
        loop {
            let task = self.line.task(now, self.results.clone(), receivers_max);
            let reply = OutboxReply::of(self.activation.run(OutboxRequest::request(task)).await?)?;
            metrics::counter!("dotdo_messages_delivered_total")
                .increment(self.results.delivered.len() as u64);
            self.results = DeliveryResults::default();
            self.failures = 0;
            let messages = self.line.take(reply);
            self.send(messages);
            if receivers_max == 0 || !self.line.goes_on() {
                break;
            }
        }
        if self.line.is_empty() {
            return Ok(Found::Nothing(uses));
        }
        // While the marker is young, other servers don't deliver the object's messages.
        self.activation.outbox.marker.keep(&self.activation.runtime, &self.activation.log).await;
        Ok(Found::Something)
    }

    /// Delivers each receiver's messages in their own task, so that one slow receiver does not
    /// delay the others.
    fn send(&mut self, messages: Vec<(ObjectId, Vec<Message>)>) {
        for (receiver, messages) in messages {
            let host = self.activation.runtime.host.clone();
            let couriers = self.activation.runtime.couriers.clone();
            let sender = self.activation.log.object.clone();
            let delivery: JoinHandle<Outcome> =
                tokio::spawn(deliver_messages(host, couriers, sender, messages));
            self.under_way.push(Box::pin(async move { (receiver, delivery.await) }));
        }
    }

    /// Waits until there is something to do, for `most` at most.
    async fn wait(&mut self, most: Option<Duration>) -> Woken {
        if self.under_way.is_empty() {
            self.activation.outbox.relay.rests();
        }
        let most = most.or(self.line.rest(self.activation.runtime.clock.monotonic()));
        let activation = self.activation.clone();
        let clock = activation.runtime.clock.clone();
        let patience = async {
            match most {
                Some(most) => clock.sleep(most).await,
                None => std::future::pending().await,
            }
        };
        let came = tokio::select! {
            biased;
            () = stopping(&activation.runtime) => return Woken::Stopping,
            Some(came) = self.under_way.next() => Some(came),
            () = activation.outbox.relay.woken.notified() => None,
            () = patience => None,
        };
        if let Some((receiver, outcome)) = came {
            self.note(&receiver, outcome);
            self.note_finished();
        }
        Woken::Again
    }

    /// Handles every delivery that has ended, without waiting.
    fn note_finished(&mut self) {
        while let Some(Some((receiver, outcome))) = self.under_way.next().now_or_never() {
            self.note(&receiver, outcome);
        }
    }

    /// Handles the outcome of a delivery to `receiver`.
    fn note(&mut self, receiver: &ObjectId, outcome: Result<Outcome, tokio::task::JoinError>) {
        let outcome = outcome.unwrap_or_else(|error| {
            tracing::error!(%receiver, %error, "the delivery of a message ended without an outcome");
            Outcome::default()
        });
        let failed_without_a_name = outcome.failed.is_none() && outcome.delivered.is_empty();
        self.results.delivered.extend(outcome.delivered);
        let mut attempts = i64::from(failed_without_a_name);
        if let Some((number, before, error)) = outcome.failed {
            let sender = &self.activation.log.object;
            tracing::warn!(%sender, %receiver, number, attempts = before + 1, code = error.code(), %error, "cannot deliver a message; retrying");
            metrics::counter!("dotdo_messages_failed_total", "code" => error.code()).increment(1);
            self.results.failed.push((number, format!("{}: {}", error.code(), error.message())));
            attempts = before + 1;
        }
        if attempts > 0 {
            self.line.failed(receiver, self.activation.runtime.clock.monotonic() + pause(attempts));
        } else {
            self.line.served(receiver);
        }
    }

    /// Keeps the marker for a while after the last message, because another may follow; then
    /// removes it. `None` when it is gone.
    async fn linger(&mut self, uses: u64) -> Option<Woken> {
        let stays = self.activation.outbox.marker.stays(&self.activation.runtime).await?;
        self.activation.outbox.relay.rests();
        let activation = self.activation.clone();
        let runtime = &activation.runtime;
        let woken = tokio::select! {
            biased;
            () = stopping(runtime) => Some(Woken::Stopping),
            () = activation.outbox.relay.woken.notified() => return Some(Woken::Again),
            () = runtime.clock.sleep(stays) => None,
        };
        activation.outbox.marker.remove(&activation.log, uses).await;
        woken
    }

    /// When the server stops: waits a short time for running deliveries, and writes their outcomes
    /// to the outbox.
    async fn finish(&mut self) {
        let clock = self.activation.runtime.clock.clone();
        let mut patience = clock.sleep(STOP_WAIT);
        while !self.under_way.is_empty() {
            tokio::select! {
                biased;
                Some((receiver, outcome)) = self.under_way.next() => self.note(&receiver, outcome),
                () = &mut patience => break,
            }
        }
        if !(self.results.delivered.is_empty() && self.results.failed.is_empty())
            && let Err(error) = self.ask_outbox(0).await
        {
            tracing::debug!(object = %self.activation.log.object, %error, "cannot mark a message as delivered; it is delivered again and accepted once");
        }
    }
}

/// Delivers messages to one receiver, in order, up to the first failure.
async fn deliver_messages(
    host: Weak<dyn Host>,
    couriers: Places,
    sender: ObjectId,
    messages: Vec<Message>,
) -> Outcome {
    let _place = couriers.acquire(sender.tenant()).await;
    let mut outcome = Outcome::default();
    for message in messages {
        match deliver_message(&host, &sender, &message).await {
            Ok(()) => outcome.delivered.push(message.number),
            // Nobody will ever take it.
            Err(error) if error.code() == CLASS_DELETED => {
                tracing::warn!(%sender, receiver = %message.receiver, number = message.number, "a message is dropped, because its receiver's class was deleted");
                outcome.delivered.push(message.number);
            }
            Err(error) => {
                outcome.failed = Some((message.number, message.attempts, error));
                break;
            }
        }
    }
    outcome
}

async fn deliver_message(
    host: &Weak<dyn Host>,
    sender: &ObjectId,
    message: &Message,
) -> Result<()> {
    let host = host.upgrade().ok_or_else(gone)?;
    let request = message.request(sender)?;
    // Any response means that the receiver has executed the message.
    let span = span!("deliver", dotdo.class = message.receiver.class());
    traced(span, host.fetch(&message.receiver, None, request)).await.map(drop)
}

/// The pause after the failure number `attempts`.
fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 16)).unwrap_or(16) - 1;
    (DELIVERY_PAUSE_MIN * 2_u32.pow(doublings)).min(DELIVERY_PAUSE_MAX)
}

/// Waits until the server stops.
async fn stopping(runtime: &Runtime) {
    // The semaphore has no permits, so this waits until it is closed.
    drop(runtime.stopping.acquire().await);
}

fn gone() -> Error {
    Error::new(ErrorKind::Busy, "the server is stopping")
}
