//! Chooses the receivers that a relay serves next. Receivers wait in a queue; those that failed
//! pause and return to it. The cost depends on what is delivered, not on how many wait.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::id::ObjectId;
use crate::messages::outbox::{DeliveryResults, Message};
use crate::messages::request::{OutboxReply, OutboxTask};

/// Number of receivers in the queue below which more are looked for.
const READY_MAX: usize = 64;

/// The receivers of one object's messages.
#[derive(Debug, Default)]
pub(super) struct ReceiverQueue {
    /// Receivers that may have messages, in the order in which they are served.
    ready: VecDeque<ObjectId>,
    /// Receivers that are being served.
    busy: BTreeSet<ObjectId>,
    /// Receivers that failed, by the monotonic time until which they pause.
    resting: BTreeSet<(Duration, ObjectId)>,
    /// All receivers in this queue.
    known: Arc<BTreeSet<ObjectId>>,
    /// Number of the last message whose receiver is known.
    seen_to: i64,
    /// There was no message after it.
    is_over: bool,
}

impl ReceiverQueue {
    /// The next request to the outbox. `settled` is the outcome of messages since the last one; at
    /// most `served_max` receivers are served at once.
    pub(super) fn task(
        &mut self,
        now: Duration,
        results: DeliveryResults,
        served_max: usize,
    ) -> OutboxTask {
        while self.ready.len() < READY_MAX
            && let Some((until, _)) = self.resting.first()
            && *until <= now
            && let Some((_, receiver)) = self.resting.pop_first()
        {
            self.ready.push_back(receiver);
        }
        let receivers_max = served_max.saturating_sub(self.busy.len());
        let look_after = (self.ready.len() < READY_MAX && served_max > 0).then_some(self.seen_to);
        OutboxTask {
            results,
            ready: self.ready.iter().cloned().collect(),
            receivers_max,
            look_after,
            known: self.known.clone(),
        }
    }

    /// Applies the outbox's reply to a [`ReceiverQueue::task`], and returns the messages to
    /// deliver.
    pub(super) fn take(&mut self, reply: OutboxReply) -> Vec<(ObjectId, Vec<Message>)> {
        let known = Arc::make_mut(&mut self.known);
        for receiver in reply.receivers.found {
            known.insert(receiver.clone());
            self.ready.push_back(receiver);
        }
        self.is_over = reply.receivers.is_over;
        self.seen_to = self.seen_to.max(reply.receivers.seen_to);
        let mut on_their_way = Vec::new();
        for (receiver, messages) in reply.messages {
            // They were requested in the order of the queue.
            self.ready.pop_front();
            if messages.is_empty() {
                known.remove(&receiver);
            } else {
                self.busy.insert(receiver.clone());
                on_their_way.push((receiver, messages));
            }
        }
        on_their_way
    }

    /// Returns a receiver to the queue after a successful delivery; there may be more for it.
    pub(super) fn served(&mut self, receiver: &ObjectId) {
        if self.busy.remove(receiver) {
            self.ready.push_back(receiver.clone());
        }
    }

    /// Pauses a receiver that failed, `until` this time.
    pub(super) fn failed(&mut self, receiver: &ObjectId, until: Duration) {
        if self.busy.remove(receiver) {
            self.resting.insert((until, receiver.clone()));
        }
    }

    /// Time until the pause of the next failed receiver ends; `None` when none pauses.
    pub(super) fn rest(&self, now: Duration) -> Option<Duration> {
        self.resting.first().map(|(until, _)| until.saturating_sub(now))
    }

    /// Whether there are no messages.
    pub(super) fn is_empty(&self) -> bool {
        self.is_over && self.known.is_empty()
    }

