//! The routes of a running server.
//!
//! Promises: a token is sent by https, or to this machine, unless the user says otherwise; redirects
//! are not followed, because a token would go with them.

use std::path::Path;
use std::time::Duration;

use dotdo::Body;
use dotdo::commands::LoginSettings;
use dotdo::engine::Secret;
use dotdo::http::Response;
use reqwest::Url;

use super::Ask;
use crate::failure::{Failure, plain};
use crate::login::{self, ProfileFrom};
use crate::objects::options::Where;

/// How long connecting may take. How long an answer takes depends on the object.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A server, and what proves to it who the user is.
pub(super) struct Server {
    http: reqwest::Client,
    base: String,
    token: Option<Secret>,
}

impl Server {
    /// The server at `url`.
    pub(super) fn new(url: &str, place: &Where, settings: &LoginSettings) -> Result<Self, Failure> {
        let base = address(url, place.allow_http)?;
        let token = match (&place.token_file, &place.profile) {
            (Some(path), _) => Some(token_in(path)?),
            (None, Some(_)) => login::token_for_server(settings, ProfileFrom::Option)?,
            (None, None) => login::token_for_server(settings, ProfileFrom::Settings)?,
        };
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("dotdo/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| Failure::of("cannot prepare requests", cause))?;
        Ok(Self { http, base, token })
    }

    /// What the user calls it.
    pub(super) fn name(&self) -> &str {
        &self.base
    }

    pub(super) async fn send(&self, ask: &Ask, prefix: &str) -> Result<Response<Body>, Failure> {
        let url = format!("{}{}", self.base, ask.target(prefix));
        let mut request = self.http.request(ask.method.clone(), url).body(ask.body.clone());
        if let Some(kind) = ask.content_type {
            request = request.header("content-type", kind);
        }
        if let Some((name, value)) = &ask.condition {
            request = request.header(*name, value);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.reveal());
        }
        let response = request.send().await.map_err(|cause| {
            Failure::Later(format!(
                "{} does not answer: {}; is the server running? Without --server, the command works on the bucket itself",
                self.base,
                root(&cause)
            ))
        })?;
        Ok(Response::from(response)
            .map(|body| Body::new(http_body_util::BodyExt::map_err(body, lost))))
    }
}

fn token_in(path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path).map_err(|cause| {
        Failure::of(&format!("cannot read the token in {}", path.display()), cause)
    })?;
    Ok(Secret::new(text.trim()))
}

/// A body that ends too early.
fn lost(cause: reqwest::Error) -> dotdo::Error {
    dotdo::Error::new(dotdo::ErrorKind::Unavailable, root(&cause))
}

/// The server's address without a slash at its end, if requests may be sent there.
fn address(text: &str, allow_http: bool) -> Result<String, Failure> {
    let wrong = |expected: &str| {
        let text = plain(text);
        Failure::Usage(format!("the server: expected {expected}, got {text:?}"))
    };
    let url = Url::parse(text).map_err(|_| wrong("a URL, such as https://dotdo.example.com"))?;
    let is_bare = url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !is_bare {
        return Err(wrong("a URL, such as https://dotdo.example.com"));
    }
    let has_no_secret = url.username().is_empty() && url.password().is_none();
    if !(login::is_safe(&url) || (allow_http && has_no_secret)) {
        return Err(wrong(
            "an https:// URL (or http:// on this machine; --allow-http for a private network)",
        ));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// The innermost cause of an error: "connection refused" rather than "error sending request".
fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    plain(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_reached_by_https_or_on_this_machine() {
        let base = |text: &str| address(text, false).ok();
        assert_eq!(base("https://a.example/x/").as_deref(), Some("https://a.example/x"));
        assert_eq!(base("http://127.0.0.1:8787").as_deref(), Some("http://127.0.0.1:8787"));
        for wrong in [
            "a.example",
            "ftp://a.example",
            "http://a.example",
            "https://a:b@a.example",
            "https://a.example?x",
        ] {
            assert_eq!(base(wrong), None, "{wrong}");
        }
        assert!(address("http://a.example", true).is_ok());
    }
}
