//! Tokens of an issuer at the front door.

use std::sync::atomic::{AtomicUsize, Ordering};

use dotdo_core::{Caller, Result, Secret};
use serde_json::json;
use wiremock::ResponseTemplate;

use super::client::Answer;
use super::*;
use crate::auth::provider::{Provider, SigningKey};
use crate::auth::{AuthSettings, Authenticator, SharedAuthenticator};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Knows `session-of-…`, and counts how often it is asked.
#[derive(Clone, Default)]
struct Sessions(Arc<AtomicUsize>);

impl Authenticator for Sessions {
    async fn authenticate(&self, token: &str, _: &http::request::Parts) -> Result<Caller> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let user = token.strip_prefix("session-of-");
        user.map(Caller::new).ok_or_else(|| {
            dotdo_core::Error::new(
                dotdo_core::ErrorKind::Unauthenticated,
                "there is no such session",
            )
        })
    }
}

async fn server(provider: &Provider, sessions: &Sessions) -> Server {
    let auth = AuthSettings {
        tokens: Some(Secret::new(TOKEN)),
        verifier: Some(Arc::new(provider.verifier())),
        authenticator: Some(SharedAuthenticator::new(sessions.clone())),
        identity: provider.settings(),
        ..AuthSettings::default()
    };
    Server::with(server_settings(), EdgeSettings { auth, ..edge_settings() }).await
}

async fn ask(server: &Server, token: &str) -> Answer {
    let head =
        format!("GET /do/a/seen HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    server.ask(&head).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_token_has_its_status_code_and_sentence() {
    let key = SigningKey::ec(1);
    let provider = Provider::publishing(std::slice::from_ref(&key)).await;
    let server = server(&provider, &Sessions::default()).await;
    let token = |claims| provider.token(&key, &claims);
    for (claims, status, code) in [
        (json!({}), 200, None),
        (json!({ "exp": provider.seconds(-31) }), 401, Some("INVALID_TOKEN")),
        (json!({ "aud": "\"other\"" }), 401, Some("INVALID_TOKEN")),
        (json!({ "org_id": null }), 403, Some("MISSING_ORGANISATION")),
        (json!({ "org_id": "../x" }), 403, Some("BAD_TENANT")),
        (json!({ "storage": { "bucket": "other" } }), 403, Some("WRONG_STORAGE")),
    ] {
        let answer = ask(&server, &token(claims.clone())).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (status, code), "{claims}");
    }
    let expired = ask(&server, &token(json!({ "exp": provider.seconds(-31) }))).await;
    let why = "the token expired 31 seconds ago; get a new one";
    assert_eq!(expired.json()["error"], why);
    assert_eq!(
        expired.headers["www-authenticate"],
        format!("Bearer error=\"invalid_token\", error_description=\"{why}\"")
    );
    provider.advance(3 * 24 * 3600);
    provider.answer(ResponseTemplate::new(500), ResponseTemplate::new(500)).await;
    let away = ask(&server, &token(json!({}))).await;
    assert_eq!((away.status, &away.json()["code"]), (503, &"AUTH_UNAVAILABLE".into()));
    assert_eq!(&away.headers["retry-after"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn configured_tokens_come_first_then_the_issuer_then_the_program() {
    let key = SigningKey::ec(1);
    let provider = Provider::publishing(std::slice::from_ref(&key)).await;
    let sessions = Sessions::default();
    let server = server(&provider, &sessions).await;
    assert_eq!(ask(&server, TOKEN).await.status, 200);
    assert_eq!(provider.requests().await, 0, "a configured token needs no issuer");
    let good = provider.token(&key, &json!({}));
    assert_eq!(ask(&server, &good).await.status, 200);
    for wrong in [&good[1..], &good[..good.len() - 1], &good.replace('.', "")] {
        assert_eq!(ask(&server, wrong).await.status, 401);
    }
    let asked = sessions.0.load(Ordering::Relaxed);
    assert_eq!(
        asked, 2,
        "what is no token of an issuer is the program's: without its beginning or its dots"
    );
    assert_eq!(ask(&server, "session-of-alice").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_fails_twenty_times_waits_unless_it_knows_a_token() {
    let key = SigningKey::ec(1);
    let provider = Provider::publishing(std::slice::from_ref(&key)).await;
    let server = server(&provider, &Sessions::default()).await;
    let old = provider.token(&key, &json!({ "exp": provider.seconds(-31) }));
    let known = provider.token(&key, &json!({}));
    let new = provider.token(&key, &json!({ "sub": "user_2" }));
    assert_eq!(ask(&server, &known).await.status, 200);
    for _ in 0..20 {
        assert_eq!(ask(&server, &old).await.status, 401);
    }
    let waiting = ask(&server, &old).await;
    assert_eq!((waiting.status, &waiting.json()["code"]), (429, &"TOO_MANY_ATTEMPTS".into()));
    assert!(waiting.headers.contains_key("retry-after"));
    assert_eq!(ask(&server, &new).await.status, 429, "its signature is not even checked");
    assert_eq!(ask(&server, &known).await.status, 200, "a known token costs nothing");
    assert_eq!(ask(&server, &new).await.status, 200, "and ends the count");
}
