//! Formats of the future are refused by name.

use dotdo_core::{ErrorKind, StoreConfig};
use dotdo_tests::scratch;
use dotdo_tests::sql_object::{difference, dump_of};

use crate::object::{Site, idle_engine, object};

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_a_future_version_is_named_with_its_version() {
    let folder = scratch();
    let site = Site::make(StoreConfig::Folder { path: folder.path().join("state") }).await;
    let newest = site
        .keys("one")
        .into_iter()
        .find(|key| key.contains("/log/"))
        .expect("the newest record sorts first");
    let mut bytes = site.content[&newest].to_vec();
    bytes[8] = 3;
    site.put(&newest, bytes).await;
    assert_refused(&site, &newest, "got 3", "version 1 or 2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_a_future_version_is_named_and_as_a_hint_it_is_passed_over() {
    let folder = scratch();
    let site = Site::make(StoreConfig::Folder { path: folder.path().join("state") }).await;
    let newer = |key: &str| {
        let text = String::from_utf8(site.content[key].to_vec()).expect("JSON");
        let newer = text.replacen("\"format\":1", "\"format\":2", 1);
        assert_ne!(text, newer, "the version was found");
        newer
    };
    let keys = site.keys("one");
    let latest = keys.iter().find(|key| key.ends_with("/snapshots/latest")).expect("the hint");
    site.put(latest, newer(latest)).await;
    let engine = idle_engine(&site.config).await.expect("the store is good");
    assert_eq!(
        difference(&site.truth, &dump_of(&engine, &object("one"), None).await.expect("an object")),
        None
    );

    for key in keys.iter().filter(|key| key.ends_with("/snapshot.json")) {
        site.put(key, newer(key)).await;
    }
    let engine = idle_engine(&site.config).await.expect("the store is good");
    let error = dump_of(&engine, &object("one"), None).await.expect_err("no snapshot can be read");
    let key =
        error.details().and_then(|details| details["key"].as_str()).expect("a key").to_owned();
    assert!(keys.contains(&key) && key.ends_with("/snapshot.json"), "{error:?}");
    assert_refused(&site, &key, "got 2", "format 1").await;
}

async fn assert_refused(site: &Site, key: &str, found: &str, known: &str) {
    let engine = idle_engine(&site.config).await.expect("the store is good");
    let error = dump_of(&engine, &object("one"), None).await.expect_err("a future version");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    for part in [key, found, known] {
        assert!(error.message().contains(part), "{error:?} says {part}");
    }
    assert_eq!(
        difference(
            &site.other,
            &dump_of(&engine, &object("two"), None).await.expect("another object")
        ),
        None
    );
}
