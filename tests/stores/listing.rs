//! A folder lists as memory does, whatever the names are. Memory is a sorted map, so its listings
//! are right by construction.

use bytes::Bytes;
use dotdo_core::{Bucket, Key, StoreConfig};
use dotdo_tests::{open, runtime, scratch};
use proptest::prelude::*;

/// Names of few characters, so that they often share beginnings; among them what sorts before and
/// after `/`.
fn keys() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set("[a.0-]{1,3}(/[a.0-]{1,3}){0,3}", 1..24).prop_map(|keys| {
        let is_plain = |key: &String| key.split('/').all(|segment| !matches!(segment, "." | ".."));
        let plain: Vec<String> = keys.into_iter().filter(is_plain).collect();
        // In a folder no key is below another.
        let has_below =
            |key: &String| plain.iter().any(|other| other.starts_with(&format!("{key}/")));
        plain.iter().filter(|key| !has_below(key)).cloned().collect()
    })
}

async fn listing(
    bucket: &dyn Bucket,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Vec<(Key, u64)> {
    let after = after.map(Key::new);
    let entries = bucket.list(&Key::new(prefix), after.as_ref(), limit).await.expect("it answers");
    entries.into_iter().map(|entry| (entry.key, entry.bytes)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_folder_lists_as_memory_does(keys in keys(), prefix in "(|a|0|a/a|-)", after in "(|[a.0/-]{1,6})", limit in 0..30_usize) {
        runtime().block_on(async {
            let folder = scratch();
            let memory = open(&StoreConfig::Memory).expect("memory is there");
            let folder = open(&StoreConfig::Folder { path: folder.path().to_owned() }).expect("a folder is there");
            for key in &keys {
                for bucket in [&memory, &folder] {
                    bucket.put(&Key::new(key), Bytes::from(key.clone())).await.expect("a put");
                }
            }
            let after = Some(after.as_str()).filter(|after| !after.is_empty());
            let (expected, found) = (listing(&*memory, &prefix, after, limit).await, listing(&*folder, &prefix, after, limit).await);
            prop_assert_eq!(expected, found);
            Ok(())
        })?;
    }
}
