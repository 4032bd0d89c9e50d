//! A broker exchanges a token for keys that are limited to a tenant, and says where its objects
//! are: `POST {broker}/v1/credentials` (docs/design/0023, decision 13).
//!
//! Nothing in an answer is used before it was checked, and every later answer must name the same
//! place and tenant as the first.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use dotdo_core::sync::Mutex;
use dotdo_core::{AccessKeysError, Result, S3Config, Secret, Tenant};
use serde::Deserialize;
use serde_json::json;

use super::address::is_private_address;
use super::answer::{Fresh, Said, quoted};
use super::cache::KeySource;
use super::claims::Claims;
use super::client::{Answer, Ask, Client};
use super::parts::Part;
use super::token::{TokenSource, newest};
use crate::config::names::{is_bucket, is_label, is_prefix};

/// The path of exchanges below a broker's URL.
const CREDENTIALS: &str = "v1/credentials";

/// A broker.
pub(super) struct Broker {
    client: Arc<Client>,
    token: Arc<dyn TokenSource>,
    /// What keys are asked for, if not the part of the token's own tenant.
    part: Option<Part>,
    /// The place that the first answer named.
    place: OnceLock<Place>,
    /// The keys of the first answer, until they are fetched.
    first: Mutex<Option<Fresh>>,
}

/// Where a tenant's objects are.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// Bucket, region, endpoint, and the prefix below which `{org}/{tenant}/` is.
    pub(super) bucket: S3Config,
    /// `None` for keys of what all tenants share.
    pub(super) tenant: Option<Tenant>,
}

/// An answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expires: String,
    endpoint: String,
    region: String,
    bucket: String,
    prefix: String,
    tenant: Option<GrantedTenant>,
}

#[derive(Deserialize)]
struct GrantedTenant {
    org: String,
    name: String,
}

/// An error of the product.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    code: String,
    #[serde(default)]
    error: String,
}

impl Broker {
    /// Exchanges the tokens of `token` at the broker with this URL.
    ///
    /// # Errors
    ///
    /// `Invalid` when no token may be sent there.
    pub(super) fn new(url: &str, token: Arc<dyn TokenSource>) -> Result<Self> {
        let client =
            Client::new("the broker", &format!("{}/{CREDENTIALS}", url.trim_end_matches('/')))?;
        let (client, place) = (Arc::new(client), OnceLock::new());
        Ok(Self { client, token, part: None, place, first: Mutex::new(None) })
    }

    /// The same broker, asked for keys of what all tenants share. The token must be an operator's.
    pub(super) fn for_shared(self) -> Self {
        Self { part: Some(Part::Shared), ..self }
    }

    /// The same broker, asked for keys of the part of `tenant`, which is in the same place.
    pub(super) fn for_tenant(&self, tenant: &Tenant) -> Self {
        let known = OnceLock::new();
        if let Some(place) = self.place.get() {
            // It is empty.
            let _ = known.set(Place { tenant: Some(tenant.clone()), bucket: place.bucket.clone() });
        }
        Self {
            client: Arc::clone(&self.client),
            token: Arc::clone(&self.token),
            part: Some(Part::Tenant(tenant.clone())),
            place: known,
            first: Mutex::new(None),
        }
    }

    /// The place of the objects. The keys of the same answer are fetched next.
    ///
    /// # Errors
    ///
    /// Those of [`KeySource::fetch`].
    pub(super) async fn place(&self) -> Result<&Place, AccessKeysError> {
        if let Some(place) = self.place.get() {
            return Ok(place);
        }
        let (fresh, place) = self.exchange().await?;
        *self.first.lock() = Some(fresh);
        Ok(self.place.get_or_init(|| place))
    }

