//! Who comes in with which token, and who does not, however they ask.

use dotdo_core::{Caller, Error, ErrorKind, Result, Secret, Tenant};

use super::client::Answer;
use super::*;
use crate::auth::{AuthSettings, Authenticator, SharedAuthenticator};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn settings(auth: AuthSettings) -> EdgeSettings {
    EdgeSettings { auth, ..edge_settings() }
}

fn with_token() -> EdgeSettings {
    settings(AuthSettings { tokens: Some(Secret::new(TOKEN)), ..AuthSettings::default() })
}

fn request(target: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("GET {target} HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
}

fn refusal(answer: &Answer) -> (u16, &str, String) {
    // The description after the comma is the error's message.
    let challenge = answer.headers["www-authenticate"].split(',').next().unwrap_or_default();
    (answer.status, challenge, answer.json()["code"].to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_token_reaches_the_object_without_it() {
    let server = Server::with(server_settings(), with_token()).await;
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let answer = server.ask(&request("/do/a/header/authorization", &[&bearer])).await;
    assert_eq!((answer.status, answer.text()), (200, ""));
    for open in ["/health", "/ready", "http://example.com/health"] {
        assert_eq!(server.ask(&request(open, &[])).await.status, 200, "{open}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_valid_token_nothing_is_served() {
    let server = Server::with(server_settings(), with_token()).await;
    let missing = (401, "Bearer", "\"UNAUTHENTICATED\"".to_owned());
    let wrong = (401, "Bearer error=\"invalid_token\"", "\"INVALID_TOKEN\"".to_owned());
    for target in [
        "/do/a/seen",
        "/metrics",
        "/nothing",
        "/do/%/x",
        "/do/Nope/a/",
        "/HEALTH",
        "//health",
        "/./health",
        "/%68ealth",
        "/health/",
    ] {
        assert_eq!(refusal(&server.ask(&request(target, &[])).await), missing, "{target}");
    }
    for target in [
        "http://x/do/a/seen",
        "http://health/do/a/seen",
        "*",
        "/health%2f..%2fdo/a/seen",
        "/health/../do/a/seen",
    ] {
        assert_eq!(refusal(&server.ask(&request(target, &[])).await), missing, "{target}");
    }
    for header in ["X-DO-ID: a", "x-dotdo-id: a", "X-DO-Type: Counter"] {
        assert_eq!(refusal(&server.ask(&request("/health", &[header])).await), missing, "{header}");
    }
    let good = format!("Authorization: Bearer {TOKEN}");
    let long = format!("Authorization: Bearer {}", "x".repeat(60_000));
    for headers in [
        &[&*good, "Authorization: Bearer x"][..],
        &[&good, &good],
        &["Authorization: Bearer"],
        &["Authorization: Bearer x"],
        &[&long],
    ] {
        assert_eq!(refusal(&server.ask(&request("/do/a/seen", headers)).await), wrong);
    }
    // A second request inside what looks like the first one's body is read as what it is.
    let smuggled = format!(
        "POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n{}",
        request("/do/a/seen", &[])
    );
    let mut client = server.connect().await;
    client.send(&smuggled).await;
    assert_eq!((client.answer().await.status, client.answer().await.status), (404, 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_peer_header_does_not_authenticate() {
    let server = Server::with(server_settings(), with_token()).await;
    let answer = server.ask(&request("/do/a/seen", &["dotdo-peer: e30.00"])).await;
    assert_eq!((answer.status, &answer.json()["code"]), (403, &"PEER_REFUSED".into()));
}

/// Knows the tokens `alice-…` and `bob-…`; asks nobody about the others.
struct Names;

impl Authenticator for Names {
    async fn authenticate(&self, token: &str, _: &http::request::Parts) -> Result<Caller> {
        match token.split_once('-') {
            Some(("alice", _)) => Ok(Caller::new("alice")),
            Some(("bob", _)) => Ok(Caller::new("bob").of_tenant(Tenant::new("o", "other")?)),
            Some(("panic", _)) => panic!("as asked"),
            Some(("later", _)) => {
                Err(Error::new(ErrorKind::Unavailable, "the keys can't be fetched"))
            }
            _ => Err(Error::new(ErrorKind::Unauthenticated, "there is no such session")),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_works_in_addition_to_configured_tokens() {
    let auth = AuthSettings {
        tokens: Some(Secret::new(TOKEN)),
        authenticator: Some(SharedAuthenticator::new(Names)),
        ..AuthSettings::default()
    };
    let router = Router::new(["DO"], Some("DO"));
    let edge = Edge::new(TestObjects::default(), router, settings(auth), None, 1);
    let server = Server::serving(edge, server_settings()).await;
    for (token, status, code) in [
        (TOKEN, 200, None),
        ("alice-1", 200, None),
        ("bob-1", 200, None),
        ("eve-1", 401, Some("INVALID_TOKEN")),
        ("later-1", 503, Some("AUTH_UNAVAILABLE")),
        ("panic-1", 500, Some("INTERNAL")),
    ] {
        let answer =
            server.ask(&request("/do/a/seen", &[&format!("Authorization: Bearer {token}")])).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, code), "{token}");
    }
}
