//! What clients asked and what they were told, and whether all of it can be true.
//!
//! Every object is a list that only grows, and every answer is the whole list. So the final list is
//! the order of all writes, each answer must be a beginning of it, and the length of an answer is
//! its place in that order. A history is linearizable exactly when no operation that began after
//! another had ended has an earlier place.

mod lives;
mod tests;

use crate::error::{Error, ErrorKind};
use crate::router::At;
use crate::simulation::sightings::Sightings;

/// What a client asks an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The list.
    Read,
    /// To append a value, and for the list with it.
    Append(i64),
    /// To append a value, and to have another object append it too before the answer.
    Give(i64, usize),
    /// To append a value, and to send another object a message to append it too.
    Send(i64, usize),
    /// The list as it was.
    Past(At),
}

/// When the code of a handler's author panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Before it has done anything.
    First,
    /// When it has done everything.
    Last,
    /// In what it left to be done after the commit.
    Committed,
    /// In what it left to be done behind the answer.
    Behind,
}

/// How a request is made, and what goes wrong in its handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Antics {
    /// Its method is one that promises to change nothing.
    pub(super) by_get: bool,
    pub(super) panics: Option<Moment>,
    /// It appends by replacing the whole state by one that has the value too.
    pub(super) replaces: bool,
    /// An alarm sends what it has to send; appends with even numbers leave their turns.
    pub(super) rings: bool,
    pub(super) leaves: bool,
    /// It is a message on a WebSocket.
    pub(super) by_socket: bool,
    /// It appends nothing and deletes the object.
    pub(super) ends: bool,
}

/// A request of a client, by its number in the history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) number: usize,
    pub(super) object: usize,
    pub(super) ask: Ask,
    /// It has an idempotency key, its value, so that it is executed once even if it is sent again.
    pub(super) keyed: bool,
    pub(super) antics: Antics,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The answer.
    List(Vec<i64>),
    /// An error that promises that nothing of the request remains.
    Nothing(&'static str),
    /// An error that says that the outcome is not known.
    Unknown,
    /// An error that no fault explains.
    Wrong(String),
}

/// One operation: when it began and, if it has ended, when and how.
struct Operation {
    request: Request,
    began: u64,
    ended: Option<(u64, Outcome)>,
}

/// Every operation of a world.
#[derive(Default)]
pub(super) struct History {
    operations: Vec<Operation>,
    pub(super) sightings: Sightings,
    /// What was seen outside of an object by other ways than an answer: the operation that it is
    /// due to, when, and the list.
    left: Vec<(usize, u64, Vec<i64>)>,
}

impl Outcome {
    /// What an answer says to the one who asked.
    pub(super) fn of(request: Request, answer: Result<&str, Error>) -> Self {
        match answer {
            Ok(text) => list_of(text)
                .map_or_else(|| Self::Wrong(format!("{text:?} is not a list")), Self::List),
            Err(error) => match error.kind() {
                ErrorKind::Unknown => Self::Unknown,
                ErrorKind::Fenced
                | ErrorKind::Busy
                | ErrorKind::Unavailable
                | ErrorKind::TimedOut
                | ErrorKind::StoreRefused => Self::Nothing(error.code()),
                ErrorKind::NotFound if matches!(request.ask, Ask::Past(_)) => {
                    Self::Nothing(error.code())
                }
                // Whoever is called may be in a world with a bug of our own, and the caller's
                // handler panics with it.
                ErrorKind::Handler
                    if matches!(request.ask, Ask::Give(..))
                        || matches!(request.antics.panics, Some(Moment::First | Moment::Last)) =>
                {
                    Self::Nothing(error.code())
                }
                _ => Self::Wrong(format!("{error:?}")),
            },
        }
    }
}

/// When an operation took its place among the writes of an object.
struct Placed {
    number: usize,
    began: u64,
    /// `None` when nobody was told.
    ended: Option<u64>,
    place: usize,
    is_write: bool,
}

impl History {
    /// Notes that `request` is asked now, and gives it its number.
    pub(super) fn begin(&mut self, request: Request, now: u64) -> Request {
        let request = Request { number: self.operations.len(), ..request };
        self.operations.push(Operation { request, began: now, ended: None });
        request
    }

    pub(super) fn end(&mut self, number: usize, now: u64, outcome: Outcome) {
        let ended = &mut self.operations[number].ended;
        assert!(ended.is_none(), "operation {number} ended twice");
        *ended = Some((now, outcome));
    }

    /// Somebody outside has seen `list` because of an operation, before its answer or without any.
    pub(super) fn left(&mut self, number: usize, now: u64, list: Vec<i64>) {
        self.left.push((number, now, list));
    }

