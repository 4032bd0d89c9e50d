//! Each single object in the bucket, damaged in each way.

use bytes::Bytes;
use dotdo_core::{At, Error, ErrorKind, StoreConfig};
use dotdo_tests::damage::Damage;
use dotdo_tests::sql_object::{difference, dump_of};
use dotdo_tests::{Seaweed, scratch, unique};

use crate::object::{EARLIER, Site, idle_engine, object, write};

#[tokio::test(flavor = "multi_thread")]
async fn in_a_folder_any_damage_to_any_object_is_named_or_harmless() {
    let folder = scratch();
    let site = Site::make(StoreConfig::Folder { path: folder.path().join("state") }).await;
    let (mut named, mut harmless) = (0, 0);
    for key in site.keys("one") {
        for damage in Damage::ALL {
            if check(&site, &key, damage).await { named += 1 } else { harmless += 1 }
        }
    }
    assert!(named > 50 && harmless > 50, "{named} were named, {harmless} harmless");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_s3_any_damage_to_any_object_is_named_or_harmless() {
    let site = Site::make(Seaweed::shared().config(&format!("damage-{}", unique().simple()))).await;
    for (index, key) in site.keys("one").iter().enumerate() {
        check(&site, key, Damage::ALL[index * 3 % Damage::ALL.len()]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_verdict_of_the_probe_costs_a_probe() {
    let folder = scratch();
    let site = Site::make(StoreConfig::Folder { path: folder.path().join("state") }).await;
    let whole = site.content[".dotdo/probe.json"].clone();
    let newer = String::from_utf8(whole.to_vec()).expect("JSON").replacen(
        "\"version\": 1",
        "\"version\": 99",
        1,
    );
    assert_ne!(newer.as_bytes(), whole, "the version was found");
    for bad in [whole.slice(..9), Bytes::new(), newer.into(), Bytes::from_static(b"\xff\xfe")] {
        site.put(".dotdo/probe.json", bad).await;
        let engine = idle_engine(&site.config).await.expect("the store is good");
        assert_eq!(
            difference(
                &site.truth,
                &dump_of(&engine, &object("one"), None).await.expect("an object")
            ),
            None
        );
    }
}

/// Damages one key and looks at the object through fresh servers. Whether the damage was named.
async fn check(site: &Site, key: &str, damage: Damage) -> bool {
    match damaged(site, key, damage) {
        Some(bytes) => site.put(key, bytes).await,
        None => site.delete(key).await,
    }
    let what = format!("{key} {damage:?}");
    let engine = idle_engine(&site.config).await.expect("the store is good");
    match dump_of(&engine, &object("one"), Some(At::Sequence(EARLIER))).await {
        Ok(found) => assert_eq!(difference(&site.earlier, &found), None, "{what}, former state"),
        // A record of long ago that is missing looks like one that the retention has released.
        Err(error) if damage == Damage::Deleted && error.code() == "NO_SUCH_STATE" => {}
        Err(error) => assert_named(&error, key, &what),
    }
    let is_named = match dump_of(&engine, &object("one"), None).await {
        Ok(found) => {
            assert_eq!(difference(&site.truth, &found), None, "{what}");
            if matches!(damage, Damage::Emptied | Damage::Exchanged | Damage::Deleted) {
                assert_goes_on(site, &what).await;
            }
            false
        }
        Err(error) => {
            assert_named(&error, key, &what);
            true
        }
    };
    if damage == Damage::Emptied {
        let other = dump_of(&engine, &object("two"), None)
            .await
            .unwrap_or_else(|error| panic!("{what} harms another object: {error:?}"));
        assert_eq!(difference(&site.other, &other), None, "{what}, the other object");
    }
    site.mend().await;
    is_named
}

/// An object whose damage was harmless goes on: the next write and the next snapshot hold what they
/// must.
async fn assert_goes_on(site: &Site, what: &str) {
    let engine = idle_engine(&site.config).await.expect("the store is good");
    write(&engine, "one", &["INSERT INTO w VALUES ('next', 1, NULL)"]).await;
    engine.shutdown(std::time::Duration::from_secs(60)).await;
    let engine = idle_engine(&site.config).await.expect("the store is good");
    let found = dump_of(&engine, &object("one"), None)
        .await
        .unwrap_or_else(|error| panic!("{what}, after a write: {error:?}"));
    let without: Vec<String> =
        found.iter().filter(|line| !line.contains("text \"next\"")).cloned().collect();
    assert_eq!(found.len(), without.len() + 1, "{what}: the new row is there");
    assert_eq!(difference(&site.truth, &without), None, "{what}, after a write");
}

fn assert_named(error: &Error, key: &str, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error:?}");
    assert!(error.message().contains(key), "{what}: {error:?} names the key");
    assert_eq!(
        error.details().and_then(|details| details["key"].as_str()),
        Some(key),
        "{what}: {error:?}"
    );
}

/// The damaged content; `None` when it is to be deleted.
fn damaged(site: &Site, key: &str, damage: Damage) -> Option<Bytes> {
    let (ours, theirs) = (site.keys("one"), site.keys("two"));
    let index = ours.iter().position(|our| our == key).expect("a key of the first object");
    // The histories are alike, but a snapshot may have begun twice. Any other content will do.
    let other = theirs.get(index).or(theirs.last()).expect("the other object has keys");
    damage.of(&site.content[key], &site.content[other])
}
