//! The keys of an issuer (RFC 7517), each with the one algorithm that it verifies.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::Result;
use jsonwebtoken::{DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::bearer::invalid;

/// Maximum number of keys of an issuer that are read.
const KEYS_MAX: usize = 100;
/// Sizes of an RSA key's modulus, in bits: what is shorter can be factored, what is longer takes
/// long to compute with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Length of a coordinate on the curve P-256, and of an Ed25519 key, in bytes.
const POINT_BYTES: usize = 32;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
    /// Only with the development secret.
    Hs256,
}

/// A key that verifies tokens.
#[derive(Clone)]
pub(super) struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// The keys of an issuer that verify tokens.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// How many keys are of another kind, for another use, too weak, or damaged.
    pub(super) unusable: usize,
}

/// Why a set has no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// No key has this id; the issuer may have a new one.
    Unknown,
    /// The key with this id verifies another algorithm.
    OtherAlgorithm(Algorithm),
    /// More than one key fits.
    Ambiguous,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<serde::de::IgnoredAny>,
}

impl Algorithm {
    /// The algorithm that a token's header names.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` for any other than these.
    pub(super) fn of_token(alg: &str) -> Result<Self> {
        match alg {
            "RS256" => Ok(Self::Rs256),
            "ES256" => Ok(Self::Es256),
            "EdDSA" => Ok(Self::EdDsa),
            "HS256" => Ok(Self::Hs256),
            none if none.eq_ignore_ascii_case("none") => Err(invalid(
                "the token is not signed (alg is none); expected RS256, ES256 or EdDSA",
            )),
            _ => Err(invalid(
                "the token is signed with an algorithm that is not accepted; expected RS256, ES256 or EdDSA",
            )),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    fn known(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

impl Key {
    /// The key of the development secret.
    pub(super) fn of_secret(secret: &str) -> Self {
        let key = DecodingKey::from_secret(secret.as_bytes());
        Self { kid: None, algorithm: Algorithm::Hs256, key }
    }

    /// Whether `signature` is this key's under `signed`.
    pub(super) fn verifies(&self, signed: &str, signature: &str) -> bool {
        crypto::verify(signature, signed.as_bytes(), &self.key, self.algorithm.known())
            .unwrap_or(false)
    }
}

impl KeySet {
    /// The keys in an issuer's document. A key that can't be used is left out, so that one of a
    /// new kind does not make the others useless.
    ///
    /// # Errors
    ///
    /// The reason, if the document is not a set of keys.
    pub(super) fn parse(json: &[u8]) -> Result<Self, &'static str> {
        let document: Document = serde_json::from_slice(json)
            .map_err(|_| "expected a JSON object with the list keys, got another document")?;
        if document.keys.len() > KEYS_MAX {
            return Err("expected at most 100 keys, got more");
        }
        let listed = document.keys.len();
        let keys: Vec<Key> = document.keys.into_iter().filter_map(usable).collect();
        Ok(Self { unusable: listed - keys.len(), keys })
    }

    /// All of them.
    #[cfg(feature = "fuzzing")]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// The only key that fits a token's header.
    ///
    /// # Errors
    ///
    /// [`NoKey`].
    pub(super) fn select(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&Key, NoKey> {
        let named = |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.algorithm == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(NoKey::Ambiguous),
            (None, _) => match self.keys.iter().find(named) {
                Some(other) if kid.is_some() => Err(NoKey::OtherAlgorithm(other.algorithm)),
                _ => Err(NoKey::Unknown),
            },
        }
    }
}

/// The key in one entry of a set, if it verifies tokens.
fn usable(entry: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(entry).ok()?;
    let for_signatures = jwk.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    // Whoever published the private key has no key any more.
    if !for_signatures || jwk.d.is_some() {
        return None;
    }
    let (algorithm, names, key) = match (&*jwk.kty, jwk.crv.as_deref()) {
        ("RSA", None) => (Algorithm::Rs256, &["RS256"][..], rsa(&jwk)?),
        ("EC", Some("P-256")) => (Algorithm::Es256, &["ES256"][..], p256(&jwk)?),
        // RFC 9864 has a second name for it.
        ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, &["EdDSA", "Ed25519"][..], ed25519(&jwk)?),
        _ => return None,
    };
    let fits = jwk.alg.as_deref().is_none_or(|alg| names.contains(&alg));
    fits.then_some(Key { kid: jwk.kid, algorithm, key })
}

fn rsa(jwk: &Jwk) -> Option<DecodingKey> {
    let number = |text: &Option<String>| {
        let bytes = decoded(text)?;
        let start = bytes.iter().position(|byte| *byte != 0)?;
        Some(bytes[start..].to_vec())
    };
    let (modulus, exponent) = (number(&jwk.n)?, number(&jwk.e)?);
    let bits = 8 * modulus.len() - usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    // With the exponent 1, every message is its own signature.
    let is_odd = exponent.last()? % 2 == 1 && exponent != [1];
    let is_safe = RSA_BITS.contains(&bits) && is_odd && exponent.len() <= 4;
    is_safe.then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

fn p256(jwk: &Jwk) -> Option<DecodingKey> {
    let (x, y) = (decoded(&jwk.x)?, decoded(&jwk.y)?);
    // An uncompressed point begins with 4 (SEC 1 section 2.3.3).
    let point = [&[4][..], &x, &y].concat();
    (x.len() == POINT_BYTES && y.len() == POINT_BYTES).then(|| DecodingKey::from_ec_der(&point))
}

fn ed25519(jwk: &Jwk) -> Option<DecodingKey> {
    let x = decoded(&jwk.x)?;
    (x.len() == POINT_BYTES).then(|| DecodingKey::from_ed_der(&x))
}

fn decoded(text: &Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.as_ref()?).ok()
}
