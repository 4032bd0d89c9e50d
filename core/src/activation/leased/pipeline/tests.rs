//! Reads that join a record, and what proves them.

use std::time::Duration;

use super::*;
use crate::testing::ManualClock;

const LEASE: Duration = Duration::from_secs(1);

fn head(sequence: u64) -> Head {
    Head { sequence, ..Head::NONE }
}

/// A restored state that ends with record 1.
fn restored(clock: &ManualClock) -> LogState {
    let proof = Proof::by_own_clocks(Instant::now(clock));
    LogState { head: head(1), snapshot: None, since_snapshot: SinceSnapshot::default(), proof }
}

/// The changes of a transaction.
fn written() -> Submission {
    Submission { bytes: 1, ..Submission::default() }
}

/// A record is on its way, and a read has joined it.
fn joined(clock: &ManualClock) -> (Pipeline, Ticket, Ticket, Lease) {
    let mut pipeline = Pipeline::new(clock);
    let quiet = pipeline.quiet().expect("nothing is on its way");
    pipeline.reset(quiet, restored(clock)).expect("nothing was on its way");
    let (Gate::Record(early), true) = pipeline.gate(false, LEASE, clock) else {
        panic!("without a lease, a read needs a record")
    };
    assert!(pipeline.next_job().is_some());
    let lease = Lease { granted: Instant::now(clock), duration: LEASE };
    let (Gate::Record(late), false) = pipeline.gate(false, LEASE, clock) else {
        panic!("a record is on its way")
    };
    (pipeline, early, late, lease)
}

fn honour(done: Done) {
    for waiter in done.waiters {
        let Waiter::Response(waiter) = waiter else { panic!("nothing else waits") };
        waiter.send(Ok(head(2))).expect("the test waits");
    }
}

#[test]
fn a_read_that_joined_a_record_under_way_leaves_with_it_while_its_lease_holds() {
    let clock = ManualClock::default();
    let (mut pipeline, mut early, mut late, lease) = joined(&clock);
    honour(pipeline.won(head(2), lease, SinceSnapshot::default(), &clock));
    assert!(early.try_recv().is_ok() && late.try_recv().is_ok());
    assert!(pipeline.next_job().is_none());
}

#[test]
fn a_read_that_joined_a_record_under_way_needs_another_when_its_lease_is_over() {
    let clock = ManualClock::default();
    let (mut pipeline, mut early, mut late, lease) = joined(&clock);
    // The record was written, then the process was paused; others may have taken the object over
    // since.
    clock.advance(2 * LEASE);
    honour(pipeline.won(head(2), lease, SinceSnapshot::default(), &clock));
    assert!(early.try_recv().is_ok() && late.try_recv().is_err());
    assert!(pipeline.next_job().is_some(), "the next record proves it");
    honour(pipeline.unrenewed().expect("nothing else waits"));
    assert!(late.try_recv().is_ok());
}

#[test]
fn a_read_under_a_lease_waits_for_changes_and_not_for_the_record_that_renews_it() {
    let clock = ManualClock::default();
    let (mut pipeline, _, _, lease) = joined(&clock);
    honour_if_waited_for(pipeline.won(head(2), lease, SinceSnapshot::default(), &clock));
    assert!(pipeline.next_job().is_none());
    clock.advance(LEASE * 3 / 5);
    assert!(matches!(pipeline.gate(false, LEASE, &clock), (Gate::Open, true)), "it renews");
    assert!(pipeline.next_job().is_some());
    assert!(
        matches!(pipeline.gate(false, LEASE, &clock), (Gate::Open, false)),
        "the store takes its time, the lease holds"
    );
    let _written = pipeline.submit(written());
    assert!(
        matches!(pipeline.gate(false, LEASE, &clock), (Gate::Record(_), false)),
        "it could have seen what is on its way"
    );
    clock.advance(LEASE);
    assert!(
        matches!(pipeline.gate(false, LEASE, &clock), (Gate::Record(_), false)),
        "the lease is over"
    );
}

#[test]
fn a_read_does_not_rest_on_a_lease_that_is_being_given_up() {
    let clock = ManualClock::default();
    let (mut pipeline, _, _, lease) = joined(&clock);
    honour_if_waited_for(pipeline.won(head(2), lease, SinceSnapshot::default(), &clock));
    let (Some(_released), _) = pipeline.release(&clock) else {
        panic!("there is a lease to give up")
    };
    assert!(matches!(pipeline.gate(false, LEASE, &clock), (Gate::Record(_), false)));
}

/// Notifies those that still wait.
fn honour_if_waited_for(done: Done) {
    for waiter in done.waiters {
        let Waiter::Response(waiter) = waiter else { panic!("nothing else waits") };
        let _ = waiter.send(Ok(head(2)));
    }
}

#[test]
fn a_new_memory_is_refused_while_a_record_is_on_its_way_or_has_been_since_the_log_was_read() {
    let clock = ManualClock::default();
    let mut pipeline = Pipeline::new(&clock);
    let state = restored(&clock);
    let before = pipeline.quiet().expect("nothing is on its way");
    let _written = pipeline.submit(written());
    assert!(pipeline.quiet().is_none());
    assert!(pipeline.reset(before, state).is_err(), "what is on its way would be forgotten");
    assert!(pipeline.next_job().is_some());
    let lease = Lease { granted: Instant::now(&clock), duration: LEASE };
    honour_if_waited_for(pipeline.won(head(1), lease, SinceSnapshot::default(), &clock));
    assert!(pipeline.next_job().is_none());
    assert!(pipeline.reset(before, state).is_err(), "the state that was read may lack it");
    let after = pipeline.quiet().expect("nothing is on its way");
    assert_eq!(pipeline.reset(after, state).expect("it is quiet"), 1);
}
