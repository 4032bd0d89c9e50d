use dotdo_core::Tenant;
use wiremock::matchers::{body_string_contains, header_exists, method};
use wiremock::{Mock, MockServer, Request as Received, ResponseTemplate};

use super::super::testing;
use super::*;
use crate::broker::keys::Access;
use crate::credentials::Part;

const ANSWER: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
    <AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>a&amp;b/c+d=</SecretAccessKey><SessionToken>tok</SessionToken>\
    <Expiration>2030-01-01T00:15:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

async fn sts(web_identity: bool) -> (MockServer, Sts) {
    let server = MockServer::start().await;
    let sts = testing::sts(server.uri(), web_identity);
    (server, sts)
}

async fn issued(sts: &Sts, jwt: Option<&str>) -> Result<Keys> {
    let tenant = Tenant::new("one:acme", "shop").expect("a tenant");
    let jwt = jwt.map(Secret::new);
    let (part, prefixes) = (Part::Tenant(tenant), ["root/one.3aacme/shop/".to_owned()]);
    let wanted =
        Wanted { part: &part, prefixes: &prefixes, access: Access::ReadWrite, jwt: jwt.as_ref() };
    sts.issue(&wanted).await
}

async fn answers(server: &MockServer, status: u16, body: &str) {
    server.reset().await;
    let answer = ResponseTemplate::new(status).set_body_string(body);
    Mock::given(method("POST")).respond_with(answer).mount(server).await;
}

fn form(received: &Received) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&received.body).into_owned().collect()
}

#[tokio::test]
async fn a_role_is_assumed_with_a_signature_and_a_policy() {
    let (server, sts) = sts(true).await;
    Mock::given(method("POST"))
        .and(header_exists("authorization"))
        .and(body_string_contains("Action=AssumeRole&"))
        .respond_with(ResponseTemplate::new(200).set_body_string(ANSWER))
        .expect(1)
        .mount(&server)
        .await;
    let keys = issued(&sts, None).await.expect("keys");
    assert_eq!((&*keys.access_key_id, keys.secret_access_key.reveal()), ("ASIA1", "a&b/c+d="));
    assert_eq!((keys.session_token.reveal(), keys.expires_ms), ("tok", 1_893_456_900_000));
    let received = server.received_requests().await.expect("recorded").remove(0);
    let authorization = received.headers["authorization"].to_str().expect("text");
    assert!(authorization.contains("AKID/") && authorization.contains("/eu-west-1/sts/"));
    let form = form(&received);
    let value = |name: &str| &form.iter().find(|(key, _)| key == name).expect(name).1;
    assert_eq!(
        (&**value("DurationSeconds"), &**value("RoleSessionName")),
        ("900", "one=acme@shop")
    );
    assert!(value("Policy").contains("arn:aws:s3:::bucket/root/one.3aacme/shop/*"));
}

#[tokio::test]
async fn a_callers_own_token_is_sent_unsigned() {
    let (server, sts) = sts(true).await;
    answers(&server, 200, ANSWER).await;
    issued(&sts, Some("a.jwt.b")).await.expect("keys");
    let received = server.received_requests().await.expect("recorded").remove(0);
    assert!(!received.headers.contains_key("authorization"));
    let form = form(&received);
    for (name, value) in [("Action", "AssumeRoleWithWebIdentity"), ("WebIdentityToken", "a.jwt.b")]
    {
        assert!(form.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
}

#[tokio::test]
async fn without_web_identity_the_token_stays_here() {
    let (server, sts) = sts(false).await;
    answers(&server, 200, ANSWER).await;
    issued(&sts, Some("a.jwt.b")).await.expect("keys");
    let received = server.received_requests().await.expect("recorded").remove(0);
    assert!(received.headers.contains_key("authorization"));
    assert!(!String::from_utf8_lossy(&received.body).contains("jwt"));
}

#[tokio::test]
async fn failures_are_of_the_backend_of_the_broker_or_of_the_token() {
    let (server, sts) = sts(true).await;
    let error = |code: &str| {
        format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>hush</Message></Error></ErrorResponse>"
        )
    };
    for (status, code, with_jwt, kind, expected) in [
        (403, "AccessDenied", false, ErrorKind::StoreRefused, "KEYS_REFUSED"),
        (400, "MalformedPolicyDocument", true, ErrorKind::StoreRefused, "KEYS_REFUSED"),
        (400, "ExpiredToken", false, ErrorKind::StoreRefused, "KEYS_REFUSED"),
        (400, "ExpiredTokenException", true, ErrorKind::Forbidden, "TOKEN_REFUSED_BY_STORE"),
        (403, "AccessDenied", true, ErrorKind::Forbidden, "TOKEN_REFUSED_BY_STORE"),
        (400, "Throttling", true, ErrorKind::Unavailable, "KEYS_UNAVAILABLE"),
        (503, "", false, ErrorKind::Unavailable, "KEYS_UNAVAILABLE"),
        (302, "", false, ErrorKind::StoreRefused, "KEYS_REFUSED"),
    ] {
        answers(&server, status, &error(code)).await;
        let failed = issued(&sts, with_jwt.then_some("a.jwt.b")).await.expect_err(code);
        assert_eq!((failed.kind(), failed.code()), (kind, expected), "{status} {code}");
        let shown = format!("{failed:?}");
        for secret in ["hush", testing::SECRET, "a.jwt.b"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(!failed.public_message().contains(&server.uri()), "{}", failed.public_message());
    }
}

#[tokio::test]
async fn an_answer_without_keys_or_of_any_size_is_no_answer() {
    let (server, sts) = sts(false).await;
    let large = "x".repeat(65 << 10);
    let without_end = ANSWER.replace("2030-01-01T00:15:00Z", "soon");
    for body in ["", "<Credentials>", "{}", &without_end, &large] {
        answers(&server, 200, body).await;
        let failed = issued(&sts, None).await.expect_err("no keys");
        assert_eq!(failed.code(), "KEYS_UNAVAILABLE", "{failed:?}");
    }
    let nobody = StsSettings { endpoint: "http://127.0.0.1:9/".to_owned(), ..sts.settings.clone() };
    let sts = Sts { settings: nobody, ..sts };
    assert_eq!(issued(&sts, None).await.expect_err("nobody").code(), "KEYS_UNAVAILABLE");
}
