//! One suite for every backend. Where backends may differ, the difference is a parameter.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use dotdo_core::{Bucket, Key, Names, Part, StoreConfig, StoreError};
use dotdo_tests::{Moto, Seaweed, Sqld, open, scratch, unique};
use futures_util::future::join_all;

/// A bucket to test, and what is peculiar to it.
struct Backend {
    bucket: Arc<dyn Bucket>,
    /// Whether `a` and `a/b` can both be objects. In a folder one would be a file and a folder; no
    /// key of ours is below another.
    nests: bool,
    /// Whether a bounded listing is in the order of keys also where names sort around a `/`.
    /// SeaweedFS goes folder by folder.
    pages_in_order: bool,
    /// What must live as long as the bucket.
    _folder: Option<tempfile::TempDir>,
}

impl Backend {
    fn new(config: &StoreConfig, nests: bool) -> Self {
        Self {
            bucket: open(config).expect("the configuration is good"),
            nests,
            pages_in_order: true,
            _folder: None,
        }
    }

    fn memory() -> Self {
        Self::new(&StoreConfig::Memory, true)
    }

    fn folder() -> Self {
        let folder = scratch();
        let backend = Self::new(&StoreConfig::Folder { path: folder.path().join("state") }, false);
        Self { _folder: Some(folder), ..backend }
    }

    fn seaweed() -> Self {
        let backend = Self::new(&Seaweed::shared().config(&format!("contract/{}", unique())), true);
        Self { pages_in_order: false, ..backend }
    }

    /// A libSQL database.
    fn libsql() -> Self {
        let bucket = Sqld::shared().bucket(&format!("s3://contract/{}", unique()));
        Self { bucket, nests: true, pages_in_order: true, _folder: None }
    }

    /// A folder whose log is in a libSQL database; all keys of the suite are of the log.
    fn split() -> Self {
        let folder = scratch();
        let bucket =
            Sqld::shared().with_files(&StoreConfig::Folder { path: folder.path().join("state") });
        Self { bucket, nests: true, pages_in_order: true, _folder: Some(folder) }
    }

    fn moto() -> Self {
        Self::new(&Moto::shared().config(&format!("contract/{}", unique())), true)
    }
}

/// Makes a module with every test of the suite for each backend.
/// The folders that a listing of theirs returns, page by page.
async fn folders(bucket: &dyn Bucket, prefix: &str, begin: &str, limit: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let names = Names { begin, after: found.last().map(String::as_str) };
        let page = bucket.list_folders(&key(prefix), names, limit).await.expect("an answer");
        assert!(page.len() <= limit, "{} of {limit}", page.len());
        let is_last = page.is_empty();
        found.extend(page);
        if is_last {
            return found;
        }
    }
}

async fn folders_are_listed_page_by_page_each_once(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    let keys = [
        "f/a/log/1",
        "f/a/log/2",
        "f/a-b/log/1",
        "f/a.2e/x",
        "f/a0/log/1",
        "f/b/c/d/e",
        "f/b/x",
        "f/file",
        "f/z/1",
        "ff/x/y",
        "f-/x/y",
    ];
    fill(bucket, &keys).await;
    for limit in [1, 2, 3, 100] {
        let mut all = folders(bucket, "f", "", limit).await;
        all.sort();
        assert_eq!(all, ["a", "a-b", "a.2e", "a0", "b", "z"], "pages of {limit}");
        let mut some = folders(bucket, "f", "a", limit).await;
        some.sort();
        assert_eq!(some, ["a", "a-b", "a.2e", "a0"], "pages of {limit}");
        assert_eq!(folders(bucket, "f", "a-", limit).await, ["a-b"]);
        assert_eq!(folders(bucket, "f", "x", limit).await, Vec::<String>::new());
        assert_eq!(folders(bucket, "nothing", "", limit).await, Vec::<String>::new());
    }
}