    /// Whether the outbox must be read again at once.
    pub(super) fn goes_on(&self) -> bool {
        !self.is_over && self.ready.len() < READY_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::id::Tenant;
    use crate::messages::outbox::post_message;
    use crate::object::{Body, Request};
    use crate::sqlite::{Database, Limits, Mode};

    const AT_ONCE: usize = 16;

    fn receiver(number: usize) -> ObjectId {
        Tenant::local().object("X", &format!("receiver {number}")).expect("a good id")
    }

    /// An outbox with a message for each of so many receivers, and the steps that SQLite has made
    /// with it, in hundreds or so.
    fn outbox(receivers: usize) -> (Database, Arc<AtomicU64>) {
        let mut database = Database::new(&Limits {
            database_bytes_max: 1 << 30,
            row_bytes_max: 1 << 20,
            temporary_bytes_max: 64 << 20,
        })
        .expect("a database");
        database.begin(Mode::ReadWrite).expect("a transaction");
        for number in 0..receivers {
            post_message(&mut database, &receiver(number), Request::new(Body::from("text")), 1)
                .expect("there is room");
        }
        let steps = Arc::new(AtomicU64::new(0));
        let counted = steps.clone();
        database.set_interrupt(Some(Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        })));
        (database, steps)
    }

    /// Delivers all messages, one after the other, and says in which order their receivers got
    /// them, and what that took. The first `fail` receivers fail once.
    fn deliver(receivers: usize, fail: usize) -> (Vec<ObjectId>, u64) {
        let (mut database, steps) = outbox(receivers);
        let (mut line, mut now, mut results) =
            (ReceiverQueue::default(), Duration::ZERO, DeliveryResults::default());
        let (mut on_their_way, mut taken) = (VecDeque::new(), Vec::new());
        loop {
            let task = line.task(now, std::mem::take(&mut results), AT_ONCE);
            on_their_way
                .extend(line.take(task.run(&mut database, &Tenant::local()).expect("it is read")));
            assert!(on_their_way.len() <= AT_ONCE);
            if line.goes_on() {
                continue;
            }
            let Some((receiver, messages)) = on_their_way.pop_front() else {
                let Some(rest) = line.rest(now) else { break };
                now += rest;
                continue;
            };
            if (0..fail).any(|number| receiver == self::receiver(number))
                && messages[0].attempts == 0
            {
                results.failed.push((messages[0].number, "no".to_owned()));
                line.failed(&receiver, now + Duration::from_secs(1000));
            } else {
                results.delivered.extend(messages.iter().map(|message| message.number));
                line.served(&receiver);
                taken.push(receiver);
            }
            now += Duration::from_millis(1);
        }
        assert!(line.is_empty());
        (taken, steps.load(Ordering::Relaxed))
    }

    #[test]
    fn everybody_gets_their_messages_and_whoever_fails_holds_nobody_up() {
        let (taken, _) = deliver(600, 0);
        assert_eq!(taken, (0..600).map(receiver).collect::<Vec<_>>(), "in their order");
        let (taken, _) = deliver(600, 300);
        assert_eq!(taken, (300..600).chain(0..300).map(receiver).collect::<Vec<_>>());
    }

    #[test]
    fn twice_as_many_receivers_cost_twice_as_much() {
        for part_that_fails in [0, 1] {
            let cost = |receivers| deliver(receivers, receivers * part_that_fails).1;
            let (few, many) = (cost(500), cost(2000));
            assert!(
                few > 10 && many < few * 5,
                "{few} and {many} steps for 500 and 2000 receivers"
            );
        }
    }

    #[test]
    fn messages_that_were_passed_over_are_found() {
        let (mut database, _) = outbox(1);
        let mut line = ReceiverQueue { seen_to: i64::MAX, ..ReceiverQueue::default() };
        let reply = line
            .task(Duration::ZERO, DeliveryResults::default(), AT_ONCE)
            .run(&mut database, &Tenant::local())
            .expect("it is read");
        assert_eq!(line.take(reply).len(), 1);
    }

    #[test]
    fn a_receiver_of_many_messages_waits_its_turn_like_others() {
        let (mut database, _) = outbox(100);
        for _ in 0..100 {
            post_message(&mut database, &receiver(0), Request::new(Body::from("text")), 1)
                .expect("there is room");
        }
        let mut line = ReceiverQueue::default();
        let (mut served, mut results) = (Vec::new(), DeliveryResults::default());
        for _ in 0..120 {
            let reply = line
                .task(Duration::ZERO, std::mem::take(&mut results), 1)
                .run(&mut database, &Tenant::local())
                .expect("it is read");
            for (receiver, messages) in line.take(reply) {
                results.delivered.extend(messages.iter().map(|message| message.number));
                line.served(&receiver);
                served.push((receiver, messages.len()));
            }
        }
        assert_eq!(served.iter().map(|(_, count)| count).sum::<usize>(), 200);
        assert_eq!(
            served[..100].iter().filter(|(receiver, _)| *receiver == self::receiver(0)).count(),
            1
        );
        assert!(served.len() <= 100 + 100_usize.div_ceil(16) + 1);
    }
}
