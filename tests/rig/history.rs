//! What clients did to one ledger and what they were told, and whether its state can be explained
//! by that.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use serde::Deserialize;

/// An entry that a client asked for.
#[derive(Debug, Clone)]
pub struct Append {
    /// Who asked.
    pub client: u64,
    /// Its number for the entry; it asks for each once, or again when nothing remained of it.
    pub n: u64,
    /// Before the request was sent.
    pub asked: Instant,
    /// After the answer had come.
    pub answered: Instant,
    /// What the answer was.
    pub outcome: Outcome,
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The entry is at this position.
    Appended(u64),
    /// Nothing of it remains.
    Refused,
    /// It may be there or not.
    Unknown,
}

/// Entries that a client was told of.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    asked: Instant,
    answered: Instant,
    count: u64,
    /// Which they were, when it was told more than their number.
    digest: Option<u64>,
}

impl Look {
    /// A number of entries, asked for at `asked` and told now.
    pub fn counted(count: u64, asked: Instant) -> Self {
        Self { asked, answered: Instant::now(), count, digest: None }
    }

    /// All entries, asked for at `asked` and told now.
    pub fn seen(state: &State, asked: Instant) -> Self {
        let digest = digests(&state.entries).last().copied();
        Self { asked, answered: Instant::now(), count: state.entries.len() as u64, digest }
    }
}

/// Everything that happened to one ledger.
#[derive(Debug, Default)]
pub struct History {
    /// The entries that were asked for.
    pub appends: Vec<Append>,
    /// The entries that were read.
    pub looks: Vec<Look>,
}

/// A ledger as it says it is.
#[derive(Debug, Deserialize)]
pub struct State {
    /// Position, client, n.
    pub entries: Vec<(u64, u64, u64)>,
    /// Client, how many entries, the last n.
    clients: Vec<(u64, u64, u64)>,
}

impl History {
    /// How many entries were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.appends.iter().filter(|append| matches!(append.outcome, Outcome::Appended(_))).count()
    }

    /// Whether the ledger is what its clients were told: every acknowledged entry at its position,
    /// no refused one, none twice, and all of it in an order that agrees with real time. What was
    /// read is the ledger's beginning, as long as it may have been at that time.
    ///
    /// # Panics
    ///
    /// When it is not, with what is wrong.
    pub fn check(&self, state: &State) {
        let asked: HashMap<(u64, u64), &Append> =
            self.appends.iter().map(|append| ((append.client, append.n), append)).collect();
        assert_eq!(asked.len(), self.appends.len(), "the test asks for each entry once");
        let mut positions = HashMap::new();
        for (index, (position, client, n)) in state.entries.iter().enumerate() {
            assert_eq!(*position, index as u64 + 1, "positions are gapless");
            let append = asked
                .get(&(*client, *n))
                .unwrap_or_else(|| panic!("nobody asked for {client}/{n} at {position}"));
            assert_ne!(
                append.outcome,
                Outcome::Refused,
                "{client}/{n} was refused and is there, at {position}"
            );
            let twice = positions.insert((*client, *n), *position);
            assert_eq!(twice, None, "{client}/{n} is there twice, also at {position}");
        }
        for append in &self.appends {
            let found = positions.get(&(append.client, append.n));
            if let Outcome::Appended(position) = &append.outcome {
                assert_eq!(
                    found,
                    Some(position),
                    "{append:?} was acknowledged; {} entries are there",
                    state.entries.len()
                );
            }
        }
        check_clients(state);
        self.check_time(state, &asked);
    }

    /// Real time: what was answered before something else was asked comes before it.
    fn check_time(&self, state: &State, asked: &HashMap<(u64, u64), &Append>) {
        let appends: Vec<&Append> =
            state.entries.iter().map(|(_, client, n)| asked[&(*client, *n)]).collect();
        // `asked_by[c]`: when the last of the first c entries was asked for. `done_from[c]`: when
        // the first of the others was known to be there.
        let mut asked_by: Vec<Option<Instant>> = vec![None];
        for append in &appends {
            let latest = asked_by.last().copied().flatten().max(Some(append.asked));
            if let (Outcome::Appended(position), Some(latest)) = (&append.outcome, latest) {
                assert!(
                    append.answered >= latest,
                    "entry {position} was acknowledged before one below it was asked for"
                );
            }
            asked_by.push(latest);
        }
        let mut done_from: Vec<Option<Instant>> = vec![None; appends.len() + 1];
        for (index, append) in appends.iter().enumerate().rev() {
            let known = matches!(append.outcome, Outcome::Appended(_)).then_some(append.answered);
            done_from[index] = [known, done_from[index + 1]].into_iter().flatten().min();
        }
        let digests = digests(&state.entries);
        for look in &self.looks {
            let count = usize::try_from(look.count).expect("a small number");
            assert!(
                count <= appends.len(),
                "{look:?}: {count} entries were read, {} are there",
                appends.len()
            );
            assert!(
                look.digest.is_none_or(|digest| digest == digests[count]),
                "{look:?}: the first {count} entries were read as others"
            );
            assert!(
                asked_by[count].is_none_or(|asked| asked <= look.answered),
                "{look:?}: {count} entries were read before all were asked for"
            );
            assert!(
                done_from[count].is_none_or(|done| done >= look.asked),
                "{look:?} is a read from the past: more were acknowledged"
            );
        }
        self.check_looks();
    }

    /// Reads that follow on each other never show less.
    fn check_looks(&self) {
        let (mut by_asked, mut by_answered) = (self.looks.clone(), self.looks.clone());
        by_asked.sort_by_key(|look| look.asked);
        by_answered.sort_by_key(|look| look.answered);
        let (mut before, mut most) = (by_answered.into_iter().peekable(), 0);
        for look in by_asked {
            while let Some(earlier) = before.next_if(|earlier| earlier.answered < look.asked) {
                most = earlier.count.max(most);
            }
            assert!(look.count >= most, "{look:?} is a read from the past: {most} had been read");
        }
    }
}