macro_rules! suite {
    ($backends:tt: $($test:ident)*) => { $(suite!(@ $test $backends);)* };
    (@ $test:ident [$($backend:ident)*]) => {
        mod $test {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $backend() {
                super::$test(&super::Backend::$backend()).await;
            })*
        }
    };
}

suite! {
    [memory folder seaweed moto libsql split]:
    what_was_put_is_read
    the_first_create_wins_and_the_second_is_told
    of_many_creates_at_once_exactly_one_wins
    what_is_missing_is_none_and_deleting_it_is_no_error
    a_listing_is_sorted_bounded_and_below_its_prefix
    a_listing_goes_on_after_a_key
    a_listing_goes_on_after_the_beginning_of_a_folders_name
    names_that_sort_around_a_slash_are_in_order
    folders_are_listed_page_by_page_each_once
    a_listing_of_more_than_a_page_is_whole
    a_large_object_comes_back_whole
    an_object_larger_than_asked_for_is_not_read
    odd_names_stay_apart
    times_are_the_stores
    a_key_and_what_is_below_it_do_not_mix
}

fn key(text: &str) -> Key {
    Key::new(text)
}

fn bytes(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}

async fn read(bucket: &dyn Bucket, text: &str) -> Option<Bytes> {
    bucket.get(&key(text)).await.expect("the store answers").map(|stored| stored.bytes)
}

