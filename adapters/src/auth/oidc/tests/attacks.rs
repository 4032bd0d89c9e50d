//! Tokens that somebody made who may not come in, each with the sentence that it gets.

use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::provider::{Provider, SigningKey, development_secret, encoded, refusal};
use crate::auth::IdentitySettings;

const INVALID: &str = "INVALID_TOKEN";
const NOT_ACCEPTED: &str =
    "the token is signed with an algorithm that is not accepted; expected RS256, ES256 or EdDSA";
const NOT_SIGNED: &str = "the token is not signed (alg is none); expected RS256, ES256 or EdDSA";
const MISMATCH: &str = "the token's signature does not match";
const OTHER_KIND: &str =
    "expected an access token (typ JWT or at+jwt), got a token of another kind";
const CRITICAL: &str = "the token's header has crit, and this server knows no such extension";
const BAD_HEADER: &str = "expected a token whose header is a JSON object with alg, got another";
const BAD_CLAIMS: &str = "expected claims that are a JSON object with each claim once, got others";
const PARTS: &str = "expected a signed token in three parts, got another number of parts";

/// A token, and the sentence that it gets.
pub(super) struct Attack {
    pub(super) token: String,
    pub(super) sentence: String,
}

fn attack(token: String, sentence: impl Into<String>) -> Attack {
    Attack { token, sentence: sentence.into() }
}

/// A header with a change; `null` removes a member.
fn header(key: &SigningKey, changes: &Value) -> Value {
    let mut header = key.header();
    let all = header.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(all.remove(name)),
            value => drop(all.insert(name.clone(), value.clone())),
        }
    }
    header
}

/// A key that makes a message authentication code from what is public.
fn from_public(bytes: &[u8]) -> SigningKey {
    SigningKey { kid: "rsa-1", algorithm: Algorithm::HS256, key: EncodingKey::from_secret(bytes) }
}

/// Wrong signatures, algorithms and headers, for an issuer with the keys `rsa-1`, `ec-1` and
/// `ed-1`.
pub(super) fn forged(provider: &Provider) -> Vec<Attack> {
    let (rsa, ec, ed) = (SigningKey::rsa(1), SigningKey::ec(1), SigningKey::ed(1));
    let claims = provider.claims(&json!({}));
    let unsigned = |alg: &str| format!("{}.{}.", encoded(&json!({ "alg": alg })), encoded(&claims));
    let hs256 = json!({ "alg": "HS256", "kid": "rsa-1", "typ": "JWT" });
    let jwk = rsa.jwk().to_string();
    let other = SigningKey::ec(2).called("ec-1");
    let of_other = |key: &str| {
        format!("the token is signed with another algorithm than its key's, which is {key}")
    };
    let unknown = format!("the token's key is not one of the keys of {}", provider.url());
    let mut attacks = vec![
        attack(unsigned("none"), NOT_SIGNED),
        attack(unsigned("nOnE"), NOT_SIGNED),
        attack(from_public(include_bytes!("keys/rsa-1.pem")).sign(&hs256, &claims), NOT_ACCEPTED),
        attack(from_public(jwk.as_bytes()).sign(&hs256, &claims), NOT_ACCEPTED),
        attack(rsa.sign(&header(&rsa, &json!({ "alg": "RS512" })), &claims), NOT_ACCEPTED),
        attack(rsa.sign(&header(&rsa, &json!({ "alg": "PS256" })), &claims), NOT_ACCEPTED),
        attack(rsa.sign(&header(&rsa, &json!({ "alg": "rs256" })), &claims), NOT_ACCEPTED),
        attack(rsa.sign(&header(&rsa, &json!({ "alg": 5 })), &claims), BAD_HEADER),
        attack(rsa.sign(&header(&rsa, &json!({ "alg": null })), &claims), BAD_HEADER),
        attack(rsa.sign(&header(&rsa, &json!({ "kid": "nobody's" })), &claims), &*unknown),
        attack(rsa.sign(&header(&rsa, &json!({ "kid": "RSA-1" })), &claims), &*unknown),
        attack(rsa.sign(&header(&rsa, &json!({ "kid": "" })), &claims), &*unknown),
        attack(rsa.sign(&header(&rsa, &json!({ "kid": ["rsa-1"] })), &claims), BAD_HEADER),
        attack(rsa.sign(&header(&rsa, &json!({ "kid": "ec-1" })), &claims), of_other("ES256")),
        attack(ec.sign(&header(&ec, &json!({ "kid": "rsa-1" })), &claims), of_other("RS256")),
        attack(ed.sign(&header(&ed, &json!({ "kid": "ec-1" })), &claims), of_other("ES256")),
        attack(other.sign(&other.header(), &claims), MISMATCH),
        attack(ed.sign(&header(&ed, &json!({ "alg": "ES256", "kid": "ec-1" })), &claims), MISMATCH),
    ];
    for kind in ["logout+jwt", "dpop+jwt", "id+jwt", "JWE", "", "JWT "] {
        attacks.push(attack(rsa.sign(&header(&rsa, &json!({ "typ": kind })), &claims), OTHER_KIND));
    }
    for critical in [json!(["exp"]), json!([]), json!("exp"), json!({}), json!(false)] {
        attacks
            .push(attack(rsa.sign(&header(&rsa, &json!({ "crit": critical })), &claims), CRITICAL));
    }
    attacks
}

