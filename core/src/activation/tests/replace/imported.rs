//! SQLite files that become states of objects, and what must hold for that.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::post::{Post, Server};
use super::random::{head, same, state};
use super::*;
use crate::image::SqliteFile;
use crate::messages::Delivery;
use crate::testing::random_sql;

/// A file with what the statements make.
fn file(sql: &str) -> Bytes {
    let mut made = SqliteFile::new().expect("a database opens");
    made.execute(sql).expect("the statements run");
    made.bytes().expect("a file")
}

/// A file in which a counter is at `value`.
fn counted_to(value: u64) -> Bytes {
    file(&format!("CREATE TABLE n(value INTEGER); INSERT INTO n VALUES({value})"))
}

async fn import(engine: &Engine, file: Bytes, precondition: Precondition) -> Result<Replaced> {
    engine.administration().import(&object(), file, precondition).await
}

#[tokio::test]
async fn a_file_becomes_the_newest_state_and_the_past_stays_as_it_was() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::new();
        let settings = Settings { ownership, ..Settings::default() };
        let engine = world.server_with(1, settings.clone()).await;
        let first = import(&engine, counted_to(41), Precondition::Absent).await;
        let first = first.expect("nobody is there");
        assert_eq!((first.tables, first.rows, first.is_new), (1, 1, true));
        assert_eq!(get(&engine, "/add").await.expect("it counts on"), "42");
        let refused = import(&engine, counted_to(0), Precondition::Absent).await;
        let refused = refused.expect_err("somebody is there");
        assert_eq!(
            (refused.kind(), refused.code()),
            (ErrorKind::PreconditionFailed, "OBJECT_EXISTS")
        );
        let second = import(&engine, counted_to(7), Precondition::Any).await.expect("it is taken");
        assert!(!second.is_new && second.sequence > first.sequence, "{second:?}");
        let then = get_at(&engine, At::Sequence(second.sequence - 1)).await.expect("the past");
        assert_eq!(then, "42");
        let empty = file("CREATE TABLE t(a); DROP TABLE t");
        let emptied = import(&engine, empty, Precondition::Any).await.expect("it is a database");
        assert_eq!((emptied.tables, emptied.rows, emptied.is_new), (0, 0, false));
        assert_eq!(get(&engine, "/get").await.expect("there is no table"), "0");
        back_to(&engine, second.sequence).await.expect("an import can be undone");
        // What can't be taken is not even read.
        let refused = import(&engine, Bytes::from_static(b"x"), Precondition::Absent).await;
        assert_eq!(refused.expect_err("somebody is there").code(), "OBJECT_EXISTS");
        engine.shutdown(Duration::from_secs(5)).await;
        let engine = world.server_with(2, settings).await;
        assert_eq!(get(&engine, "/add").await.expect("restored"), "8");
    }
}

#[tokio::test]
async fn a_file_that_no_object_can_have_is_refused_before_anything_is_written() {
    let (world, engine) = counted().await;
    let records = world.records();
    let whole = counted_to(5);
    let page_bytes = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    let mut damaged = whole.to_vec();
    damaged[page_bytes..page_bytes + 8].fill(0xff);
    for (file, code) in [
        (Bytes::from_static(b"hello"), "BAD_DATABASE_FILE"),
        (whole.slice(..whole.len() - page_bytes), "BAD_DATABASE_FILE"),
        (damaged.into(), "BAD_DATABASE_FILE"),
        (file("CREATE TABLE _dotdo_other(a)"), "RESERVED_NAME"),
    ] {
        let refused = import(&engine, file, Precondition::Any).await.expect_err(code);
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Invalid, code), "{refused}");
    }
    let small = Settings { object_bytes_max: 8192, row_bytes_max: 4096, ..Settings::default() };
    let strict = world.server_with(2, small).await;
    let large = file("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(9000))");
    assert!(large.len() as u64 > strict.administration().file_bytes_max());
    let refused = import(&strict, large, Precondition::Any).await.expect_err("it is too large");
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert_eq!(world.records(), records, "nothing was written");
    assert_eq!(get(&engine, "/get").await.expect("it is as it was"), "1");
}

