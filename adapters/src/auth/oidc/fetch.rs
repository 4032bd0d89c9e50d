//! Fetches the documents of an issuer, within bounds.

use std::fmt::Write as _;
use std::time::Duration;

use dotdo_core::{Clock, Result};
use http::{StatusCode, header};
use reqwest::redirect::Policy;
use serde::Deserialize;
use url::Url;

use super::keys::KeySet;
use crate::auth::identity::is_safe;

/// Maximum size of a document, in bytes. A key set with ten keys has about 20 KiB with its
/// certificates.
pub(super) const DOCUMENT_BYTES_MAX: usize = 256 << 10;
/// Maximum time for a document, from the first packet to the last byte.
pub(super) const DOCUMENT_TIME_MAX: Duration = Duration::from_secs(5);

/// Bounds for the time after which keys are fetched again, whatever the issuer says. The shorter
/// one keeps an issuer from being asked at every request, the longer one ends keys that the issuer
/// has withdrawn.
const FRESH_MIN: Duration = Duration::from_secs(60);
const FRESH_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The time after which keys are fetched again if the issuer does not say.
const FRESH_DEFAULT: Duration = Duration::from_secs(10 * 60);

/// The keys of an issuer, and how long they are as good as new.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    pub(super) fresh: Duration,
}

/// What this server reads of the discovery document (OpenID Connect Discovery section 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

struct Document {
    bytes: Vec<u8>,
    fresh: Duration,
}

/// Gets documents of an issuer.
pub(super) struct Fetcher {
    issuer: String,
    client: reqwest::Client,
}

impl Fetcher {
    /// # Errors
    ///
    /// The reason, when there is no TLS.
    pub(super) fn new(issuer: &str) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("dotdo/", env!("CARGO_PKG_VERSION")));
        // A proxy of the environment can't reach the loopback of this machine.
        let is_local = issuer.starts_with("http://");
        let client = if is_local { client.no_proxy() } else { client };
        let client = client.build().map_err(|cause| causes(&cause))?;
        Ok(Self { issuer: issuer.to_owned(), client })
    }

    /// The issuer's keys, by its discovery document.
    ///
    /// # Errors
    ///
    /// The reason, for people.
    pub(super) async fn keys(&self, clock: &dyn Clock) -> Result<Fetched, String> {
        let discovery = self.address(&discovery_of(&self.issuer))?;
        let document = self.document(&discovery, clock).await?;
        let found: Discovery = serde_json::from_slice(&document.bytes).map_err(|_| {
            format!(
                "{discovery}: expected a JSON object with issuer and jwks_uri, got another document"
            )
        })?;
        if found.issuer != self.issuer {
            return Err(format!(
                "{discovery} names another issuer than {}; set auth.issuer to exactly the issuer that it names",
                self.issuer
            ));
        }
        let jwks = self
            .address(&found.jwks_uri)
            .map_err(|why| format!("jwks_uri in {discovery}: {why}"))?;
        let document = self.document(&jwks, clock).await?;
        let keys = KeySet::parse(&document.bytes).map_err(|why| format!("{jwks}: {why}"))?;
        Ok(Fetched { keys, fresh: document.fresh })
    }

    /// A URL whose answers can be believed: https, or http on loopback if the issuer is there.
    fn address(&self, text: &str) -> Result<Url, String> {
        let expected = "expected an https:// URL, got another";
        let url = Url::parse(text).map_err(|_| expected.to_owned())?;
        let is_downgrade = url.scheme() == "http" && !self.issuer.starts_with("http://");
        if is_downgrade || !is_safe(&url) {
            return Err(expected.to_owned());
        }
        Ok(url)
    }

    async fn document(&self, url: &Url, clock: &dyn Clock) -> Result<Document, String> {
        tokio::select! {
            document = self.read(url) => document,
            () = clock.sleep(DOCUMENT_TIME_MAX) => {
                Err(format!("{url} did not answer within {} s", DOCUMENT_TIME_MAX.as_secs()))
            }
        }
    }

    async fn read(&self, url: &Url) -> Result<Document, String> {
        let failed =
            |cause: reqwest::Error| format!("can't read {url}: {}", causes(&cause.without_url()));
        let request = self.client.get(url.clone()).header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(failed)?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            return Err(format!("{url}: expected the status 200, got {status}"));
        }
        let fresh = fresh_for(response.headers());
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(format!(
                    "{url}: expected at most {DOCUMENT_BYTES_MAX} bytes, got more"
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Document { bytes, fresh })
    }
}

/// The URL of an issuer's discovery document. A slash at the issuer's end is no segment (OpenID
/// Connect Discovery section 4.1).
fn discovery_of(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
}

/// How long a response is fresh (RFC 9111 section 5.2.2), within bounds.
fn fresh_for(headers: &http::HeaderMap) -> Duration {
    let lines = headers.get_all(header::CACHE_CONTROL).iter();
    let mut fresh = FRESH_DEFAULT;
    for directive in lines.flat_map(|line| line.to_str().unwrap_or_default().split(',')) {
        let (name, value) = directive.trim().split_once('=').unwrap_or((directive.trim(), ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return FRESH_MIN,
            "max-age" => {
                let seconds = value.trim_matches('"').parse().ok();
                fresh = seconds.map_or(fresh, Duration::from_secs);
            }
            _ => {}
        }
    }
    fresh.clamp(FRESH_MIN, FRESH_MAX)
}

/// An error with its causes, as one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn the_discovery_document_is_below_the_issuer() {
        for (issuer, expected) in [
            ("https://h", "https://h/.well-known/openid-configuration"),
            ("https://h/", "https://h/.well-known/openid-configuration"),
            ("https://h/a", "https://h/a/.well-known/openid-configuration"),
            ("https://h/a/", "https://h/a/.well-known/openid-configuration"),
        ] {
            assert_eq!(discovery_of(issuer), expected);
        }
    }

    #[test]
    fn keys_are_kept_as_long_as_the_issuer_says_within_bounds() {
        let seconds = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::CACHE_CONTROL, HeaderValue::from_static(line));
            }
            fresh_for(&headers).as_secs()
        };
        for (lines, expected) in [
            (&[][..], 600),
            (&["max-age=300"], 300),
            (&["public, MAX-AGE=\"300\""], 300),
            (&["public", "max-age=300"], 300),
            (&["max-age=0"], 60),
            (&["max-age=31536000"], 86_400),
            (&["max-age=-1"], 600),
            (&["max-age=99999999999999999999"], 600),
            (&["max-age=300, no-store"], 60),
            (&["no-cache"], 60),
        ] {
            assert_eq!(seconds(lines), expected, "{lines:?}");
        }
    }
}
