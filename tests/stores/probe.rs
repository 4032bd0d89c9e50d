//! The probe lets good stores pass and refuses the others by name.

use std::process::Command;

use bytes::Bytes;
use dotdo::engine::{OsRandom, SystemClock};
use dotdo_core::{ErrorKind, Key, S3Config, S3Credentials, StoreConfig, StoreError, probe};
use dotdo_tests::{Deadline, Liar, Lie, Moto, Process, Seaweed, open, scratch, unique};

async fn verdict(config: &StoreConfig) -> dotdo_core::Result<()> {
    let bucket = open(config).expect("the configuration is good");
    probe(bucket.as_ref(), &SystemClock::new(), &OsRandom).await
}

#[tokio::test(flavor = "multi_thread")]
async fn good_stores_pass() {
    let folder = scratch();
    verdict(&StoreConfig::Memory).await.expect("memory is good");
    verdict(&StoreConfig::Folder { path: folder.path().to_owned() })
        .await
        .expect("a folder is good");
    verdict(&Seaweed::shared().config(&unique().to_string())).await.expect("SeaweedFS is good");
    verdict(&Moto::shared().config(&unique().to_string())).await.expect("moto is good");
    verdict(&Liar::start(Lie::None).await.config())
        .await
        .expect("the honest twin of the liars is good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_breaks_a_promise_is_refused_by_name() {
    let lies = [
        (Lie::IgnoresCondition, "a second create of the same key succeeded"),
        (Lie::NotAtomic, "of 8 creates of one key at the same time succeeded"),
        (Lie::ReplacesAnyway, "replaced the object"),
        (Lie::ReadsNothing, "can't be read"),
        (Lie::ListsNothing, "is not listed"),
        (Lie::StoresAnother, "is not what is stored"),
    ];
    for (lie, sentence) in lies {
        let refusal =
            verdict(&Liar::start(lie).await.config()).await.expect_err("a liar does not pass");
        assert_eq!(refusal.kind(), ErrorKind::StoreRefused, "{lie:?}: {refusal}");
        assert!(
            refusal.message().starts_with("the store s3://promises can't be used: "),
            "{lie:?}: {refusal}"
        );
        assert!(refusal.message().contains(sentence), "{lie:?}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_clear_responses_is_unavailable_and_not_refused() {
    let away = verdict(&Liar::start(Lie::Away).await.config()).await.expect_err("it is away");
    assert_eq!(away.kind(), ErrorKind::Unavailable, "{away}");
    let forbids = verdict(&Liar::start(Lie::Forbids).await.config()).await.expect_err("it forbids");
    assert_eq!(forbids.kind(), ErrorKind::StoreRefused, "{forbids}");
    assert!(
        forbids.message().contains("check the bucket's name, the endpoint and the credentials"),
        "{forbids}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_remembered_and_holds_for_its_place_only() {
    let folder = scratch();
    let here = StoreConfig::Folder { path: folder.path().join("here") };
    verdict(&here).await.expect("a folder is good");
    let bucket = open(&here).expect("the configuration is good");
    let remembered = bucket
        .get(&Key::new(".dotdo/probe.json"))
        .await
        .expect("it answers")
        .expect("the verdict is there")
        .bytes;
    let json: serde_json::Value = serde_json::from_slice(&remembered).expect("it is JSON");
    assert_eq!(json["version"], 1);
    assert_eq!(json["location"], bucket.location());
    assert_eq!(
        bucket.list(&Key::new(".dotdo"), None, 10).await.expect("it answers").len(),
        1,
        "no key of the probe is left"
    );

    // The same verdict in a bucket that was copied elsewhere, and rubbish in its place, count for
    // nothing.
    for copied in [remembered, Bytes::from_static(b"{")] {
        let there = open(&StoreConfig::Folder { path: folder.path().join("there") })
            .expect("the configuration is good");
        there.put(&Key::new(".dotdo/probe.json"), copied.clone()).await.expect("a put");
        probe(there.as_ref(), &SystemClock::new(), &OsRandom).await.expect("a folder is good");
        let renewed = there
            .get(&Key::new(".dotdo/probe.json"))
            .await
            .expect("it answers")
            .expect("it is there")
            .bytes;
        assert_ne!(renewed, copied);
    }
}

/// s3s-fs (`cargo install s3s-fs --version 0.14.1 --features binary --locked`) takes conditional
/// headers and is not atomic. Building it takes minutes, so this runs only where its program is
/// named; the liars above have the same fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_store_that_is_not_atomic_is_refused() {
    let Some(program) = std::env::var_os("DOTDO_TEST_S3S_FS") else { return };
    let folder = scratch();
    std::fs::create_dir(folder.path().join("promises")).expect("a bucket is a folder");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("there is a free port")
        .port();
    let mut command = Command::new(program);
    let _store = Process::start(
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]).arg(folder.path()),
    );
    let config = |prefix: &str| {
        StoreConfig::S3(S3Config {
            bucket: "promises".to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(format!("http://127.0.0.1:{port}")),
            credentials: S3Credentials::Unsigned,
            ..S3Config::default()
        })
    };
    let bucket = open(&config("ready")).expect("the configuration is good");
    let answers = || async { bucket.get(&Key::new("1")).await.ok() };
    Deadline::in_seconds(30).until(answers).await.expect("it answers");
    for attempt in 0..10 {
        let refusal = verdict(&config(&attempt.to_string())).await.expect_err("it does not pass");
        assert_eq!(refusal.kind(), ErrorKind::StoreRefused, "{refusal}");
    }
}

#[tokio::test]
async fn what_a_store_forbids_and_does_not_list_is_missing() {
    let bucket = open(&Liar::start(Lie::HidesWhatIsMissing).await.config())
        .expect("the configuration is good");
    let (key, other) = (Key::new("folder/there"), Key::new("folder/there-not"));
    assert!(bucket.get(&key).await.expect("it says so").is_none());
    bucket.put(&key, "content".into()).await.expect("it takes it");
    bucket.put(&other, "content".into()).await.expect("it takes it");
    assert!(bucket.get(&key).await.expect("it is there").is_some());
    assert!(
        bucket.get(&Key::new("folder/ther")).await.expect("it says so").is_none(),
        "another key that begins so is no proof"
    );
    bucket.delete(std::slice::from_ref(&key)).await.expect("it removes it");
    assert!(bucket.get(&key).await.expect("it says so").is_none());
    // Who may list nothing learns nothing.
    let forbidding =
        open(&Liar::start(Lie::Forbids).await.config()).expect("the configuration is good");
    assert!(matches!(forbidding.get(&key).await, Err(StoreError::Refused { .. })));
}