/// The second table agrees with the first: each client's number of entries and its last one.
fn check_clients(state: &State) {
    let mut seen: HashMap<u64, (u64, u64)> = HashMap::new();
    for (_, client, n) in &state.entries {
        let count = seen.get(client).map_or(0, |(count, _)| *count);
        seen.insert(*client, (count + 1, *n));
    }
    let mut counted: Vec<(u64, u64, u64)> =
        seen.into_iter().map(|(client, (count, last))| (client, count, last)).collect();
    counted.sort_unstable();
    assert_eq!(state.clients, counted, "both tables belong to the same transactions");
}

/// What tells the first `c` entries from any others, for every `c`.
fn digests(entries: &[(u64, u64, u64)]) -> Vec<u64> {
    let mut digests = vec![0];
    for entry in entries {
        let mut hasher = DefaultHasher::new();
        (digests.last(), entry).hash(&mut hasher);
        digests.push(hasher.finish());
    }
    digests
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Duration;

    use super::Outcome::{Appended, Refused, Unknown};
    use super::*;

    /// Appends one after the other, a second each.
    fn history(outcomes: &[Outcome]) -> History {
        let begin = Instant::now();
        let at = |seconds: usize| begin + Duration::from_secs(seconds as u64);
        let append = |n: usize| Append {
            client: 1,
            n: n as u64,
            asked: at(2 * n),
            answered: at(2 * n + 1),
            outcome: outcomes[n].clone(),
        };
        History { appends: (0..outcomes.len()).map(append).collect(), looks: Vec::new() }
    }

    fn state(numbers: &[u64]) -> State {
        let entries =
            numbers.iter().enumerate().map(|(index, n)| (index as u64 + 1, 1, *n)).collect();
        let clients =
            numbers.last().map(|last| (1, numbers.len() as u64, *last)).into_iter().collect();
        State { entries, clients }
    }

    /// What the check says against it.
    fn refuted(history: &History, state: &State) -> Option<String> {
        let error = catch_unwind(AssertUnwindSafe(|| history.check(state))).err()?;
        Some(
            error
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| (*error.downcast_ref::<&str>().expect("a sentence")).to_owned()),
        )
    }

    #[track_caller]
    fn is_refuted_by(sentence: &str, history: &History, state: &State) {
        let refuted = refuted(history, state).unwrap_or_default();
        assert!(refuted.contains(sentence), "{sentence:?} is not in {refuted:?}");
    }

    /// A look right after an append was answered.
    fn look_after(append: &Append, seen: &State) -> Look {
        let asked = append.answered + Duration::from_millis(1);
        Look { answered: asked + Duration::from_millis(1), ..Look::seen(seen, asked) }
    }

    #[test]
    fn a_lost_entry_is_found() {
        let history = history(&[Appended(1), Unknown, Refused, Appended(2)]);
        assert_eq!(refuted(&history, &state(&[0, 3])), None);
        is_refuted_by("was acknowledged; 1 entries are there", &history, &state(&[0]));
        is_refuted_by("was acknowledged; 0 entries are there", &history, &state(&[]));
    }

    #[test]
    fn an_entry_that_is_there_twice_is_found() {
        is_refuted_by("is there twice", &history(&[Appended(1), Unknown]), &state(&[0, 1, 1]));
    }

    #[test]
    fn an_entry_that_was_refused_or_that_nobody_asked_for_is_found() {
        let history = history(&[Appended(1), Refused]);
        is_refuted_by("was refused and is there", &history, &state(&[0, 1]));
        is_refuted_by("nobody asked for", &history, &state(&[0, 9]));
    }

    #[test]
    fn entries_in_another_order_than_they_were_acknowledged_in_are_found() {
        is_refuted_by("was acknowledged", &history(&[Appended(1), Appended(2)]), &state(&[1, 0]));
        // At the positions that were told, but the second was acknowledged before the first was
        // asked for.
        is_refuted_by(
            "before one below it was asked for",
            &history(&[Appended(2), Appended(1)]),
            &state(&[1, 0]),
        );
        // A request that was given up may come late: only then is its entry behind those that were
        // asked for later.
        assert_eq!(refuted(&history(&[Unknown, Appended(1)]), &state(&[1, 0])), None);
        is_refuted_by(
            "before one below it was asked for",
            &history(&[Appended(2), Unknown]),
            &state(&[1, 0]),
        );
    }

    #[test]
    fn half_a_transaction_is_found() {
        let mut half = state(&[0]);
        half.clients.clear();
        is_refuted_by("both tables", &history(&[Appended(1)]), &half);
    }

    #[test]
    fn a_read_that_misses_what_was_acknowledged_before_it_is_found() {
        let mut history = history(&[Appended(1), Appended(2)]);
        history.looks = vec![
            look_after(&history.appends[0], &state(&[0])),
            look_after(&history.appends[1], &state(&[0, 1])),
        ];
        assert_eq!(refuted(&history, &state(&[0, 1])), None);
        history.looks = vec![look_after(&history.appends[0], &state(&[]))];
        is_refuted_by("a read from the past: more were acknowledged", &history, &state(&[0, 1]));
    }

    #[test]
    fn a_read_that_shows_less_than_one_before_it_is_found() {
        let mut history = history(&[Unknown, Unknown]);
        history.looks = vec![
            look_after(&history.appends[0], &state(&[])),
            look_after(&history.appends[1], &state(&[0])),
        ];
        assert_eq!(refuted(&history, &state(&[0, 1])), None, "an unknown entry may come late");
        history.looks = vec![
            look_after(&history.appends[0], &state(&[0])),
            look_after(&history.appends[1], &state(&[])),
        ];
        is_refuted_by("a read from the past: 1 had been read", &history, &state(&[0, 1]));
    }

    #[test]
    fn a_read_of_what_did_not_remain_is_found() {
        let mut history = history(&[Unknown, Unknown, Unknown]);
        history.looks = vec![look_after(&history.appends[2], &state(&[0, 2]))];
        assert_eq!(refuted(&history, &state(&[0, 2])), None);
        is_refuted_by("read as others", &history, &state(&[0, 1]));
        is_refuted_by("entries were read, 1 are there", &history, &state(&[0]));
    }

    #[test]
    fn a_read_from_the_future_is_found() {
        let mut history = history(&[Appended(1), Appended(2)]);
        history.looks = vec![look_after(&history.appends[0], &state(&[0, 1]))];
        is_refuted_by("before all were asked for", &history, &state(&[0, 1]));
    }
}
