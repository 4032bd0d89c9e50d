//! An issuer of tokens that does what a test says.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::testing::ManualClock;
use dotdo_core::{Clock, Error, Secret};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::auth::IdentitySettings;
use crate::auth::oidc::{Location, Verifier};

const DISCOVERY: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/jwks";

/// A key with which tokens are signed.
#[derive(Clone)]
pub(crate) struct SigningKey {
    pub(crate) kid: &'static str,
    pub(crate) algorithm: Algorithm,
    pub(crate) key: EncodingKey,
}

impl SigningKey {
    /// One of two RSA keys of 2048 bits.
    pub(crate) fn rsa(number: u8) -> Self {
        let (kid, der) = match number {
            1 => ("rsa-1", &include_bytes!("keys/rsa-1.der")[..]),
            _ => ("rsa-2", &include_bytes!("keys/rsa-2.der")[..]),
        };
        Self { kid, algorithm: Algorithm::RS256, key: EncodingKey::from_rsa_der(der) }
    }

    /// One of two keys on the curve P-256.
    pub(crate) fn ec(number: u8) -> Self {
        let (kid, der) = match number {
            1 => ("ec-1", &include_bytes!("keys/ec-1.der")[..]),
            _ => ("ec-2", &include_bytes!("keys/ec-2.der")[..]),
        };
        Self { kid, algorithm: Algorithm::ES256, key: EncodingKey::from_ec_der(der) }
    }

    /// One of two Ed25519 keys.
    pub(crate) fn ed(number: u8) -> Self {
        let (kid, der) = match number {
            1 => ("ed-1", &include_bytes!("keys/ed-1.der")[..]),
            _ => ("ed-2", &include_bytes!("keys/ed-2.der")[..]),
        };
        Self { kid, algorithm: Algorithm::EdDSA, key: EncodingKey::from_ed_der(der) }
    }

    /// The same key under another id.
    pub(crate) fn called(self, kid: &'static str) -> Self {
        Self { kid, ..self }
    }

    /// The public key, as the issuer publishes it.
    pub(crate) fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a key");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// The usual header of its tokens.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.jwk()["alg"], "kid": self.kid, "typ": "JWT" })
    }

    /// A signed token with any header and claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        let signature =
            crypto::sign(signed.as_bytes(), &self.key, self.algorithm).expect("a signature");
        format!("{signed}.{signature}")
    }
}

/// A part of a token.
pub(crate) fn encoded(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// An issuer, and the clock of who verifies its tokens.
pub(crate) struct Provider {
    pub(crate) server: MockServer,
    pub(crate) clock: Arc<ManualClock>,
}

impl Provider {
    /// An issuer that answers nothing yet.
    pub(crate) async fn silent() -> Self {
        Self { server: MockServer::start().await, clock: Arc::new(ManualClock::default()) }
    }

    /// An issuer that publishes these keys.
    pub(crate) async fn publishing(keys: &[SigningKey]) -> Self {
        let provider = Self::silent().await;
        provider.publish(keys).await;
        provider
    }

    /// Publishes these keys instead of what was there.
    pub(crate) async fn publish(&self, keys: &[SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(SigningKey::jwk).collect();
        self.answer_keys(ResponseTemplate::new(200).set_body_json(json!({ "keys": keys }))).await;
    }

    /// Answers the request for its keys like this.
    pub(crate) async fn answer_keys(&self, keys: ResponseTemplate) {
        let document = json!({ "issuer": self.url(), "jwks_uri": format!("{}{JWKS}", self.url()) });
        self.answer(ResponseTemplate::new(200).set_body_json(document), keys).await;
    }

    /// Answers both requests like this.
    pub(crate) async fn answer(&self, discovery: ResponseTemplate, keys: ResponseTemplate) {
        self.server.reset().await;
        for (at, response) in [(DISCOVERY, discovery), (JWKS, keys)] {
            let mock = Mock::given(method("GET")).and(path(at)).respond_with(response);
            mock.mount(&self.server).await;
        }
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// How many requests it got since its answers were last changed.
    pub(crate) async fn requests(&self) -> usize {
        self.server.received_requests().await.expect("requests are recorded").len()
    }

    pub(crate) fn settings(&self) -> IdentitySettings {
        IdentitySettings { issuers: vec![self.url()], ..IdentitySettings::default() }
    }

    pub(crate) fn verifier(&self) -> Verifier {
        self.verifier_with(&self.settings())
    }

    pub(crate) fn verifier_with(&self, settings: &IdentitySettings) -> Verifier {
        let location = Location::new(Some("bucket"), "state");
        Verifier::new(settings, location, self.clock.clone()).expect("a client")
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.wall_ms()
    }

    /// A time from now, as in a claim.
    pub(crate) fn seconds(&self, from_now: i64) -> i64 {
        self.now_ms() / 1000 + from_now
    }

    /// Claims that are accepted, with changes; `null` removes a claim.
    pub(crate) fn claims(&self, changes: &Value) -> Value {
        let mut claims = json!({
            "iss": self.url(),
            "sub": "user_1",
            "org_id": "acme",
            "iat": self.seconds(0),
            "exp": self.seconds(300),
        });
        let all = claims.as_object_mut().expect("an object");
        for (name, value) in changes.as_object().expect("an object") {
            match value {
                Value::Null => drop(all.remove(name)),
                value => drop(all.insert(name.clone(), value.clone())),
            }
        }
        claims
    }

    /// A token with these claims.
    pub(crate) fn token(&self, key: &SigningKey, changes: &Value) -> String {
        key.sign(&key.header(), &self.claims(changes))
    }
}

/// The refusal of a token: its code and its sentence.
pub(crate) async fn refusal(verifier: &Verifier, token: &str) -> (&'static str, String) {
    let error: Error = verifier.verify(token).await.map(drop).expect_err("not a valid token");
    (error.code(), error.message().to_owned())
}

/// A secret for development.
pub(crate) fn development_secret() -> Secret {
    Secret::new("development-0123456789abcdef0123")
}
