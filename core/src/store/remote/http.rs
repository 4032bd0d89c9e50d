//! Watches the HTTP responses below `object_store`: the store's clock from `Date`, the status, and
//! the body of errors.
//!
//! `object_store` hides the status of errors and repeats bodies and URLs in its texts. Both matter
//! here: the handling depends on the status, and people who must not see signatures read the texts.

use std::cell::RefCell;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use http::header::{AUTHORIZATION, DATE};
use http::{HeaderMap, StatusCode};
use object_store::ClientOptions;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService,
};
use reqwest::redirect::Policy;

use super::super::keys::bearer_id;
use super::super::time::StoreTime;
use super::successes::{Kind, Success};
use crate::limits::STORE_CONNECT_MAX;

/// The last unsuccessful HTTP response of a call.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The store's error code, such as `NoSuchBucket`; empty if the body has none.
    pub(super) code: String,
    /// The store's message; empty if the body has none.
    pub(super) message: String,
    /// The id of the keys that signed the request, in S3's way, or of its bearer token.
    pub(super) access_key_id: Option<String>,
    /// Whether it is a page for people, as web servers and gateways send them and stores do not.
    pub(super) is_page: bool,
}

impl Answer {
    /// What `status` with this body says to a request that was signed with these keys.
    fn new(status: StatusCode, body: &[u8], access_key_id: Option<String>) -> Self {
        let text = String::from_utf8_lossy(body);
        let beginning: String = text.trim_start().chars().take(14).collect();
        let beginning = beginning.to_ascii_lowercase();
        let is_page = ["<!doctype html", "<html"].iter().any(|tag| beginning.starts_with(tag));
        let (code, message) = (element(&text, "Code"), element(&text, "Message"));
        Self { status, code, message, access_key_id, is_page }
    }

    /// Whether it says that the keys of the request are not valid, or no longer. It says nothing of
    /// what they may do: that is `AccessDenied`.
    pub(super) fn is_of_keys(&self) -> bool {
        let codes = [
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidAccessKeyId",
            "InvalidToken",
            "TokenRefreshRequired",
        ];
        // Google and Azure say 401 of a token that has ended, and 403 of what one may not do.
        let is_of_bearer = self.status == StatusCode::UNAUTHORIZED
            && self.access_key_id.as_ref().is_some_and(|id| id.starts_with("bearer:"));
        is_of_bearer || (self.status.is_client_error() && codes.contains(&self.code.as_str()))
    }
}

tokio::task_local! {
    static LAST: RefCell<Option<Answer>>;
}

/// Runs `call` and gives its result with the last error answer that the store sent meanwhile.
pub(super) async fn watch<T>(call: impl Future<Output = T>) -> (T, Option<Answer>) {
    LAST.scope(RefCell::new(None), async {
        let result = call.await;
        (result, LAST.with(|last| last.borrow_mut().take()))
    })
    .await
}

/// Creates HTTP clients that watch responses. Those that a connector and its clones create share
/// their connections.
#[derive(Debug, Clone)]
pub(super) struct Watching {
    time: Arc<StoreTime>,
    host: String,
    clients: Arc<Clients>,
}

/// One client for https only, and one that may use http too, once they are needed.
#[derive(Debug, Default)]
struct Clients {
    private: OnceLock<reqwest::Client>,
    plain: OnceLock<reqwest::Client>,
}

impl Watching {
    /// Watches the clock of the store at `endpoint`, such as `https://storage.googleapis.com`. The
    /// same clients fetch tokens from other services, whose clocks are not the store's.
    pub(super) fn new(time: &Arc<StoreTime>, endpoint: &str) -> Self {
        let address = endpoint.split_once("://").map_or(endpoint, |(_, address)| address);
        let host = address.split('/').next().unwrap_or_default().to_owned();
        Self { time: Arc::clone(time), host, clients: Arc::default() }
    }

    /// The client for these options, of which only one matters.
    fn client(&self, options: &ClientOptions) -> object_store::Result<reqwest::Client> {
        let is_plain = options.get_config_value(&ClientConfigKey::AllowHttp);
        let is_plain = is_plain.is_some_and(|text| text == "true");
        let kept = if is_plain { &self.clients.plain } else { &self.clients.private };
        if let Some(client) = kept.get() {
            return Ok(client.clone());
        }
        let made = builder().https_only(!is_plain).build();
        let failed = |error: reqwest::Error| object_store::Error::Generic {
            store: "HTTP",
            source: error.into(),
        };
        let made = made.map_err(failed)?;
        Ok(kept.get_or_init(|| made).clone())
    }
}

