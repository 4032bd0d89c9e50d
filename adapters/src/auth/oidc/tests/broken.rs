//! Issuers that are away, slow, wrong, or that change their keys.

use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{Error, ErrorKind};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::provider::{Provider, SigningKey, refusal};
use crate::auth::oidc::Verifier;

/// An hour: longer than any wait here.
const NEVER: Duration = Duration::from_secs(3600);

async fn failure(verifier: &Verifier, token: &str) -> Error {
    verifier.verify(token).await.map(drop).expect_err("no keys")
}

/// Waits until the issuer has got this number of requests since its answers were last changed.
async fn asked(provider: &Provider, requests: usize) {
    while provider.requests().await < requests {
        tokio::task::yield_now().await;
    }
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// Checks that a token can't be verified while the issuer answers like this, and what is said.
async fn says(provider: &Provider, answers: [ResponseTemplate; 2], why: &str) {
    let [discovery, keys] = answers;
    provider.answer(discovery, keys).await;
    let token = provider.token(&SigningKey::ec(1), &json!({}));
    let error = failure(&provider.verifier(), &token).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "AUTH_UNAVAILABLE"));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    let url = provider.url();
    assert_eq!(
        error.message(),
        format!("the keys of the issuer {url} can't be fetched now: {why}")
    );
}

#[tokio::test]
async fn a_discovery_document_that_is_wrong_is_named_with_what_is_wrong() {
    let key = SigningKey::ec(1);
    let provider = Provider::silent().await;
    let url = provider.url();
    let jwks = format!("{url}/jwks");
    let keys = ok(&json!({ "keys": [key.jwk()] }));
    let status = |code: u16| ResponseTemplate::new(code);
    let naming = |uri: &str| ok(&json!({ "issuer": url, "jwks_uri": uri }));
    let large = |bytes: usize| {
        ok(&json!({ "issuer": url, "jwks_uri": jwks, "padding": "x".repeat(bytes) }))
    };
    let other = ok(&json!({ "issuer": format!("{url}/"), "jwks_uri": jwks }));
    let at = format!("{url}/.well-known/openid-configuration");
    let document = "expected a JSON object with issuer and jwks_uri, got another document";
    let https = format!("jwks_uri in {at}: expected an https:// URL, got another");
    for (discovery, why) in [
        (status(500), format!("{at}: expected the status 200, got 500")),
        (status(404), format!("{at}: expected the status 200, got 404")),
        (
            status(302).insert_header("location", &*jwks),
            format!("{at}: expected the status 200, got 302"),
        ),
        (status(200).set_body_string("<html>"), format!("{at}: {document}")),
        (ok(&json!({ "issuer": url })), format!("{at}: {document}")),
        (large(256 << 10), format!("{at}: expected at most 262144 bytes, got more")),
        (
            other,
            format!(
                "{at} names another issuer than {url}; set auth.issuer to exactly the issuer that it names"
            ),
        ),
        (naming("http://keys.example.com/jwks"), https.clone()),
        (naming("file:///etc/passwd"), https.clone()),
        (naming("/jwks"), https),
    ] {
        says(&provider, [discovery, keys.clone()], &why).await;
    }
    provider.answer(large(200 << 10), keys).await;
    let token = provider.token(&key, &json!({}));
    provider.verifier().verify(&token).await.expect("a large document within the bound");
}

#[tokio::test]
async fn a_set_of_keys_that_is_none_is_named_with_what_is_wrong() {
    let provider = Provider::silent().await;
    let jwks = format!("{}/jwks", provider.url());
    let discovery = ok(&json!({ "issuer": provider.url(), "jwks_uri": jwks }));
    let many = vec![SigningKey::ec(1).jwk(); 101];
    let status = |code: u16| ResponseTemplate::new(code);
    for (keys, why) in [
        (status(503), "expected the status 200, got 503"),
        (status(302).insert_header("location", &*jwks), "expected the status 200, got 302"),
        (ok(&json!([])), "expected a JSON object with the list keys, got another document"),
        (
            ok(&json!({ "keys": {} })),
            "expected a JSON object with the list keys, got another document",
        ),
        (ok(&json!({ "keys": many })), "expected at most 100 keys, got more"),
    ] {
        says(&provider, [discovery.clone(), keys], &format!("{jwks}: {why}")).await;
    }
}

