//! What a store's failures look like to its callers, over a real connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dotdo::engine::OsRandom;
use dotdo::testing::RunningClock;
use dotdo_core::{Key, S3Config, S3Credentials, Secret, StoreConfig, StoreError};
use dotdo_tests::{Lost, Proxy, Seaweed, open, unique};
use http::Method;

fn one() -> (Key, Bytes) {
    (Key::new("log/1"), Bytes::from_static(b"one"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_is_sent_once_whatever_becomes_of_it() {
    let seaweed = Seaweed::shared();
    let proxy = Proxy::start(seaweed.endpoint()).await;
    for lost in [Lost::Request, Lost::Answer, Lost::Error] {
        let bucket = open(&seaweed.config_through(&proxy.endpoint(), &unique().to_string()))
            .expect("the configuration is good");
        let (key, bytes) = one();
        bucket.get(&key).await.expect("the proxy forwards");
        proxy.take_seen();
        proxy.lose(Method::PUT, lost);
        let answer = bucket.create(&key, bytes.clone()).await;
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{lost:?}: {answer:?}");
        assert_eq!(proxy.take_seen().len(), 1, "{lost:?}: one request was sent");
        let landed = bucket.get(&key).await.expect("the store answers").map(|stored| stored.bytes);
        assert_eq!(landed, (lost != Lost::Request).then_some(bytes), "{lost:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_plain_puts_survive_a_lost_request() {
    let seaweed = Seaweed::shared();
    let proxy = Proxy::start(seaweed.endpoint()).await;
    let bucket = open(&seaweed.config_through(&proxy.endpoint(), &unique().to_string()))
        .expect("the configuration is good");
    let (key, bytes) = one();
    proxy.lose(Method::PUT, Lost::Request);
    bucket.put(&key, bytes.clone()).await.expect("the second try succeeds");
    proxy.lose(Method::GET, Lost::Error);
    assert_eq!(
        bucket.get(&key).await.expect("the second try succeeds").map(|stored| stored.bytes),
        Some(bytes)
    );
    proxy.lose(Method::GET, Lost::Answer);
    assert_eq!(
        bucket.list(&Key::new("log"), None, 10).await.expect("the second try succeeds").len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_unavailable_and_ends() {
    let seaweed = Seaweed::shared();
    let proxy = Proxy::start(seaweed.endpoint()).await;
    let bucket = open(&seaweed.config_through(&proxy.endpoint(), &unique().to_string()))
        .expect("the configuration is good");
    let (key, bytes) = one();
    proxy.outage(true);
    assert!(matches!(
        bucket.create(&key, bytes.clone()).await,
        Err(StoreError::Unavailable { .. })
    ));
    assert!(
        matches!(bucket.get(&key).await, Err(StoreError::Unavailable { .. })),
        "away is not empty"
    );
    assert!(
        matches!(bucket.list(&key, None, 1).await, Err(StoreError::Unavailable { .. })),
        "away is not empty"
    );
    proxy.outage(false);
    bucket.create(&key, bytes).await.expect("the store is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_and_missing_buckets_are_refused_without_a_secret() {
    let seaweed = Seaweed::shared();
    let config = |bucket: &str, secret: &str| {
        StoreConfig::S3(S3Config {
            bucket: bucket.to_owned(),
            endpoint: Some(seaweed.endpoint().to_owned()),
            credentials: S3Credentials::Keys {
                access_key_id: "admin".to_owned(),
                secret_access_key: Secret::new(secret),
                session_token: Some(Secret::new("sesame-session")),
            },
            ..S3Config::default()
        })
    };
    let (key, bytes) = one();
    for config in
        [config(seaweed.bucket(), "sesame-secret"), config("no-such-bucket", "secretsecret")]
    {
        let bucket = open(&config).expect("the configuration can be opened");
        let answers = [
            bucket.get(&key).await.map(drop),
            bucket.list(&key, None, 1).await.map(drop),
            bucket.create(&key, bytes.clone()).await,
        ];
        for answer in answers {
            let Err(error @ StoreError::Refused { .. }) = answer else { panic!("{answer:?}") };
            let text = format!("{error} {error:?} {config:?}");
            assert!(!text.contains("sesame") && !text.contains("Signature="), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_is_unavailable_in_the_end() {
    let seaweed = Seaweed::shared();
    let proxy = Proxy::start(seaweed.endpoint()).await;
    let config = seaweed.config_through(&proxy.endpoint(), &unique().to_string());
    // Waiting for a store's time to be over is short.
    let clock = Arc::new(RunningClock::at_rate(50));
    let bucket = dotdo_core::open(&config, unique(), clock, Arc::new(OsRandom))
        .expect("the configuration is good");
    proxy.delay(Duration::from_secs(3600));
    let (key, bytes) = one();
    for answer in [
        bucket.create(&key, bytes).await,
        bucket.get(&key).await.map(drop),
        bucket.list(&key, None, 1).await.map(drop),
    ] {
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
    let creates = proxy.take_seen().into_iter().filter(|(method, _)| method == Method::PUT).count();
    assert_eq!(creates, 1, "a create that hangs is not sent again");
}
