//! The store that all processes share: the truth, and what can go wrong on the way to it and back.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::simulation::chance::Chance;
use crate::simulation::clock::START_US;
use crate::simulation::plan::{Faults, HOUR, MINUTE, MS, SECOND};
use crate::simulation::timeline::{Delivery, Event, Process, State};
use crate::store::{Entry, Key, Part, Stored};

/// A request can take this long to reach the store, far beyond the patience of its sender: a little
/// less than the store's own limit.
const LATE_MAX_US: u64 = 14 * MINUTE;

/// What is asked of the store.
#[derive(Clone)]
pub(super) enum Operation {
    Create(Key, Bytes),
    Put(Key, Bytes),
    Get(Key),
    List(Key, Option<Key>, usize),
    Delete(Vec<Key>),
}

/// What the store says.
#[derive(Clone)]
pub(super) enum Answer {
    Done,
    Exists,
    Found(Option<Stored>),
    Listed(Vec<Entry>),
    /// A passing error (429, 500, 503).
    Busy(u16),
    /// No permission.
    Refused,
}

/// An answer, and the store's own time when it was given, in whole seconds.
#[derive(Clone)]
pub(super) struct Dated {
    pub(super) answer: Answer,
    pub(super) date_ms: i64,
}

/// A request on its way.
pub(super) struct Message {
    number: u64,
    from: Process,
    to: Part,
    operation: Operation,
    fate: Fate,
    reply: Option<oneshot::Sender<Dated>>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    AnswerLost,
    /// The store says that the key exists, and does nothing.
    Conflict,
    ErrorBefore,
    ErrorAfter,
    Refused,
}

/// The objects, by key.
pub(super) struct Store {
    objects: BTreeMap<Key, Stored>,
    /// It answers nobody until then.
    pub(super) outage_until_us: u64,
    /// It has no create-if-absent.
    is_plain: bool,
    /// The store's clock, from true time.
    offset_us: i64,
    /// Nothing of a process that has ended arrives any more, as in a folder.
    forgets_the_dead: bool,
    /// The dates of its answers come from several clocks, up to a second behind.
    pub(super) many_clocks: bool,
    numbers: u64,
}

impl Store {
    pub(super) fn new(chance: &mut Chance, forgets_the_dead: bool) -> Self {
        let offset_us = i64::try_from(chance.below(10 * SECOND)).expect("seconds");
        Self {
            objects: BTreeMap::new(),
            outage_until_us: 0,
            is_plain: false,
            offset_us,
            forgets_the_dead,
            many_clocks: false,
            numbers: 0,
        }
    }

    /// A store for files, whose clock is hours from those of others.
    pub(super) fn of_files(chance: &mut Chance) -> Self {
        let mut store = Self::new(chance, false);
        let hours_us = i64::try_from(chance.below(4 * HOUR)).expect("some hours");
        store.offset_us += hours_us - i64::try_from(2 * HOUR).expect("two hours");
        store.is_plain = true;
        store
    }

    /// Puts an object there before the world begins.
    pub(super) fn prepare(&mut self, key: Key, bytes: Bytes) {
        self.objects.insert(key, Stored { bytes, modified_ms: START_US / 1000 });
    }

    pub(super) fn knows_the_dead(&self) -> bool {
        self.forgets_the_dead
    }

    /// The store's time, as it tells it: in whole seconds.
    fn date_ms(&self, now_us: u64) -> i64 {
        let time_us = START_US + self.offset_us + i64::try_from(now_us).expect("some days");
        time_us.div_euclid(1_000_000) * 1000
    }

    fn apply(&mut self, operation: &Operation, now_us: u64) -> Result<Answer, String> {
        let modified_ms = self.date_ms(now_us);
        match operation {
            Operation::Create(key, _) if self.is_plain => {
                return Err(format!("{key} is created where there are no creates"));
            }
            Operation::Create(key, _) if self.objects.contains_key(key) => {
                return Ok(Answer::Exists);
            }
            Operation::Create(key, bytes) | Operation::Put(key, bytes) => {
                if matches!(operation, Operation::Put(..)) && key.as_str().contains("/log/") {
                    return Err(format!("{key} of the log is put without a condition"));
                }
                self.objects.insert(key.clone(), Stored { bytes: bytes.clone(), modified_ms });
            }
            Operation::Get(key) => return Ok(Answer::Found(self.objects.get(key).cloned())),
            Operation::List(prefix, after, limit) => {
                return Ok(Answer::Listed(self.list(prefix, after.as_ref(), *limit)));
            }
            Operation::Delete(keys) => return self.delete(keys),
        }
        Ok(Answer::Done)
    }

    fn list(&self, prefix: &Key, after: Option<&Key>, limit: usize) -> Vec<Entry> {
        let below = prefix.below();
        let from = match after {
            Some(after) if after.as_str() >= below.as_str() => Bound::Excluded(after.clone()),
            _ => Bound::Included(Key::new(below.clone())),
        };
        let within = self
            .objects
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.as_str().starts_with(&below));
        let entry = |(key, stored): (&Key, &Stored)| Entry {
            key: key.clone(),
            bytes: stored.bytes.len() as u64,
            modified_ms: stored.modified_ms,
        };
        within.take(limit).map(entry).collect()
    }

    fn delete(&mut self, keys: &[Key]) -> Result<Answer, String> {
        for key in keys {
            self.objects.remove(key);
            let Some((folder, _)) =
                key.as_str().rsplit_once('/').filter(|(folder, _)| folder.ends_with("/log"))
            else {
                continue;
            };
            if self
                .list(&Key::new(folder), Some(&Key::new(folder)), 1)
                .first()
                .is_none_or(|newest| newest.key > *key)
            {
                return Err(format!("{key} is deleted, and was the newest record"));
            }
        }
        Ok(Answer::Done)
    }
}

