//! Token services.

use dotdo_core::testing::ManualClock;
use dotdo_core::{AccessKeysError, Clock, S3Config};
use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::credentials::cache::KeySource;
use crate::credentials::plan::{Exchange, Exchanger, StsSettings, TokenFrom};
use crate::credentials::sts::Sts;
use crate::credentials::{Storage, Tokens, connect};

const KEYS: &str = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
    <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
    <SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>\
    <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
    </AssumeRoleWithWebIdentityResponse>";

fn settings(url: &str) -> StsSettings {
    StsSettings {
        url: url.to_owned(),
        role_arn: Some("arn:aws:iam::123456789012:role/a b".to_owned()),
        session_name: "dotdo".to_owned(),
        policy: Some("{\"Version\":\"2012-10-17\"}".to_owned()),
        duration_seconds: 900,
    }
}

fn sts(url: &str) -> Sts {
    Sts::new(settings(url), fixed("{}")).expect("a URL on this machine")
}

/// What a service that answers so leads to.
async fn outcome(answer: ResponseTemplate) -> String {
    let service = MockServer::start().await;
    Mock::given(method("POST")).respond_with(answer).expect(1).mount(&service).await;
    match sts(&service.uri()).fetch().await {
        Ok(fresh) => fresh.keys.access_key_id,
        Err(AccessKeysError::Unavailable(text)) => format!("unavailable: {text}"),
        Err(AccessKeysError::Refused(text)) => format!("refused: {text}"),
    }
}

#[tokio::test]
async fn a_service_is_asked_by_a_form() {
    let service = MockServer::start().await;
    let form = token("{}").reveal().to_owned();
    Mock::given(method("POST"))
        .and(path("/"))
        .and(header("content-type", "application/x-www-form-urlencoded"))
        .and(body_string_contains("Action=AssumeRoleWithWebIdentity&Version=2011-06-15"))
        .and(body_string_contains("DurationSeconds=900"))
        .and(body_string_contains("RoleSessionName=dotdo"))
        .and(body_string_contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fa+b"))
        .and(body_string_contains("Policy=%7B%22Version%22%3A%222012-10-17%22%7D"))
        .and(body_string_contains(format!("WebIdentityToken={form}")))
        .respond_with(ResponseTemplate::new(200).set_body_string(KEYS))
        .expect(1)
        .mount(&service)
        .await;
    let fresh = sts(&service.uri()).fetch().await.expect("keys");
    assert_eq!(fresh.keys.access_key_id, "ASIA1");
}

#[tokio::test]
async fn each_answer_of_a_service_is_told_apart() {
    let error = |code: &str| {
        format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>no\n way {}</Message></Error></ErrorResponse>",
            token("{}").reveal()
        )
    };
    let answer = |status: u16, body: &str| ResponseTemplate::new(status).set_body_string(body);
    let redirect = answer(302, "").insert_header("location", "http://127.0.0.1:1/");
    for (answer, expected) in [
        (answer(200, KEYS), "ASIA1"),
        (answer(200, "<html>hello</html>"), "unavailable: the token service"),
        (answer(200, ""), "unavailable: the token service"),
        (answer(200, &"x".repeat(70_000)), "answers with more than 65536 bytes"),
        (answer(500, "hello"), "answers 500 Internal Server Error"),
        (answer(503, ""), "unavailable: the token service"),
        (answer(429, ""), "unavailable: the token service"),
        (redirect, "refused: the token service"),
        (
            answer(400, &error("InvalidIdentityToken")),
            "400 Bad Request, InvalidIdentityToken: no way (token); check that the token",
        ),
        (answer(400, &error("ExpiredTokenException")), "refused: the token service"),
        (answer(400, &error("IDPCommunicationError")), "unavailable: the token service"),
        (answer(403, "<html>"), "refuses the token from the test: 403 Forbidden"),
    ] {
        let text = outcome(answer).await;
        assert!(text.contains(expected), "expected {expected}, got {text}");
        for secret in ["aHVudGVyMg", token("{}").reveal()] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_service_that_is_away_is_named() {
    let service = sts("http://127.0.0.1:1");
    let error = service.fetch().await.map(|_| ()).expect_err("nobody listens there");
    let text = error.to_string();
    assert!(matches!(error, AccessKeysError::Unavailable(_)));
    assert!(text.contains("http://127.0.0.1:1/ does not answer"), "{text}");
}

/// A machine's token may have claims that have the names of an issuer's: Fly's has the `org_id` of
/// its customer.
#[tokio::test]
async fn the_platform_s_own_token_names_no_tenant() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("oidc_token");
    let text = token("{\"org_id\":\"29873298\",\"org_name\":\"example\"}");
    std::fs::write(&file, text.reveal()).expect("written");
    let tenant = async |token: TokenFrom| {
        let storage = Storage::Exchanged(Exchange {
            place: S3Config { bucket: "objects".to_owned(), ..S3Config::default() },
            token,
            exchanger: Exchanger::Sts(settings("https://sts.example")),
            is_by_tenant: false,
        });
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new());
        connect(&storage, &Tokens::new(&storage, None), clock).await.expect("a bucket").tenant
    };
    assert_eq!(tenant(TokenFrom::OfPlatform(file.clone())).await, None);
    let named = tenant(TokenFrom::File(file)).await.expect("somebody chose this token");
    assert_eq!(named.org(), "29873298");
}

#[test]
fn a_token_is_not_sent_in_the_clear() {
    let error = Sts::new(settings("http://sts.example"), fixed("{}")).map(|_| ());
    let error = error.expect_err("it is another machine");
    assert!(error.message().contains("expected an https:// URL"), "{error}");
}
