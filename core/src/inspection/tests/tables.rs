//! Tables as engines read them.

use super::*;
use crate::Precondition;
use crate::error::ErrorKind;

#[tokio::test]
async fn tables_are_the_newest_until_a_record_changes_something() {
    let world = World::new();
    let one = object("Runs", "one");
    let engine = world.server().await;
    run(&engine, &one, "CREATE TABLE t(a); INSERT INTO t VALUES(1)").await;
    let inspection = world.inspection().await;
    let tables = async || inspection.iceberg_tables(&one).await.expect("there is an object");
    let first = tables().await;
    assert!(first.are_newest && first.names().any(|name| name == "t"));
    let metadata = first.metadata("t").expect("it can be written").expect("there is a table");
    let key = metadata.location.strip_prefix(world.bucket.location()).expect("it is in the bucket");
    let stored = world.bucket.get(&Key::new(&key[1..])).await.expect("memory").expect("a file");
    assert_eq!(stored.bytes, metadata.json, "as it is in the bucket");
    assert_eq!(first.metadata("none").expect("it can be written"), None);
    engine.shutdown(Duration::from_secs(5)).await;
    assert!(tables().await.are_newest, "a release changes nothing");

    let app = App::new().class("Runs", || Runs);
    let later = Engine::start(app, Settings::default(), world.components(3)).await;
    let later = later.expect("memory passes the probe");
    run(&later, &one, "INSERT INTO t VALUES(2)").await;
    let behind = tables().await;
    assert!(!behind.are_newest, "the snapshot lacks a row");
    assert_eq!(behind.metadata("t").expect("it can be written").as_ref(), Some(&metadata));
    later.administration().snapshot_now(&one).await.expect("a snapshot");
    let newest = tables().await;
    assert!(newest.are_newest);
    assert_ne!(newest.metadata("t").expect("it can be written"), Some(metadata));

    let deleted = later.administration().delete_object(&one, Precondition::Any).await;
    deleted.expect("it is there");
    for gone in [&one, &object("Runs", "never")] {
        let error = inspection.iceberg_tables(gone).await.expect_err("there is none");
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NO_SUCH_OBJECT"));
    }
}