#[tokio::test]
async fn a_file_does_not_bring_messages_and_those_of_the_object_stay() {
    let post = Post::new();
    let server = post.server().await;
    let friend = |id: &str| Tenant::local().object("Friend", id).expect("a good id");
    // While it is poison, it stays in the outbox.
    post.post(&server, "a", "/send", "b:poison\nc:1").await.expect("it sends");
    post.see(&server, ("c", "/taken"), "a:1").await;
    let taken = server.engine.inspection().file(&friend("a"), None).await.expect("a file");
    let import = async |id: &str| {
        let object = friend(id);
        let administration = server.engine.administration();
        let imported = administration.import(&object, taken.bytes.clone(), Precondition::Any);
        imported.await.expect("it is taken");
    };
    import("d").await;
    import("a").await;
    post.post(&server, "b", "/cure", "").await.expect("it is cured");
    post.see(&server, ("a", "/_dotdo_outbox"), "").await;
    post.see(&server, ("d", "/_dotdo_outbox"), "").await;
    assert_eq!(post.get(&server, "b", "/taken").await, "a:poison", "once, and not of d");
    assert_eq!(post.get(&server, "c", "/taken").await, "a:1");
    // What an object has accepted, it does not accept again after an import.
    assert_eq!(deliver(&server, 7).await, 200);
    let before = server.engine.inspection().file(&friend("b"), Some(At::Sequence(1))).await;
    let before = before.expect("a file").bytes;
    let administration = server.engine.administration();
    administration.import(&friend("b"), before, Precondition::Any).await.expect("it is taken");
    assert_eq!(deliver(&server, 7).await, 208, "it was executed");
}

/// Delivers message `number` of `z` to `b`.
async fn deliver(server: &Server, number: u64) -> u16 {
    let friend = |id: &str| Tenant::local().object("Friend", id).expect("a good id");
    let mut request = http::Request::post("/take").body(Body::from("text")).expect("a request");
    request.extensions_mut().insert(Delivery { sender: friend("z"), number });
    let answer = server.engine.fetch(&friend("b"), None, request).await;
    answer.expect("it is accepted").status().as_u16()
}

#[tokio::test]
async fn a_state_is_unchanged_after_records_that_changed_nothing() {
    let (world, engine) = counted().await;
    let before = head(&engine).await;
    engine.shutdown(Duration::from_secs(5)).await;
    world.clock.advance(LEASES_END);
    // A server that takes the object over writes a record first.
    let engine = world.server(2).await;
    let unchanged = Precondition::Unchanged(before);
    let replaced = import(&engine, counted_to(9), unchanged).await.expect("nobody wrote");
    assert!(replaced.sequence > before, "{replaced:?}");
    for expected in [before, replaced.sequence + 1, 0] {
        let precondition = Precondition::Unchanged(expected);
        let refused = import(&engine, counted_to(1), precondition).await.expect_err("it changed");
        assert_eq!(
            (refused.kind(), refused.code()),
            (ErrorKind::PreconditionFailed, "OBJECT_CHANGED")
        );
        let refused = engine.administration().delete_object(&object(), precondition).await;
        assert_eq!(refused.expect_err("it changed").code(), "OBJECT_CHANGED");
    }
    assert_eq!(get(&engine, "/get").await.expect("it is there"), "9");
    let newest = Precondition::Unchanged(head(&engine).await);
    engine.administration().delete_object(&object(), newest).await.expect("nobody wrote");
    assert_eq!(get(&engine, "/get").await.expect("an empty object"), "0");
}

/// An object with a random history goes out as a file, which becomes an object of another bucket.
async fn over(choices: &[u32]) {
    let (world, other) = (World::of(App::new()), World::of(App::new()));
    let from = world.function(1).await;
    for statement in random_sql::script(choices).into_iter().flatten() {
        let _may_fail = sql(&from, &statement).await;
    }
    let newest = head(&from).await;
    if newest == 0 {
        return;
    }
    let file = from.inspection().file(&object(), None).await.expect("a file").bytes;
    let to = other.server(2).await;
    let imported = import(&to, file, Precondition::Absent).await.expect("an own file is taken");
    let (before, after) = (state(&from, newest).await, state(&to, imported.sequence).await);
    same(before.as_ref(), after.as_ref(), "the imported state");
    to.shutdown(Duration::from_secs(5)).await;
    other.clock.advance(LEASES_END);
    let again = other.server(3).await;
    let file = again.inspection().file(&object(), None).await.expect("a file").bytes;
    import(&from, file, Precondition::Any).await.expect("and back");
    let back = state(&from, head(&from).await).await;
    same(before.as_ref(), back.as_ref(), "the state that came back");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_object_is_the_same_in_another_bucket_and_back(
        choices in prop::collection::vec(any::<u32>(), 0..random_sql::CHOICES_MAX),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(over(&choices));
    }
}
