//! A store that refuses keys because they have ended.

use std::sync::Mutex;

use bytes::Bytes;
use dotdo_core::testing::{CountingRandom, ManualClock};
use dotdo_core::{
    AccessKeyProvider, AccessKeys, AccessKeysError, Bucket, Key, ProvidedKeys, S3Config,
    S3Credentials, StoreConfig, StoreError, open,
};
use wiremock::matchers::query_param;
use wiremock::{Match, Mock, MockServer, Request, ResponseTemplate};

use super::*;

/// Keys whose id has a number, which a refusal raises.
#[derive(Default)]
struct Numbered(Mutex<usize>);

impl Numbered {
    fn number(&self) -> usize {
        *self.0.lock().expect("no panic under the lock")
    }
}

#[async_trait]
impl AccessKeyProvider for Numbered {
    async fn keys(&self) -> std::result::Result<Arc<AccessKeys>, AccessKeysError> {
        Ok(Arc::new(AccessKeys {
            access_key_id: format!("KEY{}", self.number()),
            secret_access_key: Secret::new("hunter2"),
            session_token: Some(Secret::new("session-of-hunter2")),
        }))
    }

    fn refused(&self, access_key_id: &str) {
        let mut number = self.0.lock().expect("no panic under the lock");
        if access_key_id == format!("KEY{number}") {
            *number += 1;
        }
    }
}

/// Requests that keys with this id have signed.
struct SignedBy(&'static str);

impl Match for SignedBy {
    fn matches(&self, request: &Request) -> bool {
        let signature = request.headers.get("authorization").and_then(|text| text.to_str().ok());
        signature.is_some_and(|text| text.contains(&format!("Credential={}/", self.0)))
    }
}

struct World {
    store: MockServer,
    keys: Arc<Numbered>,
    bucket: Arc<dyn Bucket>,
}

impl World {
    /// A store that refuses KEY0 by `status` and `code`, and gives every later one `answer`.
    async fn new(status: u16, code: &str, answer: ResponseTemplate) -> Self {
        let store = MockServer::start().await;
        let body = format!(
            "<Error><Code>{code}</Code><Message>session-of-hunter2 is over</Message></Error>"
        );
        let refusal = ResponseTemplate::new(status).set_body_string(body);
        Mock::given(SignedBy("KEY0")).respond_with(refusal).mount(&store).await;
        Mock::given(SignedBy("KEY1")).respond_with(answer).mount(&store).await;
        let keys = Arc::new(Numbered::default());
        let config = StoreConfig::S3(S3Config {
            bucket: "objects".to_owned(),
            endpoint: Some(store.uri()),
            credentials: S3Credentials::Provided(ProvidedKeys::new(Arc::clone(&keys) as _)),
            ..S3Config::default()
        });
        let (clock, random) =
            (Arc::new(ManualClock::new()), Arc::new(CountingRandom::starting_at(1)));
        let bucket = open(&config, uuid::Uuid::nil(), clock, random);
        Self { store, keys, bucket: bucket.unwrap_or_else(|error| panic!("{error}")) }
    }

    async fn requests(&self) -> usize {
        self.store.received_requests().await.expect("it records").len()
    }
}

fn object() -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("etag", "\"1\"")
        .insert_header("last-modified", "Tue, 15 Nov 1994 08:12:31 GMT")
        .set_body_string("content")
}