async fn names(
    bucket: &dyn Bucket,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Vec<String> {
    let after = after.map(key);
    let entries =
        bucket.list(&key(prefix), after.as_ref(), limit).await.expect("the store answers");
    entries.into_iter().map(|entry| entry.key.to_string()).collect()
}

async fn fill(bucket: &dyn Bucket, keys: &[&str]) {
    let (keys, body): (Vec<Key>, _) = (keys.iter().map(|text| key(text)).collect(), bytes("x"));
    for made in join_all(keys.iter().map(|key| bucket.create(key, body.clone()))).await {
        made.expect("a fresh key can be created");
    }
}

async fn what_was_put_is_read(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    for text in ["one", "", "two"] {
        bucket.put(&key("a/b/c"), bytes(text)).await.expect("a put");
        assert_eq!(read(bucket, "a/b/c").await, Some(bytes(text)), "the last put counts");
    }
    bucket.delete(&[key("a/b/c")]).await.expect("a delete");
    assert_eq!(read(bucket, "a/b/c").await, None);
}

async fn an_object_larger_than_asked_for_is_not_read(backend: &Backend) {
    let (bucket, key) = (backend.bucket.as_ref(), key("within"));
    bucket.put(&key, Bytes::from(vec![7; 1000])).await.expect("a put");
    for bytes_max in [1000, 1001, u64::MAX] {
        let found = bucket.get_within(&key, bytes_max).await.expect("it is small enough");
        assert_eq!(found.map(|stored| stored.bytes.len()), Some(1000));
    }
    for bytes_max in [0, 999] {
        let refused = bucket.get_within(&key, bytes_max).await;
        let Err(StoreError::TooLarge { bytes, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(bytes, 1000);
    }
}

async fn the_first_create_wins_and_the_second_is_told(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    bucket.create(&key("log/1"), bytes("first")).await.expect("a fresh key");
    for _ in 0..2 {
        let again = bucket.create(&key("log/1"), bytes("second")).await;
        assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
    }
    assert_eq!(read(bucket, "log/1").await, Some(bytes("first")));
    bucket.delete(&[key("log/1")]).await.expect("a delete");
    bucket.create(&key("log/1"), bytes("third")).await.expect("a deleted key is fresh");
}

async fn of_many_creates_at_once_exactly_one_wins(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    for round in 0..3 {
        let slot = key(&format!("race/{round}"));
        let rival = |number: usize| bytes(&format!("rival {number}"));
        let answers = join_all((0..8).map(|number| bucket.create(&slot, rival(number)))).await;
        let stored = read(bucket, slot.as_str()).await.expect("somebody won");
        let winners: Vec<usize> = (0..8).filter(|number| answers[*number].is_ok()).collect();
        match winners.as_slice() {
            [winner] => assert_eq!(stored, rival(*winner)),
            // On a busy machine the answer to the winner may come too late; whose bytes are there
            // was not told to have lost.
            [] => {
                let winner =
                    (0..8).find(|number| stored == rival(*number)).expect("one of the rivals won");
                assert!(
                    matches!(answers[winner], Err(StoreError::Unavailable { .. })),
                    "{answers:?}"
                );
            }
            _ => panic!("several won: {answers:?}"),
        }
    }
}

async fn what_is_missing_is_none_and_deleting_it_is_no_error(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    assert_eq!(read(bucket, "no/such/key").await, None);
    assert_eq!(names(bucket, "no/such", None, 10).await, Vec::<String>::new());
    assert_eq!(names(bucket, "", None, 10).await, Vec::<String>::new());
    bucket.delete(&[key("no/such/key"), key("nor/this")]).await.expect("nothing to delete is fine");
    bucket.delete(&[]).await.expect("nothing at all is fine");
}

async fn a_listing_is_sorted_bounded_and_below_its_prefix(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    fill(bucket, &["p/b", "p/a/2", "p/a/1", "p/c/d/e", "pp/x", "p-q", "q/z"]).await;
    assert_eq!(names(bucket, "p", None, 10).await, ["p/a/1", "p/a/2", "p/b", "p/c/d/e"]);
    assert_eq!(names(bucket, "p", None, 2).await, ["p/a/1", "p/a/2"]);
    assert_eq!(names(bucket, "p/a", None, 10).await, ["p/a/1", "p/a/2"]);
    assert_eq!(names(bucket, "p/c/d", None, 10).await, ["p/c/d/e"]);
    assert_eq!(names(bucket, "p", None, 0).await, Vec::<String>::new());
    assert_eq!(names(bucket, "", None, 10).await.len(), 7, "the empty key lists everything");
    let entries = bucket.list(&key("p/c"), None, 10).await.expect("the store answers");
    assert_eq!(entries[0].bytes, 1);
}

async fn a_listing_goes_on_after_a_key(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    fill(bucket, &["l/1", "l/2", "l/3", "l/5/a", "l/5/b", "l/7"]).await;
    assert_eq!(names(bucket, "l", Some("l/2"), 10).await, ["l/3", "l/5/a", "l/5/b", "l/7"]);
    assert_eq!(names(bucket, "l", Some("l/4"), 2).await, ["l/5/a", "l/5/b"]);
    assert_eq!(names(bucket, "l", Some("l/5/a"), 2).await, ["l/5/b", "l/7"]);
    assert_eq!(
        names(bucket, "l", Some("a"), 1).await,
        ["l/1"],
        "a key before the prefix skips nothing"
    );
    assert_eq!(names(bucket, "l", Some("z"), 1).await, Vec::<String>::new());
}

async fn a_listing_goes_on_after_the_beginning_of_a_folders_name(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    fill(
        bucket,
        &[
            "n/latest",
            "n/seq-01-x/a/b",
            "n/seq-01-x/c",
            "n/seq-02-x/a/b",
            "n/seq-02-x/c",
            "n/seq-02-y/c",
            "n/seq-10-x/c",
        ],
    )
    .await;
    assert_eq!(
        names(bucket, "n", Some("n/seq-02"), 10).await,
        ["n/seq-02-x/a/b", "n/seq-02-x/c", "n/seq-02-y/c", "n/seq-10-x/c"]
    );
}

async fn names_that_sort_around_a_slash_are_in_order(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    let sorted = ["o/a-b", "o/a.c", "o/a/x", "o/a/y/z", "o/a0", "o/b"];
    fill(bucket, &sorted).await;
    assert_eq!(
        names(bucket, "o", None, 1_000).await,
        sorted,
        "a whole listing is in order everywhere"
    );
    if !backend.pages_in_order {
        assert_ne!(
            names(bucket, "o", None, 1).await,
            sorted[..1],
            "this store has learnt it: change the parameter"
        );
        return;
    }
    for limit in 1..=sorted.len() {
        assert_eq!(names(bucket, "o", None, limit).await, sorted[..limit]);
    }
    for (at, after) in sorted.iter().enumerate() {
        assert_eq!(
            names(bucket, "o", Some(after), 2).await,
            sorted[at + 1..].iter().take(2).copied().collect::<Vec<_>>(),
            "after {after}"
        );
    }
}

async fn a_listing_of_more_than_a_page_is_whole(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    let all: Vec<String> = (0..1_203).map(|number| format!("many/{number:05}")).collect();
    for some in all.chunks(64) {
        fill(bucket, &some.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    assert_eq!(names(bucket, "many", None, 5_000).await, all);
    assert_eq!(names(bucket, "many", Some("many/00001"), 1_100).await, all[2..1_102]);
    let keys: Vec<Key> = all.iter().map(|text| key(text)).collect();
    bucket.delete(&keys).await.expect("more than a page can be deleted");
    assert_eq!(names(bucket, "many", None, 1).await, Vec::<String>::new());
}

async fn a_large_object_comes_back_whole(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    let large: Bytes =
        (0..20_000_000_u32).map(|number| number.to_le_bytes()[(number % 3) as usize]).collect();
    bucket.create(&key("large"), large.clone()).await.expect("a create");
    assert!(read(bucket, "large").await.expect("it is there") == large);
}

async fn odd_names_stay_apart(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    let odd = [
        "Upper/a.b",
        "upper/a.b",
        "..a",
        ".hidden/x",
        "a b/c",
        "plus+and=eq",
        "per%41cent",
        "ümlaut",
        "tilde~",
        "q?x",
        "h#1",
        "c:d@e,f;g",
    ];
    for text in odd {
        bucket
            .create(&key(&format!("odd/{text}")), bytes(text))
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    for text in odd {
        assert_eq!(read(bucket, &format!("odd/{text}")).await, Some(bytes(text)), "{text}");
    }
    let listed: BTreeSet<String> = names(bucket, "odd", None, 100).await.into_iter().collect();
    assert_eq!(listed, odd.iter().map(|text| format!("odd/{text}")).collect());
}

async fn times_are_the_stores(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    bucket.create(&key("time"), bytes("x")).await.expect("a create");
    let stored = bucket.get(&key("time")).await.expect("the store answers").expect("it is there");
    let now = bucket.store_time_ms(Part::Log).expect("the store has told its time by now");
    let error = i64::try_from(bucket.store_time_error().as_millis()).expect("a small error");
    let age = now - stored.modified_ms;
    assert!((-error..60_000).contains(&age), "written {} ms ago, with an error of {error} ms", age);
    assert_eq!(
        bucket.list(&key(""), None, 1).await.expect("the store answers")[0].modified_ms / 1000,
        stored.modified_ms / 1000
    );
    assert!(!bucket.is_gone(unique()), "nothing is known of a stranger");
}

async fn a_key_and_what_is_below_it_do_not_mix(backend: &Backend) {
    let bucket = backend.bucket.as_ref();
    bucket.create(&key("nest/a"), bytes("outer")).await.expect("a create");
    let inner = bucket.create(&key("nest/a/b"), bytes("inner")).await;
    assert_eq!(inner.is_ok(), backend.nests, "{inner:?}");
    assert_eq!(read(bucket, "nest/a").await, Some(bytes("outer")));
    assert_eq!(read(bucket, "nest/a/b").await.is_some(), backend.nests);
    assert_eq!(read(bucket, "nest").await, None);
}
