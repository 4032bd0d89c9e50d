//! What clients did to one ledger and what they were told, and whether its state can be explained by that.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use serde::Deserialize;

/// An entry that a client asked for.
#[derive(Debug, Clone)]
pub(crate) struct Append {
    pub(crate) client: u64,
    pub(crate) n: u64,
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    pub(crate) outcome: Outcome,
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The entry is at this position.
    Appended(u64),
    /// Nothing of it remains.
    Refused,
    /// It may be there or not.
    Unknown,
}

/// A count that a client was told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) asked: Instant,
    pub(crate) answered: Instant,
    pub(crate) count: u64,
}

/// Everything that happened to one ledger.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) appends: Vec<Append>,
    pub(crate) looks: Vec<Look>,
}

/// A ledger as it says it is.
#[derive(Debug, Deserialize)]
pub(crate) struct State {
    /// Position, client, n.
    pub(crate) entries: Vec<(u64, u64, u64)>,
    /// Client, how many entries, the last n.
    clients: Vec<(u64, u64, u64)>,
}

impl History {
    /// How many entries were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.appends.iter().filter(|append| matches!(append.outcome, Outcome::Appended(_))).count()
    }

    /// Whether the ledger is what its clients were told: every acknowledged entry at its position, no refused one, none twice, each client's
    /// in its order, and all of it in an order that agrees with real time, for the counts that were read too.
    ///
    /// # Panics
    ///
    /// When it is not, with what is wrong.
    pub(crate) fn check(&self, state: &State) {
        let asked: HashMap<(u64, u64), &Append> = self.appends.iter().map(|append| ((append.client, append.n), append)).collect();
        assert_eq!(asked.len(), self.appends.len(), "the test asks for each entry once");
        let mut positions = HashMap::new();
        for (index, (position, client, n)) in state.entries.iter().enumerate() {
            assert_eq!(*position, index as u64 + 1, "positions are gapless");
            let append = asked.get(&(*client, *n)).unwrap_or_else(|| panic!("nobody asked for {client}/{n} at {position}"));
            assert_ne!(append.outcome, Outcome::Refused, "{client}/{n} was refused and is there, at {position}");
            let twice = positions.insert((*client, *n), *position);
            assert_eq!(twice, None, "{client}/{n} is there twice, also at {position}");
        }
        for append in &self.appends {
            let found = positions.get(&(append.client, append.n));
            if let Outcome::Appended(position) = &append.outcome {
                assert_eq!(found, Some(position), "{append:?} was acknowledged; {} entries are there", state.entries.len());
            }
        }
        check_clients(state);
        self.check_time(state, &asked);
    }

    /// Real time: what was answered before something else was asked comes before it.
    fn check_time(&self, state: &State, asked: &HashMap<(u64, u64), &Append>) {
        let appends: Vec<&Append> = state.entries.iter().map(|(_, client, n)| asked[&(*client, *n)]).collect();
        // `asked_by[c]`: when the last of the first c entries was asked for. `done_from[c]`: when the first of the others was known to be there.
        let mut asked_by: Vec<Option<Instant>> = vec![None];
        for append in &appends {
            let latest = asked_by.last().copied().flatten().max(Some(append.asked));
            if let (Outcome::Appended(position), Some(latest)) = (&append.outcome, latest) {
                assert!(append.answered >= latest, "entry {position} was acknowledged before one below it was asked for");
            }
            asked_by.push(latest);
        }
        let mut done_from: Vec<Option<Instant>> = vec![None; appends.len() + 1];
        for (index, append) in appends.iter().enumerate().rev() {
            let known = matches!(append.outcome, Outcome::Appended(_)).then_some(append.answered);
            done_from[index] = [known, done_from[index + 1]].into_iter().flatten().min();
        }
        for look in &self.looks {
            let count = usize::try_from(look.count).expect("a small number");
            assert!(count <= appends.len(), "{count} entries were counted, {} are there", appends.len());
            assert!(asked_by[count].is_none_or(|asked| asked <= look.answered), "{count} entries were counted before all were asked for");
            assert!(done_from[count].is_none_or(|done| done >= look.asked), "{count} is a count from the past: more were acknowledged");
        }
        self.check_looks();
    }

    /// Counts that follow on each other never fall.
    fn check_looks(&self) {
        let (mut by_asked, mut by_answered) = (self.looks.clone(), self.looks.clone());
        by_asked.sort_by_key(|look| look.asked);
        by_answered.sort_by_key(|look| look.answered);
        let (mut before, mut most) = (by_answered.into_iter().peekable(), 0);
        for look in by_asked {
            while let Some(earlier) = before.next_if(|earlier| earlier.answered < look.asked) {
                most = earlier.count.max(most);
            }
            assert!(look.count >= most, "{} is a count from the past: {most} had been counted", look.count);
        }
    }
}