#[tokio::test]
async fn a_request_whose_keys_have_ended_is_signed_again_once() {
    let listing = ResponseTemplate::new(200)
        .set_body_string("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    let deleted = ResponseTemplate::new(200)
        .set_body_string("<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>");
    let key = Key::new("a");
    for (status, code) in
        [(400, "ExpiredToken"), (403, "InvalidAccessKeyId"), (403, "ExpiredTokenException")]
    {
        let world = World::new(status, code, object()).await;
        let stored = world.bucket.get(&key).await.expect("it is signed again");
        assert_eq!(stored.map(|stored| stored.bytes), Some(Bytes::from_static(b"content")));
        assert_eq!((world.requests().await, world.keys.number()), (2, 1), "{code}");

        let world = World::new(status, code, object()).await;
        world.bucket.put(&key, Bytes::from_static(b"new")).await.expect("it is signed again");
        assert_eq!((world.requests().await, world.keys.number()), (2, 1), "{code}");

        let world = World::new(status, code, listing.clone()).await;
        let listed = world.bucket.list(&key, None, 10).await.expect("it is signed again");
        assert_eq!((listed.len(), world.requests().await), (0, 2), "{code}");

        let world = World::new(status, code, deleted.clone()).await;
        world.bucket.delete(std::slice::from_ref(&key)).await.expect("it is signed again");
        assert_eq!(world.requests().await, 2, "{code}");
    }
}

#[tokio::test]
async fn a_create_whose_keys_have_ended_is_one_request_with_an_unclear_outcome() {
    let world = World::new(400, "ExpiredToken", object()).await;
    let error = world.bucket.create(&Key::new("a"), Bytes::from_static(b"record")).await;
    let error = error.expect_err("the keys have ended");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!((world.requests().await, world.keys.number()), (1, 1));
    assert!(!error.to_string().contains("hunter2"), "{error}");
    world.bucket.create(&Key::new("a"), Bytes::from_static(b"record")).await.expect("new keys");
}

#[tokio::test]
async fn new_keys_that_are_refused_too_are_the_end() {
    let refusal = ResponseTemplate::new(403)
        .set_body_string("<Error><Code>InvalidAccessKeyId</Code><Message>no</Message></Error>");
    let world = World::new(403, "InvalidAccessKeyId", refusal).await;
    let error = world.bucket.put(&Key::new("a"), Bytes::new()).await.expect_err("refused");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    assert_eq!(world.requests().await, 2);
}

/// A store that finds the keys in order when it looks who asks, and ended when it looks at what
/// they may: it says of the first request that it is denied, and of every other that they are over.
async fn denied_once(answer: ResponseTemplate) -> World {
    let world = World::new(400, "ExpiredToken", answer).await;
    let denial = ResponseTemplate::new(403)
        .set_body_string("<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
    let first = Mock::given(SignedBy("KEY0")).respond_with(denial);
    first.up_to_n_times(1).with_priority(1).mount(&world.store).await;
    world
}

#[tokio::test]
async fn keys_that_end_while_the_store_looks_at_them_are_replaced() {
    let key = Key::new("a");
    let world = denied_once(object()).await;
    world.bucket.put(&key, Bytes::from_static(b"new")).await.expect("it is signed again");
    assert_eq!((world.requests().await, world.keys.number()), (3, 1));

    let world = denied_once(
        ResponseTemplate::new(200)
            .set_body_string("<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>"),
    )
    .await;
    world.bucket.delete(std::slice::from_ref(&key)).await.expect("it is signed again");
    assert_eq!((world.requests().await, world.keys.number()), (3, 1));

    let world = denied_once(object()).await;
    let error = world.bucket.create(&key, Bytes::from_static(b"record")).await;
    let error = error.expect_err("the keys have ended");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    world.bucket.create(&key, Bytes::from_static(b"record")).await.expect("new keys");
    assert_eq!((world.requests().await, world.keys.number()), (3, 1));
}

#[tokio::test]
async fn a_get_whose_keys_end_while_the_store_looks_at_them_finds_the_object() {
    let key = Key::new("a");
    let listing = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>\
        <LastModified>1994-11-15T08:12:31Z</LastModified><ETag>\"1\"</ETag><Size>7</Size>\
        </Contents></ListBucketResult>";
    let world = denied_once(object()).await;
    let listed = ResponseTemplate::new(200).set_body_string(listing);
    let lists = Mock::given(query_param("list-type", "2")).and(SignedBy("KEY1"));
    lists.respond_with(listed).with_priority(1).mount(&world.store).await;
    let stored = world.bucket.get(&key).await.expect("it is signed again");
    assert_eq!(stored.map(|stored| stored.bytes), Some(Bytes::from_static(b"content")));
    assert_eq!((world.requests().await, world.keys.number()), (4, 1));
}

#[tokio::test]
async fn keys_that_may_not_do_something_are_not_replaced() {
    let world = World::new(403, "AccessDenied", object()).await;
    let error = world.bucket.put(&Key::new("a"), Bytes::new()).await.expect_err("denied");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    // The put, and what tells whether the keys are still valid.
    assert_eq!((world.requests().await, world.keys.number()), (2, 0));
}