impl Message {
    /// One line for the trace.
    fn name(&self) -> String {
        let what = match &self.operation {
            Operation::Create(key, bytes) => format!("create {key} ({} bytes)", bytes.len()),
            Operation::Put(key, bytes) => format!("put {key} ({} bytes)", bytes.len()),
            Operation::Get(key) => format!("get {key}"),
            Operation::List(prefix, ..) => format!("list {prefix}"),
            Operation::Delete(keys) => {
                format!("delete {} keys from {}", keys.len(), keys.first().map_or("", Key::as_str))
            }
        };
        format!("#{} of m{}.{}: {what}", self.number, self.from.machine, self.from.life)
    }
}

impl Answer {
    fn name(&self) -> String {
        match self {
            Self::Done => "done".to_owned(),
            Self::Exists => "exists".to_owned(),
            Self::Found(None) => "nothing".to_owned(),
            Self::Found(Some(stored)) => format!("{} bytes", stored.bytes.len()),
            Self::Listed(entries) => format!(
                "{} keys from {}",
                entries.len(),
                entries.first().map_or("", |entry| entry.key.as_str())
            ),
            Self::Busy(status) => status.to_string(),
            Self::Refused => "refused".to_owned(),
        }
    }
}

impl State {
    /// Sends a request to the store. Whether and when it gets there, and its answer back, is drawn
    /// now.
    pub(super) fn send(
        &mut self,
        (from, to): (Process, Part),
        operation: Operation,
        reply: oneshot::Sender<Dated>,
    ) {
        self.store.numbers += 1;
        let faults = self.faults;
        let fate = draw(&mut self.chance, faults, &operation);
        let way_us = self.way_us();
        let message =
            Message { number: self.store.numbers, from, to, operation, fate, reply: Some(reply) };
        if self.is_cut(from.machine) || self.chance.in_thousand(faults.request_lost) {
            return self.note(format_args!("{} is lost", message.name()));
        }
        // Whoever sends a request again for its client does so when no answer came; a refusal is
        // one.
        if fate != Fate::Refused && self.chance.in_thousand(faults.twice) {
            let again_us = way_us + self.chance.spread(MS..=LATE_MAX_US);
            let again = Message {
                fate: Fate::AnswerLost,
                reply: None,
                operation: message.operation.clone(),
                ..message
            };
            self.schedule(again_us, Event::Arrive(Box::new(again)));
        }
        let late_us = if self.chance.in_thousand(faults.late) {
            self.chance.spread(10 * MS..=LATE_MAX_US)
        } else {
            0
        };
        self.schedule(way_us + late_us, Event::Arrive(Box::new(message)));
    }

    /// The store that holds this part.
    fn held_by(&mut self, part: Part) -> &mut Store {
        match (part, &mut self.files) {
            (Part::Files, Some(files)) => files,
            _ => &mut self.store,
        }
    }

    fn way_us(&mut self) -> u64 {
        let latency_us = self.latency_us;
        let slow = self.chance.in_thousand(20);
        self.chance.within(1..=if slow { latency_us * 50 } else { latency_us })
    }

    /// A request reaches the store.
    pub(super) fn arrive(&mut self, mut message: Message) {
        let name = message.name();
        let is_dead = !self.is_alive(message.from);
        if is_dead && self.store.forgets_the_dead {
            return self.note(format_args!("{name} ended with its process"));
        }
        let now_us = self.now_us;
        let store = self.held_by(message.to);
        let is_out = now_us < store.outage_until_us;
        let applied =
            !is_out && !matches!(message.fate, Fate::Conflict | Fate::ErrorBefore | Fate::Refused);
        let answer = if applied {
            match store.apply(&message.operation, now_us) {
                Ok(answer) => answer,
                Err(what) => return self.break_world(what),
            }
        } else {
            Answer::Busy(503)
        };
        let told = match message.fate {
            _ if is_out => Answer::Busy(503),
            Fate::Conflict => Answer::Exists,
            Fate::ErrorBefore => Answer::Busy(429),
            Fate::ErrorAfter => Answer::Busy(500),
            Fate::Refused => Answer::Refused,
            Fate::Fine | Fate::AnswerLost => answer,
        };
        let lost = message.fate == Fate::AnswerLost || self.is_cut(message.from.machine);
        self.note(format_args!(
            "{name}: {}{}",
            told.name(),
            if lost { ", which is lost" } else { "" }
        ));
        let many_clocks = self.held_by(message.to).many_clocks;
        let behind_us = if many_clocks { self.chance.below(SECOND) } else { 0 };
        let date_ms = self.held_by(message.to).date_ms(now_us.saturating_sub(behind_us));
        if let Some(reply) = message.reply.take().filter(|_| !lost) {
            let way_us = self.way_us();
            let delivery = Delivery::Answer(reply, Dated { answer: told, date_ms });
            self.schedule(way_us, Event::Deliver(message.from, delivery));
        }
    }
}

/// What will become of a request.
fn draw(chance: &mut Chance, faults: Faults, operation: &Operation) -> Fate {
    let is_create = matches!(operation, Operation::Create(..));
    let fates = [
        (faults.answer_lost, Fate::AnswerLost),
        (if is_create { faults.conflict } else { 0 }, Fate::Conflict),
        (faults.error_before, Fate::ErrorBefore),
        (faults.error_after, Fate::ErrorAfter),
        (faults.refused, Fate::Refused),
    ];
    let drawn = fates.into_iter().find(|(times, _)| chance.in_thousand(*times));
    drawn.map_or(Fate::Fine, |(_, fate)| fate)
}