/// Each client's entries are in its order, and the second table agrees with the first.
fn check_clients(state: &State) {
    let mut seen: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for (position, client, n) in &state.entries {
        let (count, last) = seen.get(client).copied().map_or((0, None), |(count, last)| (count, Some(last)));
        assert!(last.is_none_or(|last| last < *n), "{client}/{n} at {position} comes after {client}/{last:?}");
        seen.insert(*client, (count + 1, *n));
    }
    let counted: Vec<(u64, u64, u64)> = seen.into_iter().map(|(client, (count, last))| (client, count, last)).collect();
    assert_eq!(state.clients, counted, "both tables belong to the same transactions");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Appends one after the other, a second each.
    fn history(outcomes: &[Outcome]) -> History {
        let begin = Instant::now();
        let at = |seconds: usize| begin + Duration::from_secs(seconds as u64);
        let append = |n: usize| Append { client: 1, n: n as u64, asked: at(2 * n), answered: at(2 * n + 1), outcome: outcomes[n].clone() };
        History { appends: (0..outcomes.len()).map(append).collect(), looks: Vec::new() }
    }

    fn state(numbers: &[u64]) -> State {
        let entries = numbers.iter().enumerate().map(|(index, n)| (index as u64 + 1, 1, *n)).collect();
        let clients = numbers.last().map(|last| (1, numbers.len() as u64, *last)).into_iter().collect();
        State { entries, clients }
    }

    fn is_refuted(history: &History, state: &State) -> bool {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history.check(state))).is_err()
    }

    #[test]
    fn the_check_finds_what_it_is_for() {
        use Outcome::{Appended, Refused, Unknown};
        let history_of = history(&[Appended(1), Unknown, Refused, Appended(2)]);
        assert!(!is_refuted(&history_of, &state(&[0, 3])));
        assert!(is_refuted(&history_of, &state(&[0])), "lost");
        assert!(is_refuted(&history_of, &state(&[3, 0])), "out of order");
        assert!(is_refuted(&history_of, &state(&[0, 2, 3])), "refused and there");
        assert!(is_refuted(&history_of, &state(&[0, 3, 3])), "twice");
        assert!(is_refuted(&history_of, &state(&[0, 3, 9])), "out of nothing");
        let mut history_of = history(&[Appended(1), Unknown]);
        let after = |from: &Append, millis| from.answered + Duration::from_millis(millis);
        let look = |from: &Append, count| Look { asked: after(from, 1), answered: after(from, 2), count };
        history_of.looks = vec![look(&history_of.appends[0], 1)];
        assert!(!is_refuted(&history_of, &state(&[0, 1])));
        history_of.looks = vec![look(&history_of.appends[0], 0)];
        assert!(is_refuted(&history_of, &state(&[0, 1])), "a look into the past");
        history_of.looks = vec![look(&history_of.appends[1], 2), look(&history_of.appends[0], 1)];
        assert!(!is_refuted(&history_of, &state(&[0, 1])));
    }
}
