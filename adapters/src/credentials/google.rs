//! Google gives access to its storage for a token of another issuer (workload identity federation):
//! its token service exchanges the token (RFC 8693), and a service account may be acted for.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;

use async_trait::async_trait;
use dotdo_core::{AccessKeysError, Clock, Error, Result, Secret};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use url::Url;
use url::form_urlencoded::Serializer;

use super::address::is_private_address;
use super::answer::Fresh;
use super::cache::KeySource;
use super::client::{Ask, Client};
use super::oauth::{Sent, fresh, granted, nonsense, refusal};
use super::plan::GoogleSettings;
use super::token::{TokenSource, newest, of_file};

/// What a token for the bucket is for.
const STORAGE: &str = "https://www.googleapis.com/auth/devstorage.read_write";
/// What a token is for that asks for one of a service account.
const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Maximum size of a file with credentials, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Google's token service, and the service account to act for.
pub(super) struct Google {
    exchange: Client,
    account: Option<Client>,
    settings: GoogleSettings,
    token: Arc<dyn TokenSource>,
    clock: Arc<dyn Clock>,
}

/// A token of a service account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfAccount {
    access_token: String,
    expire_time: String,
}

impl Google {
    /// Exchanges the tokens of `token`.
    ///
    /// # Errors
    ///
    /// `Invalid` when no token may be sent to a URL of the settings.
    pub(super) fn new(
        settings: GoogleSettings,
        token: Arc<dyn TokenSource>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let exchange = Client::new("Google's token service", &settings.token_url)?;
        let account = settings.account_url.as_deref();
        let account =
            account.map(|url| Client::new("Google's service account", url)).transpose()?;
        Ok(Self { exchange, account, settings, token, clock })
    }

    fn form(&self, token: &Secret) -> String {
        let scope = if self.account.is_some() { PLATFORM } else { STORAGE };
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", EXCHANGE)
            .append_pair("audience", &self.settings.audience)
            .append_pair("scope", scope)
            .append_pair("requested_token_type", ACCESS_TOKEN)
            .append_pair("subject_token_type", &self.settings.token_type)
            .append_pair("subject_token", token.reveal())
            .finish()
    }

    /// The token of the service account, for the one that the exchange has given.
    async fn of_account(
        &self,
        account: &Client,
        federated: &Secret,
    ) -> Result<Fresh, AccessKeysError> {
        let ask = Ask {
            content_type: "application/json",
            bearer: Some(federated.clone()),
            body: json!({ "scope": [STORAGE] }).to_string(),
        };
        let answer = account.post(ask).await?;
        if !answer.status.is_success() {
            let sent = Sent { token: federated, from: self.exchange.name() };
            return Err(refusal(account, &answer, &sent));
        }
        let given: Option<OfAccount> = serde_json::from_slice(&answer.body).ok();
        let given = given.and_then(|given| {
            let ends = Timestamp::from_str(&given.expire_time).ok()?;
            fresh(&given.access_token, ends.as_millisecond())
        });
        given.ok_or_else(|| nonsense(account))
    }
}

#[async_trait]
impl KeySource for Google {
    async fn fetch(&self) -> Result<Fresh, AccessKeysError> {
        let token = newest(self.token.as_ref()).await?;
        let sent = Sent { token: &token, from: self.token.name() };
        let federated =
            granted(&self.exchange, self.form(&token), &sent, self.clock.as_ref()).await?;
        match &self.account {
            Some(account) => self.of_account(account, &federated.keys.secret_access_key).await,
            None => Ok(federated),
        }
    }

    fn name(&self) -> String {
        self.account.as_ref().unwrap_or(&self.exchange).name()
    }
}

/// A file of Google's tools that says how a token of another issuer is exchanged.
#[derive(Deserialize)]
struct ExternalAccount {
    audience: String,
    subject_token_type: String,
    token_url: String,
    service_account_impersonation_url: Option<String>,
    credential_source: Source,
}

/// Where such a file says that the token is.
#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
    #[serde(default)]
    format: Format,
}

#[derive(Default, Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: Option<String>,
    subject_token_field_name: Option<String>,
}

/// What a file with credentials asks for, if it is of the type `external_account`; `None` for any
/// other, which the store's client reads itself.
///
/// # Errors
///
/// `Invalid` for a file that can't be read, a token from elsewhere than a file, or a URL that is
/// not Google's.
pub(super) fn external_account(
    path: &Path,
) -> Result<Option<(GoogleSettings, Arc<dyn TokenSource>)>> {
    let shown = path.display();
    let wrong = |what: &str| {
        Error::invalid(format!("GOOGLE_APPLICATION_CREDENTIALS: {what} in {shown}"))
            .with_code("BAD_CONFIG")
    };
    let unreadable = |cause: std::io::Error| {
        Error::invalid(format!("GOOGLE_APPLICATION_CREDENTIALS: cannot read {shown}: {cause}"))
            .with_code("BAD_CONFIG")
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(wrong("expected at most 65536 bytes, got more"));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let kind = serde_json::from_str::<serde_json::Value>(&text).ok();
    if kind.is_none_or(|file| file["type"] != "external_account") {
        return Ok(None);
    }
    let account: ExternalAccount = serde_json::from_str(&text).map_err(|_| {
        wrong("expected audience, subject_token_type, token_url and credential_source, got others")
    })?;
    let urls = [Some(&account.token_url), account.service_account_impersonation_url.as_ref()];
    if !urls.into_iter().flatten().all(|url| is_google(url)) {
        return Err(wrong("expected URLs of googleapis.com, got another"));
    }
    let Source { file: Some(file), format } = account.credential_source else {
        return Err(wrong(
            "expected a credential_source with a file (others are not supported), got another",
        ));
    };
    let field = match format.kind.as_deref() {
        None | Some("text") => None,
        Some("json") => format.subject_token_field_name,
        Some(_) => return Err(wrong("expected the format text or json, got another")),
    };
    let settings = GoogleSettings {
        audience: account.audience,
        token_type: account.subject_token_type,
        token_url: account.token_url,
        account_url: account.service_account_impersonation_url,
    };
    Ok(Some((settings, of_file(file, field))))
}

/// Whether a token may be sent to `url`, which a file says: it is Google's, or on this machine.
fn is_google(url: &str) -> bool {
    let host = Url::parse(url).ok().and_then(|url| Some(url.host_str()?.to_owned()));
    let is_googles = host.is_some_and(|host| host.ends_with(".googleapis.com"));
    is_private_address(url) && (is_googles || url.starts_with("http://"))
}
