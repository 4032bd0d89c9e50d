//! Paused writers and sweepers: whatever they do when they resume, every snapshot in the bucket can
//! be restored.

use super::history::{busy, sweep_now};
use super::*;
use crate::error::ErrorKind;

/// A rig whose memory is as it was when the snapshot was written which others have replaced since,
/// and which was swept.
fn overtaken() -> Rig {
    let mut rig = busy();
    let (database, tracker) = rig.restore(rig.latest()).expect("the newest snapshot");
    for _ in 0..2 {
        rig.commit("UPDATE t SET data = 'others' WHERE id = 7");
        rig.snapshot();
        rig.pass(RETENTION * 2);
    }
    rig.commit("DELETE FROM t WHERE id < 4000");
    rig.snapshot();
    rig.pass(RETENTION * 2);
    assert!(sweep_now(&rig).snapshots > 0);
    (rig.database, rig.tracker) = (database, tracker);
    rig
}

#[test]
fn a_writer_whose_base_was_replaced_long_ago_shares_nothing_with_it() {
    let mut rig = overtaken();
    rig.commit("UPDATE t SET data = 'mine' WHERE id = 9");
    rig.check();
    rig.commit("UPDATE t SET data = 'mine' WHERE id = 10");
    rig.check();
    rig.restart();
}

#[test]
fn a_plan_on_a_base_that_nobody_has_looked_at_is_not_published() {
    let mut rig = overtaken();
    rig.commit("UPDATE t SET data = 'mine' WHERE id = 9");
    let plan = rig.plan_carelessly();
    let begun = Moment::now(Part::Files, &*rig.bucket, &*rig.clock);
    let error = rig.try_publish(plan, begun).expect_err("its base is gone");
    assert!(error.message().contains("was not checked to exist"), "{error}");
    rig.check();
}

/// A rig whose base others replaced ten minutes ago, as it has seen just now.
fn replaced() -> Rig {
    let mut rig = busy();
    let (database, tracker) = rig.restore(rig.latest()).expect("the newest snapshot");
    rig.commit("UPDATE t SET data = 'others' WHERE id = 7");
    rig.snapshot();
    (rig.database, rig.tracker) = (database, tracker);
    rig.pass(Duration::from_secs(600));
    rig.secure_base();
    rig
}

#[test]
fn a_plan_of_this_moment_is_not_published_when_the_look_at_its_base_was_long_ago() {
    let mut rig = replaced();
    rig.clock.pass_unnoticed(Duration::from_secs(2400));
    rig.commit("UPDATE t SET data = 'mine' WHERE id = 9");
    let plan = rig.plan_carelessly();
    let begun = Moment::now(Part::Files, &*rig.bucket, &*rig.clock);
    let error = rig
        .try_publish(plan, begun)
        .expect_err("a sweep may take it before the description arrives");
    assert!(error.message().contains("may be deleted"), "{error}");
    rig.check();
}

#[test]
fn a_base_that_was_replaced_a_moment_ago_is_good_for_a_while_and_then_no_more() {
    let mut rig = replaced();
    let base = rig.tracker.base().expect("a snapshot");
    assert_eq!(
        rig.tracker.base(),
        Some(base),
        "a sweep keeps it for the retention after it was replaced"
    );
    let kept = rig.tracker.kept().expect("it was looked at");
    let holds = |rig: &Rig| kept.holds(REQUEST_IN_FLIGHT_MAX, &*rig.bucket, &*rig.clock);
    assert!(holds(&rig));
    rig.clock.pass_unnoticed(Duration::from_secs(2700));
    assert!(!holds(&rig), "the store's clock tells, also when this process was frozen");
    rig.pass(Duration::from_secs(1800));
    rig.secure_base();
    assert_eq!(rig.tracker.base(), None);
    rig.commit("UPDATE t SET data = 'mine' WHERE id = 9");
    rig.check();
}

/// Time passes unnoticed: others publish, and sweep.
fn while_frozen(rig: &mut Rig) {
    let prefix = rig.prefix();
    let mut other = Rig { sequence: rig.sequence + 10, uuids: 1000, ..Rig::new() };
    other.bucket = Arc::clone(&rig.bucket);
    (other.database, other.tracker) = rig.restore(rig.latest()).expect("the newest snapshot");
    for _ in 0..2 {
        other.clock = Arc::clone(&rig.clock);
        other.commit("DELETE FROM t WHERE id < 4000");
        let plan = other.plan();
        other.publish(plan);
        rig.clock.pass_unnoticed(RETENTION * 2);
    }
    let now_ms = rig.bucket.store_time_ms(Part::Files).expect("memory has a clock");
    let sweeper =
        block_on(Sweeper::look(source(&*rig.bucket, &prefix, &rig.object))).expect("a listing");
    assert!(
        block_on(sweeper.remove(RETENTION, now_ms, Unfinished::Remove)).expect("a sweep").files > 0
    );
}

