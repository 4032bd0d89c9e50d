//! Each mistake is caught in the configuration in which the protocol without it holds.

use dotdo_model::{
    ANSWERED, Bug, ENDS, LINEARIZABLE, ONCE, ONE_WINNER, RESTORABLE, SURVIVE, Setup, appends,
    both_kinds, clocks, deletion, explore_until, keyed, leases, progress, replacements, snapshots,
};

/// A mistake, and what it breaks.
type Case = (Bug, &'static str);

const APPENDS: &[Case] = &[
    (Bug::NoNonceCheck, SURVIVE),
    (Bug::NoNonceCheck, ONE_WINNER),
    (Bug::TrustAlreadyExists, ONCE),
    (Bug::EmptyMeansNothingHappened, ONCE),
    (Bug::UnknownRepeated, ONCE),
    (Bug::CatchUpSkips, LINEARIZABLE),
];

const LEASES: &[Case] = &[
    (Bug::AcknowledgeBeforeRecord, SURVIVE),
    (Bug::TwoAppendsInFlight, RESTORABLE),
    (Bug::ReadSkipsGate, LINEARIZABLE),
    (Bug::AnswerAfterLease, LINEARIZABLE),
    (Bug::LeaseFromAnswer, LINEARIZABLE),
    (Bug::LateReadTrusted, LINEARIZABLE),
    (Bug::ServeAfterRelease, LINEARIZABLE),
    (Bug::TakeOverWithoutRecord, LINEARIZABLE),
    (Bug::ClaimComesBack, LINEARIZABLE),
];

const CLOCKS: &[Case] = &[
    (Bug::OwnClockStandsStill, LINEARIZABLE),
    (Bug::TakeOverByWallClock, LINEARIZABLE),
    (Bug::WatchFromQuestion, LINEARIZABLE),
];

const BOTH_KINDS: &[Case] =
    &[(Bug::AppendUnderLease, LINEARIZABLE), (Bug::ReadWithoutProof, LINEARIZABLE)];

const KEYED: &[Case] = &[(Bug::IdempotencyOutside, ONCE)];

const DELETION: &[Case] = &[
    (Bug::NoRetention, ONE_WINNER),
    (Bug::NoRetention, SURVIVE),
    (Bug::RetentionShorterThanProof, ONE_WINNER),
    (Bug::NoProofAge, ONE_WINNER),
    (Bug::HistoryMeansLost, ONCE),
    (Bug::EmptyTrustedOnOldProof, LINEARIZABLE),
];

const SNAPSHOTS: &[Case] =
    &[(Bug::SnapshotOnSweptBase, RESTORABLE), (Bug::SnapshotPublishedLate, RESTORABLE)];

const REPLACEMENTS: &[Case] = &[
    (Bug::ReplayedAcross, LINEARIZABLE),
    (Bug::NamedBeforeUploaded, SURVIVE),
    (Bug::SweptBehind, SURVIVE),
];

const PROGRESS: &[Case] = &[(Bug::NeverTakeOver, ANSWERED), (Bug::NoCatchUp, ENDS)];

/// Makes each mistake in `setup` and checks that what it breaks is seen.
fn are_caught(setup: &Setup, cases: &[Case]) {
    assert_eq!(setup.bug, None);
    for (bug, property) in cases {
        let report = explore_until(&setup.with(*bug), property);
        let counterexample = report
            .counterexample(property)
            .unwrap_or_else(|| panic!("{bug:?} does not break {property:?}: {report}"));
        println!(
            "{bug:?} breaks {property:?} after {} steps, found after {} states:",
            counterexample.len(),
            report.states
        );
        counterexample.iter().for_each(|action| println!("    {action:?}"));
    }
}

#[test]
fn mistakes_in_filling_a_slot_are_caught() {
    are_caught(&appends(), APPENDS);
}

#[test]
fn mistakes_of_servers_are_caught() {
    are_caught(&leases(), LEASES);
}

#[test]
fn mistakes_with_clocks_are_caught() {
    are_caught(&clocks(), CLOCKS);
}

#[test]
fn mistakes_between_the_two_kinds_are_caught() {
    are_caught(&both_kinds(), BOTH_KINDS);
}

#[test]
fn mistakes_with_keys_are_caught() {
    are_caught(&keyed(), KEYED);
}

#[test]
fn mistakes_in_deletion_are_caught() {
    are_caught(&deletion(), DELETION);
}

#[test]
fn mistakes_with_snapshots_are_caught() {
    are_caught(&snapshots(), SNAPSHOTS);
}

#[test]
fn mistakes_in_replacing_a_state_are_caught() {
    are_caught(&replacements(), REPLACEMENTS);
}

#[test]
fn work_that_stands_still_or_goes_round_in_circles_is_caught() {
    are_caught(&progress(), PROGRESS);
}

#[test]
fn every_mistake_is_looked_for() {
    let looked_for: Vec<Bug> =
        [APPENDS, LEASES, CLOCKS, BOTH_KINDS, KEYED, DELETION, SNAPSHOTS, REPLACEMENTS, PROGRESS]
            .concat()
            .iter()
            .map(|(bug, _)| *bug)
            .collect();
    for bug in Bug::ALL {
        assert!(looked_for.contains(bug), "no test looks for {bug:?}");
    }
}
