//! What an access token says of itself. It is shown, and decides nothing: whoever receives the token
//! verifies it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// The claims of an access token. Each may be missing, or of another type.
#[derive(Debug, Default)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// The claims of a JSON Web Token; `None` for any other text.
    pub(super) fn of(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (Some(_), Some(claims), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Who it is for.
    pub(super) fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Who issued it.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// When it expires, in seconds since 1970.
    pub(super) fn expires_at(&self) -> Option<u64> {
        self.0.get("exp")?.as_u64()
    }

    /// The organisation.
    pub(super) fn organisation(&self) -> Option<&str> {
        self.text("org_id")
    }

    /// The tenant, which is named like its organisation unless the token says otherwise.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.text("tenant_id").or_else(|| self.organisation())
    }

    /// The scopes, in the order of the token.
    pub(super) fn scopes(&self) -> Vec<String> {
        let mut all = Vec::new();
        for claim in ["scope", "scp", "permissions"].iter().filter_map(|name| self.0.get(*name)) {
            let texts = claim.as_str().map(|text| text.split_whitespace().collect::<Vec<_>>());
            let items = claim.as_array().map(|items| items.iter().filter_map(Value::as_str));
            for scope in texts.into_iter().flatten().chain(items.into_iter().flatten()) {
                if !all.iter().any(|known| known == scope) {
                    all.push(scope.to_owned());
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn claims_are_read_and_each_may_be_missing_or_odd() {
        let text =
            r#"{"sub":"ada","org_id":"acme","scope":"a b","permissions":["b","c",1],"exp":5}"#;
        let claims = Claims::of(&token(text)).expect("claims");
        assert_eq!(claims.subject(), Some("ada"));
        assert_eq!(claims.tenant(), Some("acme"));
        assert_eq!(claims.scopes(), ["a", "b", "c"]);
        assert_eq!(claims.expires_at(), Some(5));
        let odd = Claims::of(&token(r#"{"sub":1,"exp":"x","tenant_id":"shop","scp":{}}"#));
        let odd = odd.expect("claims");
        assert_eq!((odd.subject(), odd.organisation(), odd.tenant()), (None, None, Some("shop")));
        assert_eq!((odd.expires_at(), odd.scopes().len()), (None, 0));
        for other in ["", "opaque", "a.b", "a.b.c", &format!("{}.d", token("{}")), &token("[]")] {
            assert!(Claims::of(other).is_none(), "{other}");
        }
    }
}