    /// What came of an operation, if it has ended.
    pub(super) fn outcome(&self, number: usize) -> Option<&Outcome> {
        self.operations.get(number)?.ended.as_ref().map(|(_, outcome)| outcome)
    }

    /// What was asked.
    pub(super) fn request(&self, number: usize) -> Request {
        self.operations[number].request
    }

    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    /// How many operations have been answered with success.
    pub(super) fn answered(&self) -> usize {
        self.operations
            .iter()
            .filter(|operation| matches!(operation.ended, Some((_, Outcome::List(_)))))
            .count()
    }

    /// Checks everything that was seen against the lists as they are in the end.
    ///
    /// # Errors
    ///
    /// What can't be true, in a sentence.
    pub(super) fn check(&self, finals: &[Vec<i64>]) -> Result<(), String> {
        for operation in &self.operations {
            if let Some((_, Outcome::Wrong(error))) = &operation.ended {
                return Err(format!("operation {}: {error}", operation.request.number));
            }
        }
        for (object, list) in finals.iter().enumerate() {
            self.check_values(object, list)?;
            let mut placed = self.places(object, list)?;
            placed.extend(self.places_of_left(object, list)?);
            check_order(object, &placed)?;
        }
        self.check_messages(finals)?;
        self.check_gifts(finals)?;
        self.sightings.check(finals)
    }

    /// The places of what was seen outside in other ways than by an answer.
    fn places_of_left(&self, object: usize, list: &[i64]) -> Result<Vec<Placed>, String> {
        let mut placed = Vec::new();
        for (number, at, seen) in &self.left {
            let operation = &self.operations[*number];
            if operation.request.object != object {
                continue;
            }
            if !list.starts_with(seen) {
                return Err(format!(
                    "object {object}: after the commit of operation {number} {seen:?} was seen, but in the end there is {list:?}"
                ));
            }
            placed.push(Placed {
                number: *number,
                began: operation.began,
                ended: Some(*at),
                place: seen.len(),
                is_write: false,
            });
        }
        Ok(placed)
    }

    /// Nothing twice, nothing that nobody wrote, nothing that was promised to be undone.
    fn check_values(&self, object: usize, list: &[i64]) -> Result<(), String> {
        for (place, value) in list.iter().enumerate() {
            if list[..place].contains(value) {
                return Err(format!("object {object}: the value {value} is there twice: {list:?}"));
            }
            let attempts: Vec<&Operation> = self
                .operations
                .iter()
                .filter(|operation| operation.writes(object) == Some(*value))
                .collect();
            let Some(first) = attempts.first() else {
                return Err(format!("object {object}: nobody wrote the value {value}"));
            };
            let undone = attempts
                .iter()
                .all(|attempt| matches!(attempt.ended, Some((_, Outcome::Nothing(_)))));
            if undone && first.request.object == object {
                let ended = &first.ended;
                return Err(format!(
                    "object {object}: {value} is there, but its request ended as {ended:?}, which promises that nothing remains"
                ));
            }
        }
        Ok(())
    }

    /// The place of each operation on the object in the order of its writes.
    fn places(&self, object: usize, list: &[i64]) -> Result<Vec<Placed>, String> {
        let mut placed = Vec::new();
        for operation in &self.operations {
            let number = operation.request.number;
            let written = operation.writes(object);
            let place = written
                .and_then(|value| list.iter().position(|other| *other == value))
                .map(|place| place + 1);
            let answer = match &operation.ended {
                Some((ended, Outcome::List(seen))) => Some((*ended, seen)),
                _ => None,
            };
            let seen = answer.filter(|_| operation.request.object == object).map(|(_, seen)| seen);
            let is_former = matches!(operation.request.ask, Ask::Past(_));
            if let Some(seen) = seen
                && !list.starts_with(seen)
            {
                return Err(format!(
                    "object {object}: operation {number} saw {seen:?}, but in the end there is {list:?}"
                ));
            }
            let own = operation.request.object == object;
            // A message arrives some time after the answer to whoever had it sent.
            let answer = answer.filter(|_| own || !matches!(operation.request.ask, Ask::Send(..)));
            let place = match (written, place, seen) {
                (Some(value), None, _) if answer.is_some() => {
                    return Err(format!(
                        "object {object}: operation {number} was answered, but its value {value} is lost: {list:?}"
                    ));
                }
                (Some(_), Some(place), Some(seen)) if seen.len() != place => {
                    return Err(format!(
                        "object {object}: operation {number} saw {seen:?}, but its value has the place {place}"
                    ));
                }
                (Some(_), place, _) => place,
                (None, _, seen) => seen.map(Vec::len),
            };
            if let Some(place) = place.filter(|_| self.is_first(operation) && !is_former) {
                let ended = if written.is_some() {
                    self.first_answer(operation, object)
                } else {
                    answer.map(|(ended, _)| ended)
                };
                placed.push(Placed {
                    number,
                    began: operation.began,
                    ended,
                    place,
                    is_write: written.is_some(),
                });
            }
        }
        Ok(placed)
    }

