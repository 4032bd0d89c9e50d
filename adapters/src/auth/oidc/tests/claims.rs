//! Claims that are missing, wrong, or somebody else's.

use serde_json::{Value, json};

use super::provider::{Provider, SigningKey, refusal};
use crate::auth::IdentitySettings;

const INVALID: &str = "INVALID_TOKEN";

async fn provider() -> (Provider, SigningKey) {
    let key = SigningKey::ed(1);
    (Provider::publishing(std::slice::from_ref(&key)).await, key)
}

/// Claims that are refused with 401, each with its sentence.
pub(super) fn wrong(provider: &Provider) -> Vec<(Value, String)> {
    let at = |from_now| provider.seconds(from_now);
    let clocks = "compare the clocks of this server and of the issuer";
    let exp =
        |got| format!("the token's claim exp: expected a number of seconds since 1970, got {got}");
    let subject =
        "expected a subject (sub) of 1 to 255 bytes without control characters, got another";
    let issuer = format!("the token is of another issuer; expected exactly {}", provider.url());
    let upper = provider.url().to_uppercase();
    vec![
        (json!({ "exp": at(-31) }), "the token expired 31 seconds ago; get a new one".to_owned()),
        (json!({ "exp": at(-86_400) }), "the token expired 86400 seconds ago; get a new one".to_owned()),
        (json!({ "exp": null }), "the token never expires, which is not accepted; expected the claim exp".to_owned()),
        (json!({ "exp": "soon" }), exp("a string")),
        (json!({ "exp": [1] }), exp("an array")),
        (json!({ "exp": true }), exp("a boolean")),
        (json!({ "exp": -1 }), exp("a number that is not one")),
        (json!({ "exp": provider.now_ms() }), exp("a number that is not one")),
        (json!({ "exp": 1e300 }), exp("a number that is not one")),
        (json!({ "nbf": at(31) }), format!("the token is not valid for another 31 seconds (nbf); {clocks}")),
        (json!({ "iat": at(31) }), format!("the token was issued in 31 seconds (iat); {clocks}")),
        (
            json!({ "nbf": "x" }),
            "the token's claim nbf: expected a number of seconds since 1970, got a string".to_owned(),
        ),
        (
            json!({ "aud": "https://api.example.com" }),
            "the token is meant for an audience and this server is configured without one; set auth.audience to it".to_owned(),
        ),
        (json!({ "iss": null }), format!("the token names no issuer (iss); expected {}", provider.url())),
        (json!({ "iss": "https://evil.example" }), issuer.clone()),
        (json!({ "iss": format!("{}/", provider.url()) }), issuer.clone()),
        (json!({ "iss": upper }), issuer),
        (json!({ "iss": [provider.url()] }), "the token's claim iss: expected a string, got an array".to_owned()),
        (json!({ "sub": null }), "the token has no subject; expected the claim sub".to_owned()),
        (json!({ "sub": 5 }), "the token's claim sub: expected a string, got a number".to_owned()),
        (json!({ "sub": "" }), subject.to_owned()),
        (json!({ "sub": "a\nb" }), subject.to_owned()),
        (json!({ "sub": "a".repeat(256) }), subject.to_owned()),
        (
            json!({ "scope": 5 }),
            "the token's claim scope: expected a string or an array of strings, got a number".to_owned(),
        ),
    ]
}

#[tokio::test]
async fn claims_that_are_wrong_are_named() {
    let (provider, key) = provider().await;
    let verifier = provider.verifier();
    for (claims, sentence) in wrong(&provider) {
        let token = provider.token(&key, &claims);
        assert_eq!(refusal(&verifier, &token).await, (INVALID, sentence), "{claims}");
    }
    for good in [
        json!({ "exp": provider.seconds(-29) }),
        json!({ "exp": 1_767_225_700.5 }),
        json!({ "nbf": provider.seconds(30), "iat": provider.seconds(30) }),
        json!({ "iat": null }),
        json!({ "sub": "ada|é" }),
    ] {
        let token = provider.token(&key, &good);
        verifier.verify(&token).await.unwrap_or_else(|error| panic!("{good}: {error}"));
    }
}