#[test]
fn a_snapshot_whose_writer_was_frozen_before_it_published_is_not_published() {
    let mut rig = busy();
    rig.commit("UPDATE t SET data = 'mine' WHERE id = 9");
    let begun = Moment::now(Part::Files, &*rig.bucket, &*rig.clock);
    let plan = rig.plan();
    let reference = plan.reference();
    while_frozen(&mut rig);
    let error = rig.try_publish(plan, begun).expect_err("too late");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!rig.keys().contains(&reference.document_key(&rig.prefix()).as_str().to_owned()));
}

#[test]
fn a_snapshot_whose_writer_was_frozen_while_it_published_is_taken_back() {
    let mut rig = busy();
    rig.commit("UPDATE t SET data = 'mine' WHERE id = 9");
    let begun = Moment::now(Part::Files, &*rig.bucket, &*rig.clock);
    let plan = rig.plan();
    let document = plan.reference().document_key(&rig.prefix());
    let clock = Arc::clone(&rig.clock);
    let mut frozen = Some(RETENTION);
    rig.bucket.record().observe(move |operation, _| {
        if operation == Operation::Create {
            clock.pass_unnoticed(frozen.take().unwrap_or_default());
        }
    });
    rig.try_publish(plan, begun).expect_err("too late");
    assert!(!rig.keys().contains(&document.as_str().to_owned()));
    rig.check();
}

#[test]
fn a_sweep_that_comes_to_its_deletes_days_after_its_listing_takes_nothing_that_is_needed() {
    let mut rig = busy();
    rig.commit("UPDATE t SET data = 'x' WHERE id = 1");
    rig.snapshot();
    rig.pass(RETENTION * 2);
    rig.commit("UPDATE t SET data = 'x' WHERE id = 2");
    rig.snapshot();
    let (prefix, object, then_ms) = (rig.prefix(), rig.object.clone(), rig.clock.wall_ms());
    let bucket = Arc::clone(&rig.bucket);
    let sleeper = block_on(Sweeper::look(source(&*bucket, &prefix, &object))).expect("a listing");
    for id in 0..20 {
        rig.commit(&format!("UPDATE t SET data = 'y' WHERE id = {id}"));
        rig.snapshot();
        rig.pass(RETENTION / 5);
        sweep_now(&rig);
    }
    // Whatever it does, or fails to do.
    let _ = block_on(sleeper.remove(RETENTION, then_ms, Unfinished::Remove));
    rig.restart();
    for entry in block_on(list(source(&*rig.bucket, &prefix, &rig.object))).expect("a listing") {
        let document = block_on(read(source(&*rig.bucket, &prefix, &object), entry.reference))
            .expect("a description");
        rig.restore(document).expect("every snapshot that is listed as complete");
    }
}

#[test]
fn a_hint_that_came_too_late_does_not_stop_sweeps() {
    let mut rig = busy();
    let first = rig.tracker.base().expect("a snapshot").document_key(&rig.prefix());
    let late = block_on(rig.bucket.get(&latest_key(&rig.prefix())))
        .expect("an answer")
        .expect("a hint")
        .bytes;
    for id in 0..4 {
        rig.commit(&format!("DELETE FROM t WHERE id <> {id}; UPDATE still SET x = {id}"));
        rig.pass(RETENTION * 2);
        rig.snapshot();
    }
    sweep_now(&rig);
    assert!(!rig.keys().contains(&first.as_str().to_owned()));
    block_on(rig.bucket.put(&latest_key(&rig.prefix()), late)).expect("a write");
    sweep_now(&rig);
}

#[test]
fn nothing_is_removed_while_a_kept_snapshot_lacks_a_file() {
    let mut rig = busy();
    rig.commit("UPDATE t SET data = 'x' WHERE id = 1");
    rig.snapshot();
    rig.pass(RETENTION * 2);
    let prefix = rig.prefix();
    let before = rig.keys();
    let lost = before
        .iter()
        .find(|key| key.contains("/t/data/") && !key.contains("deletes"))
        .expect("a file of rows")
        .clone();
    block_on(rig.bucket.delete(&[Key::new(lost.as_str())])).expect("a delete");
    rig.commit("INSERT INTO still VALUES (2)");
    rig.snapshot();
    rig.pass(RETENTION * 2);
    rig.commit("INSERT INTO still VALUES (3)");
    rig.snapshot();
    let keys = rig.keys();
    let sweeper =
        block_on(Sweeper::look(source(&*rig.bucket, &prefix, &rig.object))).expect("a listing");
    let error = block_on(sweeper.remove(RETENTION, rig.clock.wall_ms(), Unfinished::Remove))
        .expect_err("a file is missing");
    assert!(error.kind() == ErrorKind::Corrupt && error.message().contains(&lost), "{error}");
    let error =
        block_on(sweeper.covered(rig.clock.wall_ms())).expect_err("the records are all there is");
    assert!(error.message().contains(&lost), "{error}");
    assert_eq!(rig.keys(), keys);
}
