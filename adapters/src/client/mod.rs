//! A client of objects, for programs that serve none: calls with the types that the objects' class
//! has, over HTTP.
//!
//! ```no_run
//! use dotdo::client::Client;
//! use dotdo::{Class, Context, DurableObject, Message, Request, Response, Result};
//! use serde::{Deserialize, Serialize};
//!
//! // A crate that the server and its clients share has the class and its messages.
//! struct Account;
//!
//! impl Class for Account {
//!     const NAME: &'static str = "Account";
//! }
//!
//! #[derive(Serialize, Deserialize)]
//! struct Deposit {
//!     cents: i64,
//! }
//!
//! impl Message for Deposit {
//!     type Class = Account;
//!     type Answer = i64;
//!     const PATH: &'static str = "/deposit";
//! }
//! # impl DurableObject for Account {
//! #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
//! #         Ok(Response::default())
//! #     }
//! # }
//!
//! # async fn pay() -> Result<()> {
//! let client = Client::new("https://objects.example.com")?.with_token("…")?;
//! let account = client.stub::<Account>("ada")?;
//! let balance = account.call(&Deposit { cents: 500 }).await?;
//! # let _: i64 = balance; Ok(()) }
//! ```
//!
//! Promises: a call has its effect once, however often it had to be sent; an error has the kind, the
//! code and the details that the object's handler gave it; a token goes to the server's URL and
//! nowhere else. Must not know: engines, stores.

mod answer;
mod object;
mod sending;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{Class, Error, Result, is_class_name};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use url::Url;

pub use self::object::{ClientObject, ClientStub};
use crate::credentials::is_private_address;

/// Timeout for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long a request is tried, by default: longer than a lease and a handler together.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long one try of a request waits for its answer, by default: a little longer than a handler
/// may run.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(35);

/// A client of the objects of one server, or of many behind one address. Clones share their
/// connections.
///
/// ```no_run
/// # async fn ask() -> dotdo::Result<()> {
/// use std::time::Duration;
///
/// use dotdo::client::Client;
///
/// let client = Client::new("https://objects.example.com")?
///     .with_token("…")?
///     .with_timeout(Duration::from_secs(20));
/// let account = client.object("Account", "ada")?;
/// let request = dotdo::http::Request::get("/balance").body(dotdo::Body::empty())?;
/// println!("{}", account.fetch(request).await?.into_body().text().await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    base: Arc<str>,
    token: Option<HeaderValue>,
    timing: Timing,
}

/// How long a request is tried.
#[derive(Debug, Clone, Copy)]
struct Timing {
    all: Duration,
    attempt: Duration,
    /// Whether a request is sent again at all.
    repeats: bool,
}

impl Client {
    /// A client of the server at `url`, such as `https://objects.example.com`. Objects that are
    /// mounted in another program have its path in front ([`service`](crate::service)).
    ///
    /// # Errors
    ///
    /// `Invalid` when that is no URL of a server.
    pub fn new(url: &str) -> Result<Self> {
        let parsed = Url::parse(url).ok().filter(is_base);
        let parsed = parsed.ok_or_else(|| {
            Error::invalid(
                "expected the URL of a server, such as https://host, without a user, query or fragment",
            )
        })?;
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX);
        if parsed.scheme() == "http" {
            // A proxy from the environment is another machine.
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|cause| Error::internal(format!("cannot make a client: {cause}")))?;
        Ok(Self {
            http,
            base: parsed.as_str().trim_end_matches('/').into(),
            token: None,
            timing: Timing { all: TIMEOUT, attempt: ATTEMPT_TIMEOUT, repeats: true },
        })
    }

    /// Sends `token` with each request, as `Authorization: Bearer`.
    ///
    /// # Errors
    ///
    /// `Invalid` when the server's URL is `http:` and not of this machine, because anybody on the
    /// way could read the token; or when it is no token.
    pub fn with_token(mut self, token: &str) -> Result<Self> {
        if !is_private_address(&self.base) {
            return Err(Error::invalid(
                "expected an https:// URL (or http:// on this machine) for requests with a token",
            ));
        }
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Error::invalid("expected a token, got what is no value of a header"))?;
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// Tries each request for `timeout` at most; 60 s by default. The time to read the body of a response
    /// that is a stream is not counted.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timing.all = timeout;
        self
    }

    /// Waits for the answer to one try of a request for `timeout` at most, before it is sent again;
    /// 35 s by default, which is more than a handler may take.
    #[must_use]
    pub fn with_attempt_timeout(mut self, timeout: Duration) -> Self {
        self.timing.attempt = timeout;
        self
    }

    /// Sends each request once, and without an idempotency key of its own. When the answer is lost,
    /// the outcome is not known.
    #[must_use]
    pub fn without_retries(mut self) -> Self {
        self.timing.repeats = false;
        self
    }

    /// The object `id` of the class with this name.
    ///
    /// # Errors
    ///
    /// `Invalid` when it is no name of a class, or the id is empty.
    pub fn object(&self, class: &str, id: &str) -> Result<ClientObject> {
        if !is_class_name(class) {
            return Err(Error::invalid(format!("expected the name of a class, got {class:?}")));
        }
        if id.is_empty() {
            return Err(Error::invalid("expected an id, got an empty one").with_code("BAD_ID"));
        }
        Ok(ClientObject::new(self.clone(), class, id))
    }

    /// The object `id` of the class `C`, for calls with its types.
    ///
    /// # Errors
    ///
    /// `Invalid` when the id is empty.
    pub fn stub<C: Class>(&self, id: &str) -> Result<ClientStub<C>> {
        Ok(ClientStub::new(self.object(C::NAME, id)?))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.base).finish_non_exhaustive()
    }
}

/// Whether requests can be sent below this URL. A password in it would be a secret that is logged.
fn is_base(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

impl Client {
    /// The headers that every request has.
    fn authorize(&self, headers: &mut http::HeaderMap) {
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
    }
}
