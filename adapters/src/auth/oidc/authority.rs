//! What a verified token allows: whose objects, which scopes, which part of which bucket.

use dotdo_core::{Error, ErrorKind, Result, Scope, Scopes, StoreConfig, Tenant, TenantClaims};
use serde::Deserialize;
use serde_json::Value;

use super::claims::{Claims, text, texts, wrong_type};

/// Maximum length of a text in the claim `storage`, in bytes.
const STORAGE_TEXT_BYTES_MAX: usize = 1024;

/// The claim `storage`: the part of a bucket that a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StorageClaims {
    pub(crate) bucket: Option<String>,
    pub(crate) path_prefix: Option<String>,
    pub(crate) region: Option<String>,
}

#[derive(Deserialize)]
struct Given {
    bucket: Option<Value>,
    path_prefix: Option<Value>,
    region: Option<Value>,
}

/// Where a server has its state: its bucket, and the prefix of all its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// `None` for a folder, and for memory.
    bucket: Option<String>,
    prefix: String,
}

/// The tenant of a token of an issuer.
///
/// # Errors
///
/// Those of [`Tenant::from_claims`]; `Forbidden` when a claim has another type.
pub(super) fn tenant(issuer: Option<&str>, claims: &Claims) -> Result<Tenant> {
    let name = |claim, value| {
        text(claim, value).map_err(|error| forbidden("BAD_TENANT", error.message().to_owned()))
    };
    let org = name("org_id", claims.org_id.as_ref())?;
    let tenant = name("tenant_id", claims.tenant_id.as_ref())?;
    Tenant::from_claims(TenantClaims { issuer, org, tenant })
}

/// The scopes of a token of `tenant`: those that it lists, without an operator's unless its
/// organisation is one of `operators`.
///
/// # Errors
///
/// `Unauthenticated` when a claim has another type.
pub(super) fn scopes(claims: &Claims, tenant: &Tenant, operators: &[String]) -> Result<Scopes> {
    let lists = [
        ("scope", claims.scope.as_ref()),
        ("scp", claims.scp.as_ref()),
        ("permissions", claims.permissions.as_ref()),
    ];
    let mut listed = Vec::new();
    for (claim, value) in lists {
        let texts = texts(claim, value)?.unwrap_or_default();
        listed.extend(texts.into_iter().flat_map(|text| text.split(' ')));
    }
    let scopes = Scopes::of_token(listed);
    let is_operator = operators.iter().any(|org| org == tenant.org());
    Ok(if is_operator { scopes } else { scopes.without(Scope::Operator) })
}

impl StorageClaims {
    /// The claim, if the token has it.
    ///
    /// # Errors
    ///
    /// `Forbidden` (`WRONG_STORAGE`) when it, or a part of it, has another type.
    pub(super) fn of(claims: &Claims) -> Result<Option<Self>> {
        let Some(value) = &claims.storage else { return Ok(None) };
        let wrong = |error: Error| forbidden(WRONG_STORAGE, error.message().to_owned());
        let given: Given = Some(value)
            .filter(|value| value.is_object())
            .and_then(|value| Given::deserialize(value).ok())
            .ok_or_else(|| wrong(wrong_type("storage", "an object", value)))?;
        let part = |claim, value: &Option<Value>| -> Result<Option<String>> {
            let text = text(claim, value.as_ref()).map_err(wrong)?;
            if text.is_some_and(|text| text.len() > STORAGE_TEXT_BYTES_MAX) {
                let most = format!("expected at most {STORAGE_TEXT_BYTES_MAX} bytes, got more");
                return Err(forbidden(WRONG_STORAGE, format!("the token's claim {claim}: {most}")));
            }
            Ok(text.map(str::to_owned))
        };
        Ok(Some(Self {
            bucket: part("storage.bucket", &given.bucket)?,
            path_prefix: part("storage.path_prefix", &given.path_prefix)?,
            region: part("storage.region", &given.region)?,
        }))
    }

    /// Checks that a token with this claim may reach `tenant` at `location`.
    ///
    /// # Errors
    ///
    /// `Forbidden` (`WRONG_STORAGE`).
    fn check(&self, location: &Location, tenant: &Tenant) -> Result<()> {
        if self.bucket.is_some() && self.bucket != location.bucket {
            return Err(forbidden(
                WRONG_STORAGE,
                "the token is for another bucket than this server's (storage.bucket)".to_owned(),
            ));
        }
        let Some(prefix) = &self.path_prefix else { return Ok(()) };
        let segments = |path: &str| -> Vec<String> {
            path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
        };
        let full = [segments(&location.prefix), segments(tenant.prefix().as_str())].concat();
        let is_plain = !prefix.starts_with('/') && !prefix.contains("//");
        if is_plain && full.starts_with(&segments(prefix)) {
            return Ok(());
        }
        Err(forbidden(
            WRONG_STORAGE,
            format!(
                "the token is for another part of the bucket (storage.path_prefix); expected {}/ or a folder above it",
                full.join("/")
            ),
        ))
    }
}

/// The code for a token that is for another bucket, or for another part of it.
const WRONG_STORAGE: &str = "WRONG_STORAGE";

impl Location {
    /// Where the store of a configuration is.
    pub(crate) fn of(store: &StoreConfig) -> Self {
        let (bucket, prefix) = match store {
            StoreConfig::S3(s3) => (Some(&s3.bucket), &*s3.prefix),
            StoreConfig::Gcs(gcs) => (Some(&gcs.bucket), &*gcs.prefix),
            StoreConfig::Azure(azure) => (Some(&azure.container), &*azure.prefix),
            _ => (None, ""),
        };
        Self::new(bucket.map(String::as_str), prefix)
    }