impl HttpConnector for Watching {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Watched {
            inner: HttpClient::new(self.client(options)?),
            time: Arc::clone(&self.time),
            host: self.host.clone(),
        }))
    }
}

/// A client that follows no redirect. `object_store`'s own does: a create would be sent twice, and
/// the token of temporary keys to whatever address an answer names.
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("dotdo/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(STORE_CONNECT_MAX)
        .http1_only()
        // The length of a compressed body would not be that of the object.
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
}

#[derive(Debug)]
struct Watched {
    inner: HttpClient,
    time: Arc<StoreTime>,
    host: String,
}

#[async_trait]
impl HttpService for Watched {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let is_store =
            request.uri().authority().is_some_and(|authority| authority.as_str() == self.host);
        let access_key_id = access_key_id(request.headers());
        let kind = if is_store { Kind::of(&request) } else { Kind::Other };
        let response = self.inner.execute(request).await?;
        let status = response.status();
        // A gateway that responds for an unavailable store has its own clock.
        if is_store
            && !status.is_server_error()
            && let Some(date_ms) =
                response.headers().get(DATE).and_then(|date| date_ms(date.to_str().ok()?))
        {
            self.time.saw(date_ms);
        }
        if status == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let (mut parts, body) = if status.is_success() {
            match kind.check(response).await? {
                Success::Real(response) => return Ok(response),
                Success::Error(parts, body) => (parts, body),
            }
        } else {
            let (parts, body) = response.into_parts();
            (parts, body.bytes().await?)
        };
        let answer = Answer::new(status, &body, access_key_id);
        if status.is_success() {
            parts.status = StatusCode::BAD_GATEWAY;
        }
        // Outside of `watch` (fetching a token in the background) nobody needs it.
        let _ = LAST.try_with(|last| last.replace(Some(answer)));
        Ok(HttpResponse::from_parts(parts, body.into()))
    }
}

/// The id in a signature of S3's fourth version (`AWS4-HMAC-SHA256 Credential=ID/…`), or that of a
/// bearer token.
fn access_key_id(headers: &HeaderMap) -> Option<String> {
    let signature = headers.get(AUTHORIZATION)?.to_str().ok()?;
    if let Some(token) = signature.strip_prefix("Bearer ") {
        return Some(bearer_id(token));
    }
    let (_, rest) = signature.split_once("Credential=")?;
    rest.split_once('/').map(|(id, _)| id.to_owned())
}

/// The time of a `Date` header (RFC 9110, section 5.6.7), in milliseconds since 1970.
fn date_ms(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|time| time.timestamp().as_millisecond())
}

/// The text of the first `<name>` element: the error bodies of S3, GCS and Azure are flat XML.
fn element(text: &str, name: &str) -> String {
    let inner = text
        .split_once(&format!("<{name}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inner.map(|(inner, _)| inner.chars().take(200).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_is_understood() {
        assert_eq!(date_ms("Tue, 15 Nov 1994 08:12:31 GMT"), Some(784_887_151_000));
        assert_eq!(date_ms("yesterday"), None);
    }

    #[test]
    fn a_signature_tells_whose_it_is() {
        let id = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, http::HeaderValue::from_static(text));
            access_key_id(&headers)
        };
        let signature = "AWS4-HMAC-SHA256 Credential=ASIA1/20260101/auto/s3/aws4_request, SignedHeaders=host, Signature=00";
        assert_eq!(id(signature).as_deref(), Some("ASIA1"));
        assert_eq!(id("Bearer token"), Some(bearer_id("token")));
        assert_ne!(id("Bearer token"), id("Bearer other"));
        assert_eq!(id("SharedKey account:signature"), None);
        assert_eq!(access_key_id(&HeaderMap::new()), None);
    }

    #[test]
    fn an_error_body_gives_its_code_and_nothing_else() {
        let body = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><StringToSign>hush</StringToSign></Error>";
        assert_eq!(element(body, "Code"), "SignatureDoesNotMatch");
        assert_eq!(element(body, "Message"), "");
    }
}
