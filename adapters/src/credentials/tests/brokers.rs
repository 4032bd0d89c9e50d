//! Brokers.

use dotdo_core::testing::ManualClock;
use dotdo_core::{Clock, Error, S3Config, S3Credentials, StoreConfig, Tenant};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::credentials::connect::Connected;
use crate::credentials::plan::{Exchange, Exchanger, TokenFrom};
use crate::credentials::{Storage, Tokens, connect};

const CLAIMS: &str = "{\"org_id\":\"acme\",\"tenant_id\":\"shop\"}";

fn granted(change: Value) -> Value {
    let mut answer = json!({
        "accessKeyId": "ASIA1",
        "secretAccessKey": "secret",
        "sessionToken": "session",
        "expires": "2099-01-01T00:00:00Z",
        "endpoint": "https://account.r2.cloudflarestorage.com",
        "region": "auto",
        "bucket": "objects",
        "prefix": "production",
        "tenant": { "org": "acme", "name": "shop" },
    });
    if let (Value::Object(answer), Value::Object(change)) = (&mut answer, change) {
        answer.extend(change);
    }
    answer
}

/// Connects through a broker that answers so.
async fn connected(place: S3Config, answer: ResponseTemplate) -> Result<Connected> {
    let broker = MockServer::start().await;
    let bearer = format!("Bearer {}", token(CLAIMS).reveal());
    Mock::given(method("POST"))
        .and(path("/base/v1/credentials"))
        .and(header("authorization", bearer.as_str()))
        .respond_with(answer)
        .expect(1)
        .mount(&broker)
        .await;
    let storage = Storage::Exchanged(Exchange {
        place,
        token: TokenFrom::Login,
        exchanger: Exchanger::Broker(format!("{}/base/", broker.uri())),
        is_by_tenant: false,
    });
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
    let connected = connect(&storage, &Tokens::new(&storage, Some(fixed(CLAIMS))), clock).await?;
    let StoreConfig::S3(S3Config { credentials: S3Credentials::Provided(keys), .. }) =
        &connected.store
    else {
        panic!("keys that are renewed")
    };
    // The broker expects one request: these are the keys of the answer that named the place.
    assert_eq!(format!("{keys:?}"), "ProvidedKeys(…)");
    Ok(connected)
}

async fn refusal(answer: ResponseTemplate) -> Error {
    connected(S3Config::default(), answer).await.map(|_| ()).expect_err("it is no good answer")
}

fn ok(answer: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(answer)
}

#[tokio::test]
async fn a_broker_says_where_the_objects_are_and_whose() {
    let connected = connected(S3Config::default(), ok(&granted(json!({})))).await;
    let Connected { store, tenant, .. } = connected.unwrap_or_else(|error| panic!("{error}"));
    let StoreConfig::S3(store) = store else { panic!("S3") };
    assert_eq!((store.bucket.as_str(), store.prefix.as_str()), ("objects", "production"));
    assert_eq!(store.region.as_deref(), Some("auto"));
    assert_eq!(store.endpoint.as_deref(), Some("https://account.r2.cloudflarestorage.com"));
    assert_eq!(tenant, Some(Tenant::new("acme", "shop").expect("short names")));
}

#[tokio::test]
async fn nothing_of_an_answer_is_used_unchecked() {
    for (change, expected) in [
        (json!({ "endpoint": "http://storage.example" }), "\"endpoint\""),
        (json!({ "endpoint": "https://user@storage.example" }), "\"endpoint\""),
        (json!({ "region": "x/../y" }), "\"region\""),
        (json!({ "bucket": "a/b" }), "\"bucket\""),
        (json!({ "prefix": "a/../b" }), "\"prefix\""),
        (json!({ "prefix": "*" }), "\"prefix\""),
        (json!({ "tenant": { "org": "", "name": "x" } }), "\"tenant\""),
        (json!({ "tenant": { "org": "acme", "name": "other" } }), "another tenant"),
        (json!({ "tenant": { "org": "other", "name": "shop" } }), "another tenant"),
        (json!({ "accessKeyId": "a b" }), "keys that can't be used"),
        (json!({ "secretAccessKey": "" }), "keys that can't be used"),
        (json!({ "expires": "soon" }), "keys that can't be used"),
        (json!({ "bucket": 1 }), "JSON that is wrong"),
    ] {
        let error = refusal(ok(&granted(change))).await;
        assert!(error.message().contains(expected), "expected {expected}, got {error}");
        assert!(error.message().contains("check its URL (DOTDO_BROKER)"), "{error}");
    }
}

#[tokio::test]
async fn a_broker_of_several_issuers_may_name_the_issuer() {
    let answer = ok(&granted(json!({ "tenant": { "org": "partner:acme", "name": "shop" } })));
    let connected = connected(S3Config::default(), answer).await;
    let tenant = connected.unwrap_or_else(|error| panic!("{error}")).tenant;
    assert_eq!(tenant, Some(Tenant::new("partner:acme", "shop").expect("short names")));
}

#[tokio::test]
async fn a_refusal_of_a_broker_is_passed_on_without_the_token() {
    let body = json!({ "error": format!("no such tenant: {}", token(CLAIMS).reveal()), "code": "WRONG_TENANT", "status": 403 });
    let error = refusal(ResponseTemplate::new(403).set_body_json(body)).await;
    let text = error.message();
    assert!(
        text.contains(
            "refuses the token from the test: 403 Forbidden, WRONG_TENANT: no such tenant: (token)"
        ),
        "{text}"
    );
    let garbage = refusal(ResponseTemplate::new(200).set_body_string("<html>")).await;
    assert!(garbage.message().contains("JSON that is wrong at line 1"), "{garbage}");
    let away = refusal(ResponseTemplate::new(502)).await;
    assert_eq!(away.kind(), dotdo_core::ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_storage_that_the_keys_are_not_for_is_refused() {
    let place = |bucket: &str, prefix: &str| S3Config {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        ..S3Config::default()
    };
    let same = connected(place("objects", "production"), ok(&granted(json!({})))).await;
    assert!(same.is_ok());
    let other = connected(place("objects", "staging"), ok(&granted(json!({})))).await;
    let error = other.map(|_| ()).expect_err("it is another place");
    assert_eq!(error.code(), "WRONG_STORAGE");
    assert!(
        error.message().contains(
            "storage is s3://objects/staging, but the broker gives keys for s3://objects/production"
        ),
        "{error}"
    );
}
