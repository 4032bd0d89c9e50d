//! A libSQL database as the store that holds the log, against real servers: what it does beyond the
//! contract of all stores.

mod writers;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dotdo::engine::{LibsqlAccess, OsRandom, SystemClock, open_libsql};
use dotdo::testing::RunningClock;
use dotdo_core::{Bucket, ErrorKind, Key, Part, Secret, StoreConfig, StoreError, probe};
use dotdo_tests::{
    Asked, Liar, Lie, Lost, Odd, Oddity, Proxy, Sqld, Then, libsql, scratch, unique,
};
use futures_util::future::join_all;
use http::Method;
use nix::sys::signal::Signal;

fn key(text: &str) -> Key {
    Key::new(text)
}

fn place() -> String {
    format!("s3://test/{}", unique())
}

async fn read(bucket: &dyn Bucket, text: &str) -> Option<Bytes> {
    bucket.get(&key(text)).await.expect("it answers").map(|stored| stored.bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_many_keys_one_wins_each() {
    let (sqld, place) = (Sqld::shared(), place());
    let writers: Vec<_> = (0..8).map(|_| sqld.bucket(&place)).collect();
    for round in 0..12 {
        let slot = key(&format!("race/{round}"));
        let bytes =
            |writer: usize| Bytes::from(vec![u8::try_from(writer).expect("few"); 1 << (round + 6)]);
        let creates = writers.iter().enumerate();
        let answers =
            join_all(creates.map(|(writer, bucket)| bucket.create(&slot, bytes(writer)))).await;
        let winners: Vec<usize> =
            (0..writers.len()).filter(|writer| answers[*writer].is_ok()).collect();
        let [winner] = winners.as_slice() else { panic!("{answers:?}") };
        let lost = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Exists { .. })));
        assert_eq!(lost.count(), writers.len() - 1);
        assert_eq!(read(writers[0].as_ref(), slot.as_str()).await, Some(bytes(*winner)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_objects_are_created_once_and_whole() {
    let bucket = Sqld::shared().bucket(&place());
    let large = |fill: u8| Bytes::from(vec![fill; 9_000_001]);
    let slot = key("large");
    let answers = join_all((0..3).map(|fill| bucket.create(&slot, large(fill)))).await;
    let winners: Vec<u8> = (0..3).filter(|fill| answers[usize::from(*fill)].is_ok()).collect();
    let [winner] = winners.as_slice() else { panic!("{answers:?}") };
    assert!(read(bucket.as_ref(), "large").await == Some(large(*winner)), "another's parts");
    bucket.put(&key("large"), "small".into()).await.expect("it can be replaced");
    assert_eq!(read(bucket.as_ref(), "large").await, Some("small".into()), "and nothing is left");
    let entries = bucket.list(&key(""), None, 10).await.expect("it answers");
    assert_eq!((entries.len(), entries[0].bytes), (1, 5));
    let huge = Bytes::from(vec![0; (32 << 20) + 1]);
    let refused = bucket.create(&key("huge"), huge).await;
    let Err(StoreError::Refused { reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("expected at most 33554432 bytes"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_in_one_database_do_not_see_each_other() {
    let sqld = Sqld::shared();
    let (one, two) = (sqld.bucket(&place()), sqld.bucket(&place()));
    one.create(&key("a/b"), "one".into()).await.expect("a fresh key");
    assert_eq!(read(two.as_ref(), "a/b").await, None);
    assert_eq!(two.list(&key(""), None, 10).await.expect("it answers"), []);
    two.create(&key("a/b"), "two".into()).await.expect("a fresh key there");
    two.delete(&[key("a/b")]).await.expect("it can be deleted");
    assert_eq!(read(one.as_ref(), "a/b").await, Some("one".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_is_sent_once_whatever_becomes_of_it() {
    let (sqld, clock) = (Sqld::shared(), Arc::new(SystemClock::new()));
    let proxy = Proxy::start(&sqld.url()).await;
    for lost in [Lost::Request, Lost::Answer, Lost::Error, Lost::Busy] {
        let bucket = libsql(&proxy.endpoint(), &place(), clock.clone());
        bucket.put(&key("before"), Bytes::new()).await.expect("the table is there then");
        proxy.take_seen();
        proxy.lose(Method::POST, lost);
        let answer = bucket.create(&key("log/1"), "one".into()).await;
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{lost:?}: {answer:?}");
        assert_eq!(proxy.take_seen().len(), 1, "{lost:?}: one request was sent");
        let is_there = matches!(lost, Lost::Answer | Lost::Error);
        let landed = read(bucket.as_ref(), "log/1").await;
        assert_eq!(landed, is_there.then(|| "one".into()), "{lost:?}");
        proxy.lose(Method::POST, lost);
        bucket.put(&key("lock"), "two".into()).await.expect("the second try succeeds");
        proxy.lose(Method::POST, lost);
        assert_eq!(read(bucket.as_ref(), "lock").await, Some("two".into()), "{lost:?}");
    }
    let bucket = libsql(&proxy.endpoint(), &place(), clock);
    proxy.outage(true);
    for away in [
        bucket.create(&key("a"), Bytes::new()).await,
        bucket.get(&key("a")).await.map(drop),
        bucket.list(&key("a"), None, 1).await.map(drop),
    ] {
        assert!(matches!(away, Err(StoreError::Unavailable { .. })), "away is not empty: {away:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_is_unavailable_in_the_end() {
    let proxy = Proxy::start(&Sqld::shared().url()).await;
    let bucket = libsql(&proxy.endpoint(), &place(), Arc::new(RunningClock::at_rate(100)));
    proxy.delay(Duration::from_secs(3600));
    let answer = bucket.create(&key("a"), Bytes::new()).await;
    assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    assert_eq!(proxy.take_seen().len(), 1, "a create that hangs is not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_of_the_server() {
    let (mut sqld, place) = (Sqld::start().await, place());
    for round in 0..5 {
        let bucket = sqld.bucket(&place);
        let slots: Vec<Key> = (0..20).map(|slot| key(&format!("log/{round}-{slot}"))).collect();
        let creates = slots.iter().map(|slot| bucket.create(slot, slot.to_string().into()));
        for created in join_all(creates).await {
            created.expect("a fresh key");
        }
        sqld = sqld.again().await;
        let bucket = sqld.bucket(&place);
        let entries = bucket.list(&key("log"), None, 1_000).await.expect("it is back");
        assert_eq!(entries.len(), (round + 1) * 20);
        for slot in &slots {
            assert_eq!(read(bucket.as_ref(), slot.as_str()).await, Some(slot.to_string().into()));
            let again = bucket.create(slot, "another".into()).await;
            assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
        }
    }
}

/// A replica answers reads from what it has, unless they are within a transaction.
#[tokio::test(flavor = "multi_thread")]
async fn reads_are_answered_by_the_primary() {
    let (primary, place) = (Sqld::start().await, place());
    let bucket = primary.bucket(&place);
    bucket.create(&key("log/1"), "one".into()).await.expect("a fresh key");
    let replica = primary.replica().await;
    let through = replica.bucket(&place);
    assert_eq!(read(through.as_ref(), "log/1").await, Some("one".into()));
    for slot in 2..40 {
        let slot = key(&format!("log/{slot}"));
        bucket.create(&slot, "next".into()).await.expect("a fresh key");
        assert_eq!(read(through.as_ref(), slot.as_str()).await, Some("next".into()), "stale");
        let listed = through.list(&key("log"), None, 100).await.expect("it answers");
        assert!(listed.iter().any(|entry| entry.key == slot), "a stale listing");
    }
    let clock = Arc::new(RunningClock::at_rate(20));
    let hasty = libsql(&replica.url(), &place, clock);
    primary.signal(Signal::SIGSTOP);
    let alone = hasty.get(&key("log/1")).await;
    primary.signal(Signal::SIGCONT);
    assert!(matches!(alone, Err(StoreError::Unavailable { .. })), "the replica says {alone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_sent_and_can_be_replaced_and_is_in_no_error() {
    let folder = scratch();
    let openssl = |arguments: &[&str]| {
        let mut command = dotdo_tests::Package::Openssl.command();
        let done = command.args(arguments).current_dir(folder.path()).status();
        assert!(done.expect("openssl starts").success());
    };
    openssl(&["genpkey", "-algorithm", "ed25519", "-outform", "DER", "-out", "key.der"]);
    openssl(&["pkey", "-inform", "DER", "-in", "key.der", "-pubout", "-out", "public.pem"]);
    let file = |name: &str| std::fs::read(folder.path().join(name)).expect("it was made");
    let public_key = String::from_utf8(file("public.pem")).expect("PEM is text");
    let sqld = Sqld::trusting(&public_key).await;
    let signed = |claims: serde_json::Value| {
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::EdDSA);
        let key = jsonwebtoken::EncodingKey::from_ed_der(&file("key.der"));
        jsonwebtoken::encode(&header, &claims, &key).expect("it can be signed")
    };
    let (good, old) = (
        signed(serde_json::json!({ "a": "rw" })),
        signed(serde_json::json!({ "a": "rw", "exp": 1 })),
    );
    let open = |access: LibsqlAccess| {
        let access = LibsqlAccess { url: Some(Secret::new(sqld.url())), ..access };
        open_libsql(&access, "s3://t", Arc::new(SystemClock::new()), Arc::new(OsRandom))
            .expect("the URL is good")
    };
    let bucket = open(LibsqlAccess { token: Some(Secret::new(&good)), ..LibsqlAccess::default() });
    bucket.create(&key("a"), "one".into()).await.expect("the token is good");
    for token in [None, Some(old.clone()), Some("sesame-token".to_owned())] {
        let bucket = open(LibsqlAccess {
            token: token.as_ref().map(Secret::new),
            ..LibsqlAccess::default()
        });
        let refused = bucket.get(&key("a")).await;
        let Err(error @ StoreError::Refused { .. }) = refused else { panic!("{refused:?}") };
        let text = format!("{error} {error:?}");
        assert!(text.contains("TURSO_TOKEN"), "{text}");
        assert!(token.is_none_or(|token| !text.contains(&token)), "{text}");
    }
    let path = folder.path().join("token");
    let token_file = Some(path.to_str().expect("a plain path").to_owned());
    let renewed = open(LibsqlAccess { token_file, ..LibsqlAccess::default() });
    std::fs::write(&path, &old).expect("a scratch folder is writable");
    assert!(matches!(renewed.get(&key("a")).await, Err(StoreError::Refused { .. })));
    std::fs::write(&path, format!("{good}\n")).expect("a scratch folder is writable");
    assert_eq!(read(renewed.as_ref(), "a").await, Some("one".into()), "the new token is used");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_where_a_redirect_points() {
    let (odd, elsewhere) = (Odd::start().await, Odd::start().await);
    let bucket = libsql(&odd.endpoint(), "s3://t", Arc::new(SystemClock::new()));
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/v2/pipeline\r\ncontent-length: 0\r\n\r\n",
        elsewhere.endpoint()
    );
    // To it, every POST is a delete.
    odd.plan(Oddity { asked: Asked::Delete, times: 9, is_done: false, answer, then: Then::Next });
    let refused = bucket.create(&key("a"), Bytes::new()).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(elsewhere.take_seen(), []);
}

async fn verdict(bucket: &dyn Bucket) -> dotdo_core::Result<()> {
    probe(bucket, &SystemClock::new(), &OsRandom).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_create_if_absent_needs_a_database() {
    let sqld = Sqld::shared();
    for lie in [Lie::HasNoConditions, Lie::IgnoresCondition] {
        let store = Liar::start(lie).await.config_below(&unique().to_string());
        let alone = dotdo_tests::open(&store).expect("the configuration is good");
        let refused = verdict(alone.as_ref()).await.expect_err("nothing coordinates");
        assert_eq!(refused.kind(), ErrorKind::StoreRefused, "{lie:?}: {refused}");
        assert!(refused.message().contains("TURSO_URL"), "{lie:?}: {refused}");
        if lie == Lie::HasNoConditions {
            let said = "it has no create-if-absent: the store refused to create";
            assert!(refused.message().contains(said), "{refused}");
            assert!(refused.message().contains("A header you provided"), "{refused}");
        }
        let bucket = sqld.with_files(&store);
        verdict(bucket.as_ref()).await.expect("the database coordinates");
        let description = key("acme/shop/do/counter/a/snapshots/seq-1-x/snapshot.json");
        bucket.create(&description, "{}".into()).await.expect("a file needs no condition");
        assert_eq!(read(alone.as_ref(), description.as_str()).await, Some("{}".into()));
        let record = key("acme/shop/do/counter/a/log/ff-1");
        bucket.create(&record, "one".into()).await.expect("a fresh key");
        let again = bucket.create(&record, "two".into()).await;
        assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
        assert_eq!(read(alone.as_ref(), record.as_str()).await, None, "it is in the database");
        let all = bucket.list(&key("acme"), None, 10).await.expect("both answer");
        let all: Vec<&Key> = all.iter().map(|entry| &entry.key).collect();
        assert_eq!(all, [&record, &description], "one listing of both");
        bucket.delete(&[record.clone(), description.clone()]).await.expect("both delete");
        assert_eq!(bucket.list(&key("acme"), None, 10).await.expect("both answer"), []);
    }
    let bad = Liar::start(Lie::ReadsNothing).await.config_below(&unique().to_string());
    let refused = verdict(sqld.with_files(&bad).as_ref()).await.expect_err("snapshots need reads");
    assert!(refused.message().contains("can't be used for snapshots"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_has_one_log_whoever_starts_with_which_settings() {
    let (sqld, other) = (Sqld::shared(), Sqld::start().await);
    let folder = scratch();
    let store = |name: &str| StoreConfig::Folder { path: folder.path().join(name) };
    let alone = |name: &str| dotdo_tests::open(&store(name)).expect("a folder can be opened");
    let coordinated = sqld.with_files(&store("a"));
    verdict(coordinated.as_ref()).await.expect("both are good");
    verdict(coordinated.as_ref()).await.expect("and remembered");
    for (bucket, sentence) in [
        (alone("a"), "is in a database; set TURSO_URL"),
        (other.with_files(&store("a")), "is in another database than the one that is set"),
    ] {
        let refused = verdict(bucket.as_ref()).await.expect_err("there would be two logs");
        assert_eq!(refused.kind(), ErrorKind::StoreRefused);
        assert!(refused.message().contains(sentence), "{refused}");
    }
    verdict(alone("b").as_ref()).await.expect("a folder is good");
    let refused = verdict(sqld.with_files(&store("b")).as_ref()).await;
    let refused = refused.expect_err("there would be two logs");
    assert!(refused.message().contains("is in the bucket itself"), "{refused}");

    // Of several that begin at once, with different settings, no two pass.
    for round in 0..5 {
        let name = format!("race-{round}");
        let buckets =
            [alone(&name), sqld.with_files(&store(&name)), other.with_files(&store(&name))];
        let passed = join_all(buckets.iter().map(|bucket| verdict(bucket.as_ref()))).await;
        assert!(passed.iter().filter(|passed| passed.is_ok()).count() <= 1, "{passed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_has_the_time_of_its_own_store() {
    let seaweed = dotdo_tests::Seaweed::shared();
    let store = seaweed.config(&unique().to_string());
    let bucket = Sqld::shared().with_files(&store);
    assert_eq!((bucket.store_time_ms(Part::Log), bucket.store_time_ms(Part::Files)), (None, None));
    bucket.get(&key("acme/shop/do/counter/a/log/ff-1")).await.expect("it answers");
    assert!(bucket.store_time_ms(Part::Log).is_some(), "the database was asked");
    assert_eq!(bucket.store_time_ms(Part::Files), None, "the other was not");
    bucket.get(&key("acme/shop/do/counter/a/snapshots/latest")).await.expect("it answers");
    assert!(bucket.store_time_ms(Part::Files).is_some());
}
