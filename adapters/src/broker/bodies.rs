//! Bodies of the broker's API: what requests say, checked, and what responses say.

use std::time::Duration;

use dotdo_core::{Caller, Error, Response, Result, Scope, Scopes, Tenant, millis};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::keys::{Access, Keys};
use super::plan::Place;
use super::times;
use super::tokens::{Page, Record, id_of};
use crate::credentials::Part;
use crate::edge::json as json_response;

/// Maximum size of a request's body, in bytes.
pub(super) const BODY_BYTES_MAX: u64 = 4096;

/// Maximum length of a deploy token's name, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Lifetime of a deploy token that is asked for without one.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(90 * 24 * 3600);
/// Minimum lifetime of a deploy token.
const LIFETIME_MIN: Duration = Duration::from_secs(60);
/// Maximum lifetime of a deploy token: a year, with the day that some have more.
const LIFETIME_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// The body of `POST /v1/credentials`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeysRequest {
    #[serde(default)]
    pub(super) access: Access,
    /// A tenant that need not be the caller's.
    tenant: Option<TenantName>,
    /// Whether the keys are for what all tenants share.
    #[serde(default)]
    shared: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantName {
    org: String,
    name: String,
}

/// The body of `POST /v1/deploy-tokens`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TokenRequest {
    name: String,
    scopes: Option<Vec<String>>,
    expires_in_seconds: Option<u64>,
}

/// A deploy token that is asked for.
#[derive(Debug)]
pub(super) struct WantedToken {
    pub(super) name: String,
    pub(super) scopes: Scopes,
    pub(super) lifetime_ms: i64,
}

/// The request in a body.
///
/// # Errors
///
/// `Invalid` when it is not the JSON that is expected.
pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|cause| bad(format!("cannot read the body: {cause}")))
}

impl KeysRequest {
    /// The request in a body, which may be empty.
    ///
    /// # Errors
    ///
    /// `Invalid` when it is not the JSON that is expected.
    pub(super) fn of(body: &[u8]) -> Result<Self> {
        if body.is_empty() { Ok(Self::default()) } else { parsed(body) }
    }

    /// The part that only an operator can have keys for; `None` for the caller's own.
    ///
    /// # Errors
    ///
    /// `Invalid` for names that no tenant has, or for two parts at once.
    pub(super) fn part(&self) -> Result<Option<Part>> {
        match (&self.tenant, self.shared) {
            (None, false) => Ok(None),
            (None, true) => Ok(Some(Part::Shared)),
            (Some(of), false) => Tenant::new(&of.org, &of.name)
                .map(|tenant| Some(Part::Tenant(tenant)))
                .map_err(|error| bad(format!("tenant: {}", error.message()))),
            (Some(_), true) => Err(bad("expected tenant or shared, got both".to_owned())),
        }
    }
}

impl TokenRequest {
    /// What `caller` may have of it.
    ///
    /// # Errors
    ///
    /// `Invalid` for a name, a scope or a time that no deploy token can have, `Forbidden` for a
    /// scope that the caller does not have.
    pub(super) fn checked(&self, caller: &Caller) -> Result<WantedToken> {
        let chars = self.name.chars().count();
        if !(1..=NAME_CHARS_MAX).contains(&chars) || self.name.chars().any(char::is_control) {
            return Err(bad(format!(
                "name: expected 1 to {NAME_CHARS_MAX} printable characters, got {:?}",
                self.name.chars().take(NAME_CHARS_MAX).collect::<String>()
            )));
        }
        let lifetime = self.expires_in_seconds.map_or(LIFETIME_DEFAULT, Duration::from_secs);
        if !(LIFETIME_MIN..=LIFETIME_MAX).contains(&lifetime) {
            return Err(bad(format!(
                "expiresInSeconds: expected {} to {}, got {}",
                LIFETIME_MIN.as_secs(),
                LIFETIME_MAX.as_secs(),
                lifetime.as_secs()
            )));
        }
        Ok(WantedToken {
            name: self.name.clone(),
            scopes: self.scopes(caller)?,
            lifetime_ms: millis::signed(lifetime),
        })
    }

    fn scopes(&self, caller: &Caller) -> Result<Scopes> {
        let Some(names) = &self.scopes else {
            let usual = [Scope::Read, Scope::Write].into_iter();
            return Ok(usual.filter(|scope| caller.has(*scope)).collect());
        };
        if names.is_empty() {
            return Err(bad("scopes: expected at least one, got none".to_owned()));
        }
        names.iter().map(|name| scope(name, caller)).collect()
    }
}

/// A scope that `caller` can give to a deploy token.
fn scope(name: &str, caller: &Caller) -> Result<Scope> {
    match Scope::from_name(name) {
        Some(scope @ (Scope::Read | Scope::Write | Scope::History)) => {
            caller.require(scope).map(|()| scope)
        }
        _ => Err(bad(format!(
            "scopes: expected {}, {} or {}, got {:?}",
            Scope::Read,
            Scope::Write,
            Scope::History,
            name.chars().take(NAME_CHARS_MAX).collect::<String>()
        ))),
    }
}

/// The response with keys.
pub(super) fn keys_response(keys: &Keys, place: &Place, part: &Part) -> Response {
    let mut body = json!({
        "accessKeyId": keys.access_key_id,
        "secretAccessKey": keys.secret_access_key.reveal(),
        "sessionToken": keys.session_token.reveal(),
        "expires": times::text(keys.expires_ms),
        "endpoint": place.endpoint,
        "region": place.region,
        "bucket": place.bucket,
        "prefix": place.prefix,
    });
    if let Some(tenant) = part.tenant() {
        body["tenant"] = json!({ "org": tenant.org(), "name": tenant.name() });
    }
    json_response(body)
}

/// The response with a new deploy token.
pub(super) fn token_response(id: &str, token: &str, expires_ms: i64) -> Response {
    let mut response =
        json_response(json!({ "id": id, "token": token, "expires": times::text(expires_ms) }));
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// The response with a page of deploy tokens.
pub(super) fn page_response(page: &Page) -> Response {
    let mut body = json!({ "items": page.items.iter().map(item).collect::<Vec<_>>() });
    if let Some(next) = &page.next {
        body["next"] = next.as_str().into();
    }
    json_response(body)
}

fn item(record: &Record) -> Value {
    let grant = &record.grant;
    let mut item = json!({
        "id": id_of(&record.hash),
        "name": grant.name,
        "scopes": grant.scopes.iter().map(Scope::name).collect::<Vec<_>>(),
        "createdAt": times::text(grant.created_ms),
        "createdBy": grant.created_by,
        "expires": times::text(grant.expires_ms),
    });
    if let Some(revoked) = &record.revoked {
        item["revoked"] = times::text(revoked.at_ms).into();
    }
    item
}

fn bad(what: String) -> Error {
    Error::invalid(what).with_code("BAD_BODY")
}