    /// A bucket, or none, and the prefix of all keys in it.
    pub(crate) fn new(bucket: Option<&str>, prefix: &str) -> Self {
        Self { bucket: bucket.map(str::to_owned), prefix: prefix.to_owned() }
    }

    /// Checks that a token of `tenant` may be used for the state that is here.
    ///
    /// # Errors
    ///
    /// `Forbidden` (`WRONG_STORAGE`).
    pub(super) fn check(&self, claims: Option<&StorageClaims>, tenant: &Tenant) -> Result<()> {
        claims.map_or(Ok(()), |claims| claims.check(self, tenant))
    }
}

fn forbidden(code: &'static str, why: String) -> Error {
    Error::new(ErrorKind::Forbidden, why).with_code(code)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> Claims {
        Claims::parse(value.to_string().as_bytes()).expect("an object")
    }

    fn scopes_of(org: &str, value: &Value) -> String {
        let tenant = Tenant::new(org, "shop").expect("a tenant");
        let operators = ["acme".to_owned(), "partner:acme".to_owned()];
        scopes(&claims(value), &tenant, &operators).expect("texts").to_string()
    }

    #[test]
    fn scopes_are_read_from_three_claims_and_an_operator_s_only_in_its_organisation() {
        let usual = "dotdo:read dotdo:write dotdo:history";
        for (value, expected) in [
            (json!({}), usual),
            (json!({ "scope": "openid email", "permissions": ["posts:read"] }), usual),
            (json!({ "scope": "openid dotdo:read" }), "dotdo:read"),
            (json!({ "scp": ["dotdo:write", "x"] }), "dotdo:write"),
            (json!({ "permissions": ["dotdo:admin"] }), "dotdo:admin"),
            (json!({ "scope": "dotdo:read", "scp": "dotdo:history" }), "dotdo:read dotdo:history"),
            (json!({ "scope": ["dotdo:read dotdo:write"] }), "dotdo:read dotdo:write"),
            (json!({ "scope": "dotdo:something" }), ""),
            (json!({ "scope": "dotdo:operator" }), "dotdo:operator"),
        ] {
            assert_eq!(scopes_of("acme", &value), expected, "{value}");
        }
        let asking = json!({ "permissions": ["dotdo:read", "dotdo:operator"] });
        for org in ["other", "Acme", "acme.", "partner", "other:acme"] {
            assert_eq!(scopes_of(org, &asking), "dotdo:read", "its administrator can't grant it");
        }
        assert_eq!(scopes_of("partner:acme", &asking), "dotdo:read dotdo:operator");
        let tenant = Tenant::new("acme", "shop").expect("a tenant");
        let number = claims(&json!({ "scp": [1] }));
        let error = scopes(&number, &tenant, &[]).expect_err("a number");
        let expected =
            "the token's claim scp: expected a string or an array of strings, got a number";
        assert_eq!(error.message(), expected);
    }

    #[test]
    fn the_claim_storage_restricts_a_token_to_whole_segments() {
        let location = Location { bucket: Some("b".to_owned()), prefix: "state/eu".to_owned() };
        let tenant = Tenant::new("acme", "shop").expect("a tenant");
        let check = |value: Value| {
            let claims = claims(&json!({ "storage": value }));
            StorageClaims::of(&claims)
                .and_then(|storage| location.check(storage.as_ref(), &tenant))
                .map_err(|error| (error.kind(), error.code()))
        };
        for good in [
            json!({}),
            json!({ "bucket": "b", "region": "auto" }),
            json!({ "path_prefix": "" }),
            json!({ "path_prefix": "state" }),
            json!({ "path_prefix": "state/eu/acme/" }),
            json!({ "bucket": "b", "path_prefix": "state/eu/acme/shop" }),
            json!({ "path_prefix": "state/eu/acme/shop/" }),
        ] {
            assert_eq!(check(good.clone()), Ok(()), "{good}");
        }
        for bad in [
            json!([]),
            json!("b"),
            json!({ "bucket": 1 }),
            json!({ "bucket": "" }),
            json!({ "bucket": "B" }),
            json!({ "bucket": "other", "path_prefix": "state" }),
            json!({ "path_prefix": "acme/shop" }),
            json!({ "path_prefix": "/state" }),
            json!({ "path_prefix": "state//eu" }),
            json!({ "path_prefix": "state/eu/acme/sho" }),
            json!({ "path_prefix": "state/eu/acme/shopx" }),
            json!({ "path_prefix": "state/eu/acme/shop/do" }),
            json!({ "path_prefix": "state/eu/acme/../other" }),
            json!({ "path_prefix": "state/eu/acme/%2e%2e" }),
            json!({ "path_prefix": "state/./eu" }),
            json!({ "path_prefix": ["state"] }),
            json!({ "path_prefix": "x".repeat(2000) }),
        ] {
            assert_eq!(check(bad.clone()), Err((ErrorKind::Forbidden, "WRONG_STORAGE")), "{bad}");
        }
        let folder = Location { bucket: None, prefix: String::new() };
        let claim = StorageClaims { bucket: Some("b".to_owned()), path_prefix: None, region: None };
        assert!(folder.check(Some(&claim), &tenant).is_err(), "a folder is no bucket");
    }
}