#[tokio::test]
async fn a_token_for_another_service_is_refused() {
    let (provider, key) = provider().await;
    let required = Some("https://api.example.com".to_owned());
    let client = Some("client_1".to_owned());
    let check = async |audience: &Option<String>, client_id: &Option<String>, aud: Value| {
        let settings = IdentitySettings {
            audience: audience.clone(),
            client_id: client_id.clone(),
            ..provider.settings()
        };
        let token = provider.token(&key, &json!({ "aud": aud }));
        let outcome = provider.verifier_with(&settings).verify(&token).await;
        outcome.map(drop).map_err(|error| error.message().to_owned())
    };
    let expected = "expected the audience https://api.example.com";
    for good in [json!("https://api.example.com"), json!(["other", "https://api.example.com"])] {
        assert_eq!(check(&required, &client, good).await, Ok(()));
    }
    for (aud, sentence) in [
        (json!(null), format!("the token has no audience; {expected}")),
        (json!("client_1"), format!("the token is meant for another audience; {expected}")),
        (
            json!("https://api.example.com/"),
            format!("the token is meant for another audience; {expected}"),
        ),
        (json!([]), format!("the token is meant for another audience; {expected}")),
        (
            json!({ "0": "https://api.example.com" }),
            "the token's claim aud: expected a string or an array of strings, got an object"
                .to_owned(),
        ),
    ] {
        assert_eq!(check(&required, &client, aud.clone()).await, Err(sentence), "{aud}");
    }
    assert_eq!(check(&None, &client, json!("client_1")).await, Ok(()));
    assert_eq!(check(&None, &client, json!(null)).await, Ok(()));
    assert_eq!(
        check(&None, &client, json!("other")).await,
        Err("the token is meant for another audience; expected the audience client_1".to_owned())
    );
}

/// Organisations and tenants that a token can't have, each with its code.
pub(super) fn tenants() -> Vec<(Value, &'static str)> {
    let bad = [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/acme",
        "%2e",
        "%2e%2e",
        "a%2fb",
        "a b",
        " acme",
        "acme\n",
        "acme\0",
        "\u{430}cme",
        "ac\u{200b}me",
        "ａcme",
        "partner:acme",
        "a:b",
        "*",
        "${aws:username}",
        "-acme",
        "_acme",
    ];
    let mut all = vec![
        (json!({ "org_id": null }), "MISSING_ORGANISATION"),
        (json!({ "org_id": null, "tenant_id": "shop" }), "MISSING_ORGANISATION"),
        (json!({ "org_id": "local" }), "BAD_TENANT"),
        (json!({ "org_id": "local", "tenant_id": "shop" }), "BAD_TENANT"),
        (json!({ "org_id": 5 }), "BAD_TENANT"),
        (json!({ "org_id": ["acme"] }), "BAD_TENANT"),
        (json!({ "org_id": { "id": "acme" } }), "BAD_TENANT"),
        (json!({ "tenant_id": ["shop"] }), "BAD_TENANT"),
        (json!({ "org_id": "a".repeat(129) }), "BAD_TENANT"),
        (json!({ "tenant_id": "a".repeat(129) }), "BAD_TENANT"),
        (json!({ "storage": { "path_prefix": "state/acme/../other" } }), "WRONG_STORAGE"),
        (
            json!({ "tenant_id": "shop", "storage": { "path_prefix": "state/acme/shopx" } }),
            "WRONG_STORAGE",
        ),
        (json!({ "storage": { "bucket": "other" } }), "WRONG_STORAGE"),
    ];
    all.extend(bad.map(|name| (json!({ "org_id": name }), "BAD_TENANT")));
    all.extend(bad.map(|name| (json!({ "tenant_id": name }), "BAD_TENANT")));
    all
}