    /// Whether this is the first attempt to do what it does.
    fn is_first(&self, operation: &Operation) -> bool {
        let value = operation.request.ask.value();
        let is_same = |other: &&Operation| value.is_some() && other.request.ask.value() == value;
        let first = self.operations.iter().find(is_same);
        first.is_none_or(|first| first.request.number == operation.request.number)
    }

    /// When the first answer to any of the attempts came that says that `object` has the value.
    fn first_answer(&self, operation: &Operation, object: usize) -> Option<u64> {
        let value = operation.request.ask.value();
        let attempts = self.operations.iter().filter(|other| other.request.ask.value() == value);
        let told = attempts.filter(|other| {
            other.request.object == object || !matches!(other.request.ask, Ask::Send(..))
        });
        told.filter_map(|other| {
            other.ended.as_ref().filter(|(_, outcome)| matches!(outcome, Outcome::List(_)))
        })
        .map(|(ended, _)| *ended)
        .min()
    }

    /// Whether a message has not arrived yet that a list says was sent.
    pub(super) fn is_under_way(&self, lists: &[Vec<i64>]) -> bool {
        self.operations.iter().any(|operation| match operation.request.ask {
            Ask::Send(value, to) => {
                lists[operation.request.object].contains(&value) && !lists[to].contains(&value)
            }
            _ => false,
        })
    }

    /// Messages arrive in the order in which they were sent, and none that was not sent.
    fn check_messages(&self, finals: &[Vec<i64>]) -> Result<(), String> {
        for (from, sent) in finals.iter().enumerate() {
            for (to, received) in finals.iter().enumerate() {
                let is_message = |value: &i64| {
                    self.operations.iter().any(|operation| {
                        operation.request.object == from
                            && operation.request.ask == Ask::Send(*value, to)
                    })
                };
                let sent: Vec<i64> = sent.iter().copied().filter(is_message).collect();
                let received: Vec<i64> = received.iter().copied().filter(is_message).collect();
                if sent != received {
                    return Err(format!(
                        "object {from} sent {sent:?} to object {to}, which got {received:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What a giver has given, the taker has: its answer came before the giver's record was made.
    fn check_gifts(&self, finals: &[Vec<i64>]) -> Result<(), String> {
        for operation in &self.operations {
            if let Ask::Give(value, to) = operation.request.ask
                && finals[operation.request.object].contains(&value)
                && !finals[to].contains(&value)
            {
                return Err(format!(
                    "object {} gave {value} to object {to}, which does not have it",
                    operation.request.object
                ));
            }
        }
        Ok(())
    }
}

impl Moment {
    pub(super) const ALL: [Self; 4] = [Self::First, Self::Last, Self::Committed, Self::Behind];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Committed => "committed",
            Self::Behind => "behind",
        }
    }
}

/// The values of a list that is written in one line.
pub(super) fn list_of(text: &str) -> Option<Vec<i64>> {
    text.split(',').filter(|value| !value.is_empty()).map(|value| value.parse().ok()).collect()
}

impl Ask {
    /// The value that is written, if one is.
    pub(super) fn value(self) -> Option<i64> {
        match self {
            Self::Read | Self::Past(_) => None,
            Self::Append(value) | Self::Give(value, _) | Self::Send(value, _) => Some(value),
        }
    }
}

impl Operation {
    /// The value that the operation writes into `object`, if any.
    fn writes(&self, object: usize) -> Option<i64> {
        match self.request.ask {
            Ask::Append(value) if self.request.object == object => Some(value),
            Ask::Give(value, to) | Ask::Send(value, to)
                if self.request.object == object || to == object =>
            {
                Some(value)
            }
            _ => None,
        }
    }
}

/// No operation that began after another had ended has an earlier place.
fn check_order(object: usize, placed: &[Placed]) -> Result<(), String> {
    for later in placed {
        for earlier in placed {
            let in_order = if later.is_write {
                earlier.place < later.place
            } else {
                earlier.place <= later.place
            };
            if earlier.ended.is_some_and(|ended| ended < later.began) && !in_order {
                return Err(format!(
                    "object {object}: operation {} had ended with {} values before operation {} began, which {} {} values",
                    earlier.number,
                    earlier.place,
                    later.number,
                    if later.is_write { "made it" } else { "saw" },
                    later.place
                ));
            }
        }
    }
    Ok(())
}
