//! Files that nobody of us wrote.

use dotdo_core::{ErrorKind, StoreConfig};
use dotdo_tests::scratch;
use dotdo_tests::sql_object::{difference, dump_of};

use crate::object::{Site, idle_engine, object};

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_file_between_the_records_is_named() {
    let folder = scratch();
    let site = Site::make(StoreConfig::Folder { path: folder.path().join("state") }).await;
    for name in ["!first", "notes.txt", "fffffffffffffffe-2", "ffffffffffffffff-1.bak"] {
        let key = format!("local/local/do/sql/one/log/{name}");
        site.put(&key, "foreign").await;
        let engine = idle_engine(&site.config).await.expect("the store is good");
        let error =
            dump_of(&engine, &object("one"), None).await.expect_err("a log with a foreign file");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        assert!(error.message().contains(&key), "{error:?} names {key}");
        assert_eq!(
            difference(
                &site.other,
                &dump_of(&engine, &object("two"), None).await.expect("another object")
            ),
            None
        );
        site.mend().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_files_in_other_places_are_ignored() {
    let folder = scratch();
    let site = Site::make(StoreConfig::Folder { path: folder.path().join("state") }).await;
    let prefix = "local/local/do/sql/one";
    let unfinished = "0000099999-00000000-0000-4000-8000-000000000001";
    let foreign = [
        "notes.txt",
        "snapshots/notes.txt",
        "snapshots/seq-1/snapshot.json",
        &format!("snapshots/seq-{unfinished}/data/t-0.parquet"),
        &format!("snapshots/iceberg/t/data/{unfinished}-0.parquet"),
        "snapshots/iceberg/t/metadata/version-hint.text",
    ];
    for name in foreign {
        site.put(&format!("{prefix}/{name}"), "foreign").await;
    }
    let engine = idle_engine(&site.config).await.expect("the store is good");
    assert_eq!(
        difference(&site.truth, &dump_of(&engine, &object("one"), None).await.expect("an object")),
        None
    );
}