#[tokio::test]
async fn an_issuer_that_is_not_there_or_does_not_answer_is_unavailable() {
    let provider = Provider::silent().await;
    let token = provider.token(&SigningKey::ec(1), &json!({}));
    let slow = ResponseTemplate::new(200).set_delay(NEVER);
    provider.answer(slow.clone(), slow).await;
    let verifier = Arc::new(provider.verifier());
    let waiting = tokio::spawn({
        let (verifier, token) = (verifier.clone(), token.clone());
        async move { failure(&verifier, &token).await }
    });
    asked(&provider, 1).await;
    provider.advance(5);
    let error = waiting.await.expect("the request ends");
    assert_eq!(error.code(), "AUTH_UNAVAILABLE");
    assert!(error.message().ends_with("did not answer within 5 s"), "{error}");

    let requests = provider.requests().await;
    provider.advance(1);
    provider.publish(&[SigningKey::ec(1)]).await;
    verifier.verify(&token).await.expect("it is back");
    assert_eq!(requests, 1);

    let settings = crate::auth::IdentitySettings {
        // Nobody listens on port 1.
        issuers: vec!["http://127.0.0.1:1".to_owned()],
        ..provider.settings()
    };
    let claims = provider.claims(&json!({ "iss": "http://127.0.0.1:1" }));
    let token = SigningKey::ec(1).sign(&SigningKey::ec(1).header(), &claims);
    let error = failure(&provider.verifier_with(&settings), &token).await;
    let start = "the keys of the issuer http://127.0.0.1:1 can't be fetched now: can't read http://127.0.0.1:1/.well-known/";
    assert!(error.message().starts_with(start), "{error}");
}

#[tokio::test]
async fn while_nothing_is_known_an_issuer_is_asked_once_a_second() {
    let provider = Provider::silent().await;
    let failing = ResponseTemplate::new(500);
    provider.answer(failing.clone(), failing).await;
    let verifier = provider.verifier();
    let token = provider.token(&SigningKey::ec(1), &json!({}));
    for _ in 0..5 {
        assert_eq!(failure(&verifier, &token).await.code(), "AUTH_UNAVAILABLE");
    }
    assert_eq!(provider.requests().await, 1);
    provider.advance(1);
    failure(&verifier, &token).await;
    assert_eq!(provider.requests().await, 2);
}

