//! An object that was deleted.

use super::*;
use crate::store::Bucket as _;

async fn delete(engine: &Engine) -> Result<crate::activation::Deleted> {
    engine.administration().delete_object(&object(), Precondition::Any).await
}

fn no_such_state(result: Result<impl std::fmt::Debug>) {
    assert_eq!(result.expect_err("it did not exist").code(), "NO_SUCH_STATE");
}

#[tokio::test]
async fn a_deleted_object_is_as_one_that_never_existed_and_can_come_back() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::new();
        let engine = world.server_with(1, Settings { ownership, ..Settings::default() }).await;
        let error = delete(&engine).await.expect_err("there is nothing");
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NO_SUCH_OBJECT"));
        for _ in 0..2 {
            get(&engine, "/add").await.expect("it counts");
        }
        let deleted = delete(&engine).await.expect("it is deleted");
        let records = world.records();
        for _ in 0..3 {
            assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
        }
        assert_eq!(world.records(), records, "reading does not create it");
        delete(&engine).await.expect_err("there is nothing");
        let snapshot = engine.administration().snapshot_now(&object()).await;
        assert_eq!(snapshot.expect_err("there is nothing").code(), "NO_SUCH_OBJECT");
        no_such_state(get_at(&engine, At::Sequence(deleted.sequence)).await);
        no_such_state(get_at(&engine, At::TimeMs(now_ms(&world))).await);
        no_such_state(back_to(&engine, deleted.sequence).await);
        assert_eq!(get_at(&engine, At::Sequence(2)).await.expect("the past"), "2");
        engine.shutdown(Duration::from_secs(5)).await;
        let engine = world.server_with(2, Settings { ownership, ..Settings::default() }).await;
        assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
        assert_eq!(get(&engine, "/add").await.expect("it begins anew"), "1");
        let object = object();
        let from = (&object, Some(At::Sequence(2)));
        let administration = engine.administration();
        let refused = administration.restore_state(&object, from, Precondition::Absent).await;
        assert_eq!(refused.expect_err("it is there").code(), "OBJECT_EXISTS");
        delete(&engine).await.expect("it is deleted again");
        let restored = administration.restore_state(&object, from, Precondition::Absent).await;
        restored.expect("nothing is there");
        assert_eq!(get(&engine, "/get").await.expect("what it was"), "2");
        no_such_state(get_at(&engine, At::Sequence(deleted.sequence)).await);
    }
}

#[tokio::test]
async fn a_stale_writer_does_not_bring_a_deleted_object_back() {
    let world = World::new();
    let (one, other) = (world.function(1).await, world.function(2).await);
    for _ in 0..3 {
        get(&one, "/add").await.expect("it counts");
    }
    delete(&other).await.expect("it is deleted");
    assert_eq!(get(&one, "/add").await.expect("it begins anew"), "1");
    delete(&other).await.expect("it is deleted");
    assert_eq!(get(&one, "/get").await.expect("an empty object"), "0");
}

#[tokio::test]
async fn a_claim_on_a_deleted_object_leaves_it_deleted() {
    let (world, engine) = counted().await;
    let deleted = delete(&engine).await.expect("it is deleted");
    let token = get(&engine, "/acquire").await.expect("a lease of an empty object");
    assert!(token.ends_with(&format!(".{}", deleted.sequence + 1)), "{token}");
    engine.shutdown(Duration::from_secs(5)).await;
    world.clock.advance(LEASES_END);
    let engine = world.server(2).await;
    no_such_state(get_at(&engine, At::TimeMs(now_ms(&world))).await);
    delete(&engine).await.expect_err("there is nothing");
    assert_eq!(get(&engine, "/add").await.expect("it begins anew"), "1");
    assert_eq!(get_at(&engine, At::TimeMs(now_ms(&world))).await.expect("it exists"), "1");
}

/// The keys of the object, without those of hints.
fn left(world: &World) -> Vec<String> {
    content(&world.bucket.memory).into_iter().map(|(key, _)| key.as_str().to_owned()).collect()
}

#[tokio::test]
async fn nothing_but_its_last_record_is_left_after_the_retention_though_nobody_opens_it() {
    let (world, engine) = counted().await;
    for _ in 0..3 {
        get(&engine, "/add").await.expect("it counts");
        run_ready().await;
    }
    let deleted = delete(&engine).await.expect("it is deleted");
    let before = left(&world);
    engine.shutdown(Duration::from_secs(5)).await;
    let engine = world.server(2).await;
    for _ in 0..30 {
        world.clock.advance(Duration::from_secs(40));
        run_ready().await;
    }
    assert_eq!(left(&world).len(), before.len(), "it can still be restored");
    assert_eq!(get_at(&engine, At::Sequence(2)).await.expect("the past"), "2");
    world.clock.advance(DAYS);
    for _ in 0..30 {
        world.clock.advance(Duration::from_secs(40));
        run_ready().await;
    }
    let left_over = left(&world);
    assert_eq!(left_over.len(), 1, "{left_over:?}");
    assert!(left_over[0].ends_with(&format!("-{}", deleted.sequence)), "{left_over:?}");
    let markers = now(world.bucket.memory.list(&Key::new("local/local/outbox"), None, 9));
    assert!(markers.is_empty(), "{markers:?}");
    no_such_state(get_at(&engine, At::Sequence(2)).await);
    assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
    assert_eq!(get(&engine, "/add").await.expect("it begins anew"), "1");
    assert_eq!(get_at(&engine, At::TimeMs(now_ms(&world))).await.expect("the present"), "1");
    for _ in 0..2 {
        world.clock.advance(DAYS);
        get(&engine, "/add").await.expect("it counts");
        run_ready().await;
    }
    engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!(get(&world.server(3).await, "/get").await.expect("restored"), "3");
}

#[tokio::test]
async fn whoever_opens_a_deleted_object_deletes_what_it_has_left() {
    let (world, engine) = counted().await;
    get(&engine, "/add").await.expect("it counts");
    delete(&engine).await.expect("it is deleted");
    engine.shutdown(Duration::from_secs(5)).await;
    let markers = now(world.bucket.memory.list(&Key::new("local/local/outbox"), None, 9));
    let markers: Vec<Key> = markers.into_iter().map(|entry| entry.key).collect();
    assert_eq!(markers.len(), 1, "one of the deletion");
    now(world.bucket.memory.delete(&markers));
    world.clock.advance(DAYS);
    let engine = world.server(2).await;
    assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
    run_ready().await;
    assert_eq!(left(&world).len(), 1, "{:?}", left(&world));
    let before = world.bucket.record().count(Operation::Put, "/lock");
    assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
    run_ready().await;
    assert_eq!(world.bucket.record().count(Operation::Put, "/lock"), before, "there is no more");
}

#[tokio::test]
async fn what_differs_from_its_records_is_kept_when_its_object_is_deleted() {
    let (world, engine) = counted().await;
    get(&engine, "/add").await.expect("it counts");
    delete(&engine).await.expect("it is deleted");
    let marker = Key::new("local/local/do/counter/a/snapshots/differs");
    now(world.bucket.memory.put(&marker, "a sentence".into()));
    let before = left(&world).len();
    world.clock.advance(DAYS);
    assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
    run_ready().await;
    assert!(left(&world).len() >= before, "{:?}", left(&world));
}
