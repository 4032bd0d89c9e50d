//! Writers and readers that slept, and whose clocks may not say so.

use futures_util::FutureExt;

use super::*;

const HOURS: Duration = Duration::from_secs(4 * 3600);

/// Records 1 to 3, of which the second is history; and the proof of a writer that slept since
/// record 1 was the head.
async fn moved_on() -> (World, Hash, Proof) {
    let world = world();
    let first = world.encoded(1, 1);
    assert!(won(&world.append(1, &first).await));
    let proof = Proof::now(&world.log);
    assert!(won(&world.append(2, &world.encoded(2, 20)).await));
    assert!(won(&world.append(3, &world.encoded(3, 30)).await));
    world.bucket.delete(&[world.log.key(2)]).await.expect("memory deletes");
    (world, first.hash, proof)
}

impl World {
    /// Runs `during` once, while the next request to fill a slot is on its way.
    fn during_the_next_create(&self, during: impl FnOnce() + Send + 'static) {
        let mut during = Some(during);
        self.bucket.before_commits(move |_| {
            if let Some(during) = during.take() {
                during();
            }
        });
    }
}

#[tokio::test]
async fn a_thawed_writer_whose_clocks_stood_still_does_not_take_a_deleted_slot_for_its_own() {
    let (world, _, proof) = moved_on().await;
    world.clock.pass_unnoticed(HOURS);
    let late = append(&world.log, 2, &world.encoded(2, 99), proof, DEADLINE).await;
    assert!(matches!(late, Ok(Appended::Lost)), "{late:?}");
}

#[tokio::test]
async fn a_writer_that_is_frozen_during_its_request_does_not_take_a_deleted_slot_for_its_own() {
    let (world, _, proof) = moved_on().await;
    let clock = world.clock.clone();
    world.during_the_next_create(move || clock.pass_unnoticed(HOURS));
    let late = append(&world.log, 2, &world.encoded(2, 99), proof, DEADLINE).await;
    assert!(matches!(late, Ok(Appended::Lost)), "{late:?}");
}

#[tokio::test]
async fn an_own_record_that_others_have_built_on_is_won_however_late_its_writer_looks() {
    let world = world();
    let mine = world.encoded(1, 1);
    let theirs = Record { previous: mine.hash, ..record(&world.log, 2, 2) }
        .encode()
        .expect("a small record");
    let slots = [(world.log.key(1), mine.bytes.clone()), (world.log.key(2), theirs.bytes)];
    let (bucket, clock) = (world.bucket.clone(), world.clock.clone());
    world.bucket.fail_next_commits([Fault::NotApplied]);
    // The request lands, its answer is lost, and another goes on from there while this writer
    // sleeps.
    world.during_the_next_create(move || {
        for (key, bytes) in slots {
            bucket
                .memory
                .put(&key, bytes)
                .now_or_never()
                .expect("memory is immediate")
                .expect("memory puts");
        }
        clock.advance(HOURS);
    });
    let late = world.append(1, &mine).await;
    assert!(won(&late), "{late:?}");
}

#[tokio::test]
async fn what_became_of_a_request_is_unknown_when_its_slot_is_history() {
    let world = world();
    let mine = world.encoded(1, 1);
    let (bucket, clock, second) = (world.bucket.clone(), world.clock.clone(), world.log.key(2));
    world.bucket.fail_next_commits([Fault::NotApplied]);
    world.during_the_next_create(move || {
        bucket
            .memory
            .put(&second, Bytes::from_static(b"head"))
            .now_or_never()
            .expect("memory is immediate")
            .expect("memory puts");
        clock.pass_unnoticed(HOURS);
    });
    let error = world.append(1, &mine).await.expect_err("it may have been in the slot");
    assert_eq!(error.kind(), ErrorKind::Unknown);
}

#[tokio::test]
async fn an_empty_slot_proves_the_head_and_a_filled_one_is_returned() {
    let world = world();
    let first = world.encoded(1, 1);
    let mut proof = Proof::now(&world.log);
    assert!(matches!(
        next(&world.log, at(0, Hash::NONE), &mut proof, &mut world.log.room()).await,
        Ok(Next::Nothing)
    ));
    assert!(won(&world.append(1, &first).await));
    let Ok(Next::Record(found)) =
        next(&world.log, at(0, Hash::NONE), &mut proof, &mut world.log.room()).await
    else {
        panic!("record 1 is there")
    };
    assert_eq!(
        (found.record.sequence, found.hash, found.modified_ms),
        (1, first.hash, world.clock.wall_ms())
    );
    assert!(matches!(
        next(&world.log, at(1, first.hash), &mut proof, &mut world.log.room()).await,
        Ok(Next::Nothing)
    ));
    assert!(won(&world.append(2, &world.encoded(2, 2)).await), "it names no predecessor");
    let error = next(&world.log, at(1, first.hash), &mut proof, &mut world.log.room())
        .await
        .expect_err("the chain is broken");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn an_empty_slot_proves_nothing_to_a_reader_that_slept() {
    let (world, hash, mut proof) = moved_on().await;
    world.clock.advance(HOURS);
    assert!(matches!(
        next(&world.log, at(1, hash), &mut proof, &mut world.log.room()).await,
        Ok(Next::Gone)
    ));
}

#[tokio::test]
async fn an_empty_slot_proves_nothing_to_a_thawed_reader_whose_clocks_stood_still() {
    let (world, hash, mut proof) = moved_on().await;
    world.clock.pass_unnoticed(HOURS);
    assert!(matches!(
        next(&world.log, at(1, hash), &mut proof, &mut world.log.room()).await,
        Ok(Next::Gone)
    ));
    // What is found by a listing that shows newer records renews no proof.
    assert!(matches!(
        next(&world.log, at(1, hash), &mut proof, &mut world.log.room()).await,
        Ok(Next::Gone)
    ));
}

#[tokio::test]
async fn a_stale_proof_is_renewed_by_a_listing() {
    let world = world();
    let first = world.encoded(1, 1);
    assert!(won(&world.append(1, &first).await));
    let mut proof = Proof::now(&world.log);
    world.clock.advance(HOURS);
    assert!(!proof.is_fresh(&world.log));
    assert!(matches!(
        next(&world.log, at(1, first.hash), &mut proof, &mut world.log.room()).await,
        Ok(Next::Nothing)
    ));
    assert!(proof.is_fresh(&world.log));
}

#[test]
fn a_proof_from_before_the_store_first_told_its_time_counts_no_more() {
    let world = world();
    assert!(!Proof::by_own_clocks(world.now()).is_fresh(&world.log));
}

/// A head with this number and hash.
fn at(sequence: u64, hash: Hash) -> Head {
    Head { sequence, hash, ..Head::NONE }
}
