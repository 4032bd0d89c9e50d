//! Played by wiremock after Cloudflare's documentation of the API: the real one can't be reached
//! from tests.

use dotdo_core::{ErrorKind, Tenant};
use serde_json::Value;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::credentials::Part;

const NOW_MS: i64 = 1_700_000_000_000;

async fn r2() -> (MockServer, R2) {
    let server = MockServer::start().await;
    let settings = R2Settings {
        api: format!("{}/client/v4", server.uri()),
        account_id: "023e105f4ecef8ad9ca31a8372d0c353".to_owned(),
        api_token: Secret::new("hunter2-of-cloudflare"),
        parent_access_key_id: "parent".to_owned(),
        bucket: "bucket".to_owned(),
    };
    (server, R2::new(settings).expect("a client"))
}

async fn issued(r2: &R2, access: Access) -> Result<Keys> {
    let tenant = Tenant::new("acme", "shop").expect("a tenant");
    let (part, prefixes) = (Part::Tenant(tenant), ["root/acme/shop/".to_owned()]);
    r2.issue(&Wanted { part: &part, prefixes: &prefixes, access, jwt: None }, NOW_MS).await
}

async fn answers(server: &MockServer, status: u16, body: &Value) {
    server.reset().await;
    let answer = ResponseTemplate::new(status).set_body_json(body);
    Mock::given(method("POST"))
        .and(path(
            "/client/v4/accounts/023e105f4ecef8ad9ca31a8372d0c353/r2/temp-access-credentials",
        ))
        .and(header("authorization", "Bearer hunter2-of-cloudflare"))
        .respond_with(answer)
        .mount(server)
        .await;
}

#[tokio::test]
async fn keys_are_asked_for_one_prefix_and_one_permission() {
    let (server, r2) = r2().await;
    let made = json!({ "accessKeyId": "id", "secretAccessKey": "secret", "sessionToken": "token" });
    answers(
        &server,
        200,
        &json!({ "success": true, "errors": [], "messages": [], "result": made }),
    )
    .await;
    for (access, permission) in
        [(Access::ReadWrite, "object-read-write"), (Access::ReadOnly, "object-read-only")]
    {
        let keys = issued(&r2, access).await.expect("keys");
        assert_eq!((&*keys.access_key_id, keys.secret_access_key.reveal()), ("id", "secret"));
        assert_eq!((keys.session_token.reveal(), keys.expires_ms), ("token", NOW_MS + 900_000));
        let received = server.received_requests().await.expect("recorded").pop().expect("one");
        let asked: Value = serde_json::from_slice(&received.body).expect("JSON");
        let expected = json!({
            "bucket": "bucket",
            "parentAccessKeyId": "parent",
            "permission": permission,
            "prefixes": ["root/acme/shop/"],
            "ttlSeconds": 900,
        });
        assert_eq!(asked, expected);
    }
}

#[tokio::test]
async fn a_failure_is_the_apis_or_the_brokers() {
    let (server, r2) = r2().await;
    let failed = json!({ "success": false, "result": null, "messages": [], "errors": [{ "code": 10000, "message": "hush" }] });
    for (status, body, kind, code) in [
        (403, &failed, ErrorKind::StoreRefused, "KEYS_REFUSED"),
        (400, &failed, ErrorKind::StoreRefused, "KEYS_REFUSED"),
        (429, &failed, ErrorKind::Unavailable, "KEYS_UNAVAILABLE"),
        (500, &failed, ErrorKind::Unavailable, "KEYS_UNAVAILABLE"),
        (200, &failed, ErrorKind::Unavailable, "KEYS_UNAVAILABLE"),
        (
            200,
            &json!({ "success": true, "result": {} }),
            ErrorKind::Unavailable,
            "KEYS_UNAVAILABLE",
        ),
        (200, &json!([]), ErrorKind::Unavailable, "KEYS_UNAVAILABLE"),
    ] {
        answers(&server, status, body).await;
        let error = issued(&r2, Access::ReadOnly).await.expect_err("no keys");
        assert_eq!((error.kind(), error.code()), (kind, code), "{status} {body}");
        assert!(!format!("{error:?}").contains("hush"), "{error:?}");
        assert!(!format!("{error:?}{r2:?}").contains("hunter2"), "{error:?}");
    }
}
