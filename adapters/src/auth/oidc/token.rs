//! A token before its signature is verified: its parts and its header (RFC 7515 section 7.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::Result;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::keys::Algorithm;
use crate::auth::bearer::invalid;

/// Kinds of tokens (`typ`) that are accepted; a token without `typ` is as well. A logout token or a
/// proof of possession is signed by the same issuer, and grants nothing.
const KINDS: [&str; 2] = ["jwt", "at+jwt"];

/// A token whose signature is not verified.
pub(super) struct Unverified<'a> {
    /// How it claims to be signed.
    pub(super) algorithm: Algorithm,
    /// The id of its key.
    pub(super) kid: Option<String>,
    /// Its claims, as JSON.
    pub(super) claims: Vec<u8>,
    /// What is signed: the encoded header and claims.
    pub(super) signed: &'a str,
    /// The encoded signature.
    pub(super) signature: &'a str,
}

/// The parts of a header that decide something. What names a key or where to get one (`jwk`, `jku`,
/// `x5c`, `x5u`) is not among them: whoever sends the token chose it.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    #[serde(default)]
    crit: Presence,
}

/// Whether a member is there, whatever its value is.
#[derive(Default)]
struct Presence(bool);

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

/// Whether `token` is a JSON Web Token, valid or not.
pub(crate) fn is_jwt(token: &str) -> bool {
    let Some((header, _)) = token.split_once('.') else { return false };
    URL_SAFE_NO_PAD.decode(header).is_ok_and(|json| json.trim_ascii_start().starts_with(b"{"))
}

impl<'a> Unverified<'a> {
    /// Reads a token.
    ///
    /// # Errors
    ///
    /// `Unauthenticated`. The message never repeats what is in the token.
    pub(super) fn parse(token: &'a str) -> Result<Self> {
        let (signed, signature) = token
            .rsplit_once('.')
            .filter(|(signed, _)| signed.matches('.').count() == 1)
            .ok_or_else(|| {
                invalid("expected a signed token in three parts, got another number of parts")
            })?;
        let (header, claims) = signed.split_once('.').unwrap_or_default();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
        let header: Header = serde_json::from_slice(&header).map_err(|_| {
            invalid("expected a token whose header is a JSON object with alg, got another")
        })?;
        header.check()?;
        let algorithm = Algorithm::of_token(&header.alg)?;
        let claims = URL_SAFE_NO_PAD
            .decode(claims)
            .map_err(|_| invalid("expected a token whose claims are encoded in base64url"))?;
        Ok(Self { algorithm, kid: header.kid, claims, signed, signature })
    }
}

impl Header {
    fn check(&self) -> Result<()> {
        if self.crit.0 {
            return Err(invalid(
                "the token's header has crit, and this server knows no such extension",
            ));
        }
        let Some(typ) = &self.typ else { return Ok(()) };
        let typ = typ.to_ascii_lowercase();
        let kind = typ.strip_prefix("application/").unwrap_or(&typ);
        if KINDS.contains(&kind) {
            return Ok(());
        }
        Err(invalid("expected an access token (typ JWT or at+jwt), got a token of another kind"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jwt_is_recognised_by_its_header() {
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for yes in [
            format!("{}.e30.x", encoded(r#"{"alg":"RS256"}"#)),
            format!("{}.e30.", encoded("{}")),
            format!("{}.a.b.c.d", encoded(r#" {"enc":"A128GCM"}"#)),
        ] {
            assert!(is_jwt(&yes), "{yes}");
        }
        for no in ["", ".", "0123456789abcdef0123456789abcdef", "session.of.alice", "e30", "eyJ"] {
            assert!(!is_jwt(no), "{no}");
        }
    }
}
