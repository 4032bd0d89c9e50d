//! Many seeds, one after the other on every processor; and the same one again.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::planted::{BUGS, Bug, arm, plant};
use crate::simulation::panics;
use crate::simulation::trace::Trace;
use crate::simulation::world::{Outcomes, run};
use crate::sync::Mutex;

/// How many worlds a run tries.
const SEEDS: u64 = 2_500;

/// How many worlds a planted bug may take.
const SEEDS_OF_BUG: u64 = 10_000;

/// How many worlds run at the same time.
const THREADS: usize = 2;

/// A number that somebody has given to this run.
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment what to repeat")]
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}"))
    })
}

/// Runs one world, in which a panic is a problem too.
fn world(seed: u64, trace: Trace, bug: Option<Bug>) -> Outcomes {
    panics::collect();
    plant(bug);
    let mut outcomes = run(seed, trace);
    plant(None);
    arm(None);
    outcomes.problem = outcomes.problem.or_else(panics::take);
    panics::release();
    outcomes
}

/// What to say of a seed that failed.
fn complaint(seed: u64, problem: &str) -> String {
    format!(
        "seed {seed}: {problem}\nto see it happen: DOTDO_TEST_SEED={seed} cargo test -p dotdo-core --lib simulation::tests::histories -- --nocapture"
    )
}

/// Runs the worlds of the seeds `0..count` until one fails, which is returned: the lowest.
fn first_failure(count: u64, bug: Option<Bug>, totals: &Totals) -> Option<(u64, String)> {
    let (next, failed) = (AtomicU64::new(0), Mutex::new(None::<(u64, String)>));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let mut worst = failed.lock();
                    if seed >= count || worst.as_ref().is_some_and(|(other, _)| *other < seed) {
                        return;
                    }
                    drop(worst);
                    let outcomes = world(seed, Trace::hashed(), bug);
                    totals.add(&outcomes);
                    worst = failed.lock();
                    if let Some(problem) = outcomes.problem
                        && worst.as_ref().is_none_or(|(other, _)| seed < *other)
                    {
                        *worst = Some((seed, problem));
                    }
                }
            });
        }
    });
    failed.into_inner()
}

/// Sums over many worlds.
#[derive(Default)]
struct Totals {
    worlds: AtomicU64,
    operations: AtomicU64,
    answered: AtomicU64,
    events: AtomicU64,
}

impl Totals {
    fn add(&self, outcomes: &Outcomes) {
        self.worlds.fetch_add(1, Ordering::Relaxed);
        self.operations.fetch_add(outcomes.operations as u64, Ordering::Relaxed);
        self.answered.fetch_add(outcomes.answered as u64, Ordering::Relaxed);
        self.events.fetch_add(outcomes.events, Ordering::Relaxed);
    }

    #[expect(
        clippy::disallowed_macros,
        clippy::print_stderr,
        reason = "whoever runs it wants to know how much was tried"
    )]
    fn print(&self) {
        let [worlds, operations, answered, events] =
            [&self.worlds, &self.operations, &self.answered, &self.events]
                .map(|count| count.load(Ordering::Relaxed));
        eprintln!(
            "{worlds} worlds, {operations} operations, {answered} of them answered with success, {events} events"
        );
    }
}

#[test]
#[expect(
    clippy::disallowed_macros,
    clippy::print_stderr,
    reason = "whoever repeats a seed wants to read its trace"
)]
fn histories_are_linearizable_whatever_happens() {
    if let Some(seed) = given("DOTDO_TEST_SEED") {
        let outcomes = world(seed, Trace::kept(), None);
        outcomes.trace.iter().for_each(|line| eprintln!("{line}"));
        eprintln!("trace hash {:016x}", outcomes.hash);
        if let Some(problem) = outcomes.problem {
            panic!("{}", complaint(seed, &problem));
        }
        return;
    }
    let totals = Totals::default();
    let failed = first_failure(given("DOTDO_TEST_SEEDS").unwrap_or(SEEDS), None, &totals);
    totals.print();
    if let Some((seed, problem)) = failed {
        panic!("{}", complaint(seed, &problem));
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..100 {
        let (first, second) =
            (world(seed, Trace::hashed(), None), world(seed, Trace::hashed(), None));
        assert_eq!(first.hash, second.hash, "seed {seed} did not do the same twice");
        assert_eq!(first.events, second.events);
    }
}

/// Seeds whose worlds have found bugs that few worlds find. They are tried first: looking through
/// thousands of worlds takes minutes. A seed that finds its bug no longer costs time and nothing
/// else; the table that the test prints has the new one.
const FINDERS: [(Bug, u64); 7] = [
    (Bug::ExistsMeansLost, 1403),
    (Bug::OldProofTrusted, 1898),
    (Bug::OldEmptinessTrusted, 1898),
    (Bug::NoRetention, 316),
    (Bug::WallClockTakeOver, 1540),
    (Bug::SafeMethodBelieved, 281),
    (Bug::TablesByName, 254),
];

/// A world that finds `bug`.
fn find(bug: Bug) -> Option<(u64, String)> {
    let mut known = FINDERS.iter().filter(|(other, _)| *other == bug).map(|(_, seed)| *seed);
    let found =
        known.find_map(|seed| Some((seed, world(seed, Trace::hashed(), Some(bug)).problem?)));
    found.or_else(|| {
        let count = given("DOTDO_TEST_SEEDS").unwrap_or(SEEDS_OF_BUG);
        first_failure(count, Some(bug), &Totals::default())
    })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test is told by its environment what to look for")]
#[expect(
    clippy::disallowed_macros,
    clippy::print_stderr,
    reason = "how many seeds it takes is what one wants to know"
)]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    let wanted = std::env::var("DOTDO_TEST_BUG").ok();
    let bugs = BUGS
        .into_iter()
        .filter(|bug| wanted.as_ref().is_none_or(|wanted| *wanted == format!("{bug:?}")));
    eprintln!("| bug | found at seed | by |\n|---|---|---|");
    for bug in bugs {
        match find(bug) {
            Some((seed, problem)) => {
                eprintln!("| {bug:?} | {seed} | {problem} |");
                let sound = world(seed, Trace::hashed(), None);
                assert_eq!(sound.problem, None, "seed {seed} fails without {bug:?} too");
            }
            None => {
                eprintln!("| {bug:?} | not found | |");
                missed.push(bug);
            }
        }
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
