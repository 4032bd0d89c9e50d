//! A bucket whose owner writes into it what no server does: sizes that nobody can hold. The object
//! gets an error that names the key, or goes without the hint, and no other object notices.

use std::fs::OpenOptions;

use dotdo_core::{ErrorKind, StoreConfig};
use dotdo_tests::scratch;
use dotdo_tests::sql_object::{difference, dump_of};

use crate::object::{Site, idle_engine, object};

/// A file without content, of which the file system says that it has so many bytes.
const HUGE: u64 = 10 << 30;

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_ten_gigabytes_are_not_read_to_find_out_that_they_are_not_ours() {
    let folder = scratch();
    let state = folder.path().join("state");
    let site = Site::make(StoreConfig::Folder { path: state.clone() }).await;
    let (mut refused, mut served) = (0, 0);
    for key in site.keys("one") {
        let file = OpenOptions::new().write(true).open(state.join(&key)).expect("a file");
        file.set_len(HUGE).expect("a file system with sparse files");
        drop(file);
        let engine = idle_engine(&site.config).await.expect("the store is good");
        match dump_of(&engine, &object("one"), None).await {
            Ok(found) => {
                assert_eq!(difference(&site.truth, &found), None, "{key}");
                served += 1;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{key}: {error:?}");
                assert!(error.message().contains(&key), "{error:?} names {key}");
                refused += 1;
            }
        }
        let other = dump_of(&engine, &object("two"), None).await.expect("another object");
        assert_eq!(difference(&site.other, &other), None, "{key}");
        site.put(&key, site.content[&key].clone()).await;
    }
    assert!(refused > 2 && served > 2, "{refused} are refused, {served} are not needed");
}