/// Tokens that are none.
pub(super) fn malformed(provider: &Provider) -> Vec<Attack> {
    let key = SigningKey::ec(1);
    let claims = provider.claims(&json!({}));
    let good = key.sign(&key.header(), &claims);
    let parts: Vec<&str> = good.split('.').collect();
    let with = |header: &str, claims: &str| {
        use base64::Engine as _;
        let encode = |text| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", encode(header), encode(claims), parts[2])
    };
    let deep = format!("{{\"org_id\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let es256 = r#"{"alg":"ES256","kid":"ec-1"}"#;
    vec![
        attack(format!("{}.{}", parts[0], parts[1]), PARTS),
        attack(format!("{good}.x"), PARTS),
        attack(format!("{good}.x.y"), PARTS),
        attack(format!("{}..{}", parts[0], parts[2]), BAD_CLAIMS),
        attack(format!("{}.{}.", parts[0], parts[1]), MISMATCH),
        attack(format!("{}.{}.{}=", parts[0], parts[1], parts[2]), MISMATCH),
        attack(
            format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
            "expected a token whose claims are encoded in base64url",
        ),
        attack(with("{", "{}"), BAD_HEADER),
        attack(with("{}", "{}"), BAD_HEADER),
        attack(with(r#"{"alg":"none","alg":"ES256"}"#, "{}"), BAD_HEADER),
        attack(with(es256, "[]"), BAD_CLAIMS),
        attack(with(es256, "\"text\""), BAD_CLAIMS),
        attack(with(es256, r#"{"iss":"a","iss":"b"}"#), BAD_CLAIMS),
        attack(with(es256, "{} {}"), BAD_CLAIMS),
        attack(with(es256, &deep), BAD_CLAIMS),
        attack(with(&deep, "{}"), BAD_HEADER),
    ]
}

#[tokio::test]
async fn forged_and_malformed_tokens_are_refused_with_what_is_wrong() {
    let keys = [SigningKey::rsa(1), SigningKey::ec(1), SigningKey::ed(1)];
    let provider = Provider::publishing(&keys).await;
    let verifier = provider.verifier();
    for Attack { token, sentence } in forged(&provider).into_iter().chain(malformed(&provider)) {
        assert_eq!(refusal(&verifier, &token).await, (INVALID, sentence));
        assert!(verifier.remembered(&token).is_none());
    }
}

#[tokio::test]
async fn a_token_without_a_key_id_needs_an_issuer_with_one_key_that_fits() {
    let key = SigningKey::ec(1);
    let provider = Provider::publishing(&[key.clone(), SigningKey::rsa(1)]).await;
    let token = key.sign(&header(&key, &json!({ "kid": null })), &provider.claims(&json!({})));
    provider.verifier().verify(&token).await.expect("the only key for ES256");
    provider.publish(&[key.clone(), SigningKey::ec(2)]).await;
    let several = format!(
        "the token does not name its key (kid), and several keys of {} fit",
        provider.url()
    );
    assert_eq!(refusal(&provider.verifier(), &token).await, (INVALID, several));
    provider.publish(&[key.clone(), SigningKey::ec(2).called("ec-1")]).await;
    let twice = provider.token(&key, &json!({}));
    let (code, sentence) = refusal(&provider.verifier(), &twice).await;
    assert_eq!(code, INVALID, "two keys with the same id are none");
    assert!(sentence.contains("several keys"), "{sentence}");
}

#[tokio::test]
async fn the_usual_kinds_of_access_tokens_are_accepted() {
    let key = SigningKey::ed(1);
    let provider = Provider::publishing(std::slice::from_ref(&key)).await;
    let verifier = provider.verifier();
    for kind in
        [json!("JWT"), json!("jwt"), json!("at+jwt"), json!("application/at+jwt"), json!(null)]
    {
        let token = key.sign(&header(&key, &json!({ "typ": kind })), &provider.claims(&json!({})));
        verifier.verify(&token).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[tokio::test]
async fn what_a_header_says_of_keys_is_never_used() {
    let (ours, theirs) = (SigningKey::ec(1), SigningKey::ec(2));
    let provider = Provider::publishing(std::slice::from_ref(&ours)).await;
    let attacker = Provider::publishing(std::slice::from_ref(&theirs)).await;
    let verifier = provider.verifier();
    let tempting = |key: &SigningKey| {
        let url = format!("{}/jwks", attacker.url());
        let more =
            json!({ "jku": url, "x5u": url, "jwk": theirs.jwk(), "x5c": ["MIIB"], "x5t": "x" });
        key.sign(&header(key, &more), &provider.claims(&json!({})))
    };
    verifier.verify(&tempting(&ours)).await.expect("it changes nothing");
    let (code, sentence) = refusal(&verifier, &tempting(&theirs)).await;
    assert_eq!(code, INVALID);
    assert!(sentence.starts_with("the token's key is not one of the keys of "), "{sentence}");
    let renamed = theirs.clone().called("ec-1");
    assert_eq!(refusal(&verifier, &tempting(&renamed)).await, (INVALID, MISMATCH.to_owned()));
    assert_eq!(attacker.requests().await, 0, "nobody asked the attacker's server");
    assert_eq!(provider.requests().await, 2);
}

#[tokio::test]
async fn the_development_secret_verifies_hs256_and_nothing_else_does() {
    let rsa = SigningKey::rsa(1);
    let provider = Provider::publishing(std::slice::from_ref(&rsa)).await;
    let secret = development_secret();
    let signing = |bytes: &[u8]| SigningKey { kid: "any", ..from_public(bytes) };
    let hs256 = json!({ "alg": "HS256" });
    let with_issuer =
        IdentitySettings { development_secret: Some(secret.clone()), ..provider.settings() };
    let alone = IdentitySettings { issuers: Vec::new(), ..with_issuer.clone() };
    let token =
        |claims: &Value| signing(secret.reveal().as_bytes()).sign(&hs256, &provider.claims(claims));
    for (settings, claims) in [
        (&with_issuer, json!({})),
        (&with_issuer, json!({ "iss": null })),
        (&alone, json!({})),
        (&alone, json!({ "iss": null })),
        (&alone, json!({ "iss": "https://anything.example" })),
    ] {
        let verified = provider.verifier_with(settings).verify(&token(&claims)).await;
        assert_eq!(verified.expect("the secret's").caller.tenant().org(), "acme", "{claims}");
    }
    let verifier = provider.verifier_with(&with_issuer);
    let jwk = rsa.jwk().to_string();
    for public in
        [include_bytes!("keys/rsa-1.pem"), jwk.as_bytes(), &secret.reveal().as_bytes()[1..]]
    {
        let forged = signing(public).sign(&hs256, &provider.claims(&json!({})));
        assert_eq!(refusal(&verifier, &forged).await, (INVALID, MISMATCH.to_owned()));
    }
    let (_, sentence) =
        refusal(&verifier, &token(&json!({ "iss": "https://other.example" }))).await;
    assert_eq!(
        sentence,
        format!("the token is of another issuer; expected exactly {}", provider.url())
    );
    let (_, sentence) =
        refusal(&provider.verifier_with(&alone), &provider.token(&rsa, &json!({}))).await;
    assert_eq!(
        sentence,
        "the token is signed with an algorithm that is not accepted; expected HS256"
    );
    assert_eq!(refusal(&provider.verifier(), &token(&json!({}))).await.1, NOT_ACCEPTED);
}