    async fn exchange(&self) -> Result<(Fresh, Place), AccessKeysError> {
        let token = newest(self.token.as_ref()).await?;
        let ask = Ask {
            content_type: "application/json",
            bearer: Some(token.clone()),
            body: self.question(),
        };
        let answer = self.client.post(ask).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&answer, &token));
        }
        let granted: Granted = serde_json::from_slice(&answer.body).map_err(|cause| {
            let (line, column) = (cause.line(), cause.column());
            self.nonsense(&format!("JSON that is wrong at line {line}, column {column}"))
        })?;
        let fresh = granted.keys().ok_or_else(|| self.nonsense("keys that can't be used"))?;
        let place = granted.place().map_err(|what| self.nonsense(&what))?;
        let is_asked_for = match &self.part {
            Some(part) => part.tenant() == place.tenant.as_ref(),
            None => place
                .tenant
                .as_ref()
                .is_some_and(|tenant| Claims::of(&token).is_none_or(|claims| claims.fit(tenant))),
        };
        if !is_asked_for {
            return Err(self.nonsense("another tenant than the token's, or the one asked for"));
        }
        Ok((fresh, place))
    }

    /// The body of a request.
    fn question(&self) -> String {
        let mut question = json!({ "access": "read-write" });
        match &self.part {
            Some(Part::Tenant(tenant)) => {
                question["tenant"] = json!({ "org": tenant.org(), "name": tenant.name() });
            }
            Some(Part::Shared) => question["shared"] = true.into(),
            None => {}
        }
        question.to_string()
    }

    fn refusal(&self, answer: &Answer, token: &Secret) -> AccessKeysError {
        let Refusal { code, error } = serde_json::from_slice(&answer.body).unwrap_or_default();
        AccessKeysError::Refused(format!(
            "{} refuses the token from {}: {}, {}; use a valid token of a tenant that the broker knows",
            self.client.name(),
            self.token.name(),
            answer.status,
            quoted(&format!("{code}: {error}"), token),
        ))
    }

    fn nonsense(&self, what: &str) -> AccessKeysError {
        AccessKeysError::Unavailable(format!(
            "{} answers with {what}; check its URL (DOTDO_BROKER)",
            self.client.name()
        ))
    }
}

#[async_trait]
impl KeySource for Broker {
    async fn fetch(&self) -> Result<Fresh, AccessKeysError> {
        if let Some(fresh) = self.first.lock().take() {
            return Ok(fresh);
        }
        let (fresh, place) = self.exchange().await?;
        if *self.place.get_or_init(|| place.clone()) == place {
            return Ok(fresh);
        }
        Err(AccessKeysError::Refused(format!(
            "{} answers with keys for another bucket, prefix or tenant than before; restart the server if its objects have moved",
            self.client.name()
        )))
    }

    fn name(&self) -> String {
        self.client.name()
    }
}

impl Granted {
    fn keys(&self) -> Option<Fresh> {
        Said {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_deref(),
            expires: &self.expires,
        }
        .check()
    }

    /// Where the objects are, or which part of the answer can't say it.
    fn place(&self) -> Result<Place, String> {
        let prefix = self.prefix.trim_matches('/');
        let wrong = [
            ("endpoint", is_private_address(&self.endpoint)),
            ("region", is_label(&self.region)),
            ("bucket", is_bucket(&self.bucket)),
            ("prefix", is_prefix(prefix)),
        ]
        .into_iter()
        .find(|(_, is_good)| !is_good);
        if let Some((part, _)) = wrong {
            return Err(format!("a value of \"{part}\" that can't be used"));
        }
        let tenant = self.tenant.as_ref().map(|tenant| Tenant::new(&tenant.org, &tenant.name));
        let tenant = tenant
            .transpose()
            .map_err(|_| "a value of \"tenant\" that can't be used".to_owned())?;
        let bucket = S3Config {
            bucket: self.bucket.clone(),
            prefix: prefix.to_owned(),
            region: Some(self.region.clone()),
            endpoint: Some(self.endpoint.clone()),
            ..S3Config::default()
        };
        Ok(Place { bucket, tenant })
    }
}