#[tokio::test]
async fn many_requests_at_once_fetch_the_keys_once_and_outlive_the_one_that_asked() {
    let key = SigningKey::ec(1);
    let provider = Provider::silent().await;
    // So long that the first one is cancelled before they are there, also on a busy machine.
    let keys = ok(&json!({ "keys": [key.jwk()] })).set_delay(Duration::from_secs(1));
    provider.answer_keys(keys).await;
    let verifier = Arc::new(provider.verifier());
    let token = |number: usize| provider.token(&key, &json!({ "sub": format!("user_{number}") }));
    let ask = |token: String| {
        let verifier = verifier.clone();
        tokio::spawn(async move { verifier.verify(&token).await.map(drop) })
    };
    let first = ask(token(0));
    asked(&provider, 1).await;
    first.abort();
    let others: Vec<_> = (1..20).map(|number| ask(token(number))).collect();
    for other in others {
        other.await.expect("it ends").expect("the keys are there");
    }
    assert!(first.await.expect_err("it was cancelled").is_cancelled());
    assert_eq!(provider.requests().await, 2, "one discovery document and one key set");
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_at_most_every_ten_seconds() {
    let (old, new) = (SigningKey::ec(1), SigningKey::ec(2));
    let provider = Provider::publishing(std::slice::from_ref(&old)).await;
    let verifier = provider.verifier();
    verifier.verify(&provider.token(&old, &json!({}))).await.expect("a known key");
    provider.publish(std::slice::from_ref(&new)).await;
    let token = provider.token(&new, &json!({}));
    for _ in 0..5 {
        assert_eq!(refusal(&verifier, &token).await.0, "INVALID_TOKEN", "too soon");
    }
    assert_eq!(provider.requests().await, 0);
    provider.advance(10);
    verifier.verify(&token).await.expect("the new key");
    assert_eq!(provider.requests().await, 2);
    let sub = json!({ "sub": "user_2" });
    let gone = refusal(&verifier, &provider.token(&old, &sub)).await;
    let sentence = format!("the token's key is not one of the keys of {}", provider.url());
    assert_eq!(gone, ("INVALID_TOKEN", sentence), "the old key is not believed any more");
    assert_eq!(provider.requests().await, 2, "and nobody is asked for it");
}

#[tokio::test]
async fn keys_are_renewed_behind_requests_when_they_are_due() {
    let old = SigningKey::ec(1);
    let renewed = SigningKey::ec(2).called("ec-1");
    let provider = Provider::silent().await;
    let minutes = |key: &SigningKey| {
        ok(&json!({ "keys": [key.jwk()] })).insert_header("cache-control", "max-age=120")
    };
    provider.answer_keys(minutes(&old)).await;
    let verifier = provider.verifier();
    let token = |key: &SigningKey, sub: &str| provider.token(key, &json!({ "sub": sub }));
    verifier.verify(&token(&old, "a")).await.expect("the first key");
    provider.answer_keys(minutes(&renewed)).await;
    provider.advance(119);
    verifier.verify(&token(&old, "b")).await.expect("still fresh");
    assert_eq!(provider.requests().await, 0);
    provider.advance(1);
    verifier.verify(&token(&old, "c")).await.expect("used while it is renewed");
    asked(&provider, 2).await;
    // The answer is on its way; the new key has the same id, so only its signature tells.
    while verifier.verify(&token(&renewed, "d")).await.is_err() {
        tokio::task::yield_now().await;
    }
    let stolen = refusal(&verifier, &token(&old, "e")).await;
    assert_eq!(stolen, ("INVALID_TOKEN", "the token's signature does not match".to_owned()));
    assert_eq!(provider.requests().await, 2);
}

#[tokio::test]
async fn known_keys_are_used_for_a_day_while_the_issuer_is_away() {
    let key = SigningKey::ed(1);
    let provider = Provider::publishing(std::slice::from_ref(&key)).await;
    let verifier = provider.verifier();
    let token = |sub: &str| provider.token(&key, &json!({ "sub": sub }));
    verifier.verify(&token("a")).await.expect("a known key");
    let failing = ResponseTemplate::new(500);
    provider.answer(failing.clone(), failing).await;
    // Ten minutes, because the issuer did not say, and the day.
    provider.advance(600 + 24 * 3600 - 1);
    verifier.verify(&token("b")).await.expect("the issuer is away, its key is known");
    asked(&provider, 1).await;
    let unknown = SigningKey::ed(2);
    let error = failure(&verifier, &provider.token(&unknown, &json!({}))).await;
    assert_eq!(error.code(), "AUTH_UNAVAILABLE", "it may be a new key");
    provider.advance(1);
    assert_eq!(failure(&verifier, &token("c")).await.code(), "AUTH_UNAVAILABLE");
    provider.publish(&[key.clone(), unknown.clone()]).await;
    provider.advance(1);
    verifier.verify(&token("c")).await.expect("it is back");
    verifier.verify(&provider.token(&unknown, &json!({}))).await.expect("and has a new key");
}

#[tokio::test]
async fn a_key_that_can_not_be_used_does_not_spoil_the_others() {
    let good = SigningKey::rsa(1);
    let jwk = |key: &SigningKey, changes: &Value| {
        let mut jwk = key.jwk();
        for (name, value) in changes.as_object().expect("an object") {
            jwk[name] = value.clone();
        }
        jwk
    };
    let (rsa, ec, ed) = (SigningKey::rsa(2), SigningKey::ec(1), SigningKey::ed(1));
    // A modulus of 1024 bits.
    let weak = "0BrFjIsDqCjLMbnnicb_1x20XgWzRVjJ-5jpG4haY3WRFUImO23rk_JBiBRyKC32l2mACWslr3jwlfFQIFvzZ_dIIJbTQOSebopUtL5ACBcCNWuXw_hzb_yp390yD4aMqGj2wwibhSlOKDiJth7dBH6cSHogAhsKKl1GgqHxtRE";
    let unusable = [
        json!(null),
        json!("key"),
        json!({}),
        json!({ "kty": "RSA" }),
        json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "rsa-2" }),
        jwk(&rsa, &json!({ "use": "enc" })),
        jwk(&rsa, &json!({ "key_ops": ["sign"] })),
        jwk(&rsa, &json!({ "key_ops": "verify" })),
        jwk(&rsa, &json!({ "alg": "RS512" })),
        jwk(&rsa, &json!({ "alg": "RSA-OAEP" })),
        jwk(&rsa, &json!({ "alg": "HS256" })),
        jwk(&rsa, &json!({ "kid": 2 })),
        jwk(&rsa, &json!({ "n": weak })),
        jwk(&rsa, &json!({ "n": "" })),
        jwk(&rsa, &json!({ "n": "AA" })),
        jwk(&rsa, &json!({ "n": "%%%" })),
        jwk(&rsa, &json!({ "e": "AQ" })),
        jwk(&rsa, &json!({ "e": "Ag" })),
        jwk(&rsa, &json!({ "e": "" })),
        jwk(&rsa, &json!({ "d": "c2VjcmV0" })),
        jwk(&ec, &json!({ "crv": "P-384" })),
        jwk(&ec, &json!({ "crv": "secp256k1" })),
        jwk(&ec, &json!({ "x": "AA" })),
        jwk(&ec, &json!({ "kty": "OKP" })),
        jwk(&ec, &json!({ "alg": "EdDSA" })),
        jwk(&ed, &json!({ "crv": "Ed448" })),
        jwk(&ed, &json!({ "crv": "X25519" })),
        jwk(&ed, &json!({ "x": "AA" })),
        jwk(&ed, &json!({ "alg": "ES256" })),
    ];
    let provider = Provider::silent().await;
    let mut all: Vec<Value> = unusable.to_vec();
    all.insert(5, good.jwk());
    provider.answer_keys(ok(&json!({ "keys": all }))).await;
    let verifier = provider.verifier();
    verifier.verify(&provider.token(&good, &json!({}))).await.expect("the good key");
    for key in [rsa, ec, ed] {
        let (code, sentence) = refusal(&verifier, &provider.token(&key, &json!({}))).await;
        assert_eq!(code, "INVALID_TOKEN", "{}", key.kid);
        assert!(sentence.contains("not one of the keys"), "{sentence}");
    }
}

#[tokio::test]
async fn keys_may_say_what_they_are_for() {
    let provider = Provider::silent().await;
    let key = SigningKey::ed(1);
    for changes in [
        json!({ "alg": "Ed25519" }),
        json!({ "use": null, "key_ops": ["verify"] }),
        json!({ "use": null, "alg": null, "key_ops": null }),
        json!({ "x5c": ["MIIB"], "unknown": { "member": 1 } }),
    ] {
        let mut jwk = key.jwk();
        for (name, value) in changes.as_object().expect("an object") {
            jwk[name] = value.clone();
        }
        provider.answer_keys(ok(&json!({ "keys": [jwk] }))).await;
        let token = provider.token(&key, &json!({}));
        let outcome = provider.verifier().verify(&token).await;
        outcome.unwrap_or_else(|error| panic!("{changes}: {error}"));
    }
}