/// The sentence that such a token gets.
fn sentence(claims: &Value, code: &str) -> String {
    let no_name = "the token's organisation or tenant is not allowed";
    let shape = "expected 1 to 128 ASCII letters, digits, `-`, `_` and `.` that begin with a letter or digit";
    let kind = |claim: &str| match &claims[claim] {
        Value::Number(_) => Some((claim.to_owned(), "a number")),
        Value::Array(_) => Some((claim.to_owned(), "an array")),
        Value::Object(_) => Some((claim.to_owned(), "an object")),
        _ => None,
    };
    match (code, &claims["org_id"], &claims["tenant_id"]) {
        ("MISSING_ORGANISATION", ..) => {
            "the token names no organisation; expected the claim org_id".to_owned()
        }
        ("WRONG_STORAGE", ..) if claims["storage"]["bucket"].is_string() => {
            "the token is for another bucket than this server's (storage.bucket)".to_owned()
        }
        ("WRONG_STORAGE", _, tenant) => format!(
            "the token is for another part of the bucket (storage.path_prefix); expected state/acme/{}/ or a folder above it",
            tenant.as_str().unwrap_or("acme")
        ),
        (_, Value::String(org), _) if org == "local" => {
            format!("{no_name}: the organisation `local` belongs to servers without tokens")
        }
        (_, Value::String(name), _) | (_, _, Value::String(name)) => {
            let got = if name.len() > 128 { "129 bytes".to_owned() } else { format!("{name:?}") };
            format!("{no_name}: {shape}, got {got}")
        }
        _ => {
            let (claim, got) = kind("org_id").or(kind("tenant_id")).expect("of another type");
            format!("the token's claim {claim}: expected a string, got {got}")
        }
    }
}

#[tokio::test]
async fn names_of_tenants_in_tokens_are_restricted() {
    let (provider, key) = provider().await;
    let verifier = provider.verifier();
    for (claims, code) in tenants() {
        let token = provider.token(&key, &claims);
        let error = verifier.verify(&token).await.map(drop).expect_err("not a tenant");
        assert_eq!(
            (error.kind(), error.code(), error.message()),
            (dotdo_core::ErrorKind::Forbidden, code, &*sentence(&claims, code)),
            "{claims}"
        );
    }
    let storage = json!({ "bucket": "bucket", "path_prefix": "state/acme", "region": "auto" });
    let token = provider.token(&key, &json!({ "tenant_id": "shop", "storage": storage }));
    let verified = verifier.verify(&token).await.expect("its own part of the bucket");
    let storage = verified.storage.as_ref().expect("the claim");
    assert_eq!(
        (storage.bucket.as_deref(), storage.region.as_deref()),
        (Some("bucket"), Some("auto"))
    );
}

#[tokio::test]
async fn two_issuers_share_no_organisation_and_no_caller() {
    let (one, other) = (provider().await, provider().await);
    let issuers = vec![one.0.url(), format!("partner={}", other.0.url())];
    for issuers in [issuers.clone(), issuers.iter().rev().cloned().collect()] {
        let verifier =
            one.0.verifier_with(&IdentitySettings { issuers, ..IdentitySettings::default() });
        let mut callers = Vec::new();
        for (provider, key) in [&one, &other] {
            let token = provider.token(key, &json!({ "tenant_id": "shop" }));
            callers.push(verifier.verify(&token).await.expect("a valid token").caller.clone());
        }
        assert_eq!(callers[0].tenant().org(), "acme");
        assert_eq!(callers[1].tenant().org(), "partner:acme");
        assert_eq!(callers[0].subject(), callers[1].subject());
        assert_ne!(callers[0].account(), callers[1].account(), "the same subject is somebody else");
        // Each issuer signs with its own key only, and both keys have the same id.
        let crossed = other.0.claims(&json!({ "iss": one.0.url() }));
        let token = SigningKey::ed(2).called("ed-1").sign(&one.1.header(), &crossed);
        assert_eq!(refusal(&verifier, &token).await.1, "the token's signature does not match");
    }
}
