//! Tokens that say who this server is, and where the newest one is.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use dotdo_core::sync::Mutex;
use dotdo_core::{AccessKeysError, Error, ErrorKind, Result, Secret};
use http::{HeaderMap, HeaderName};

#[cfg(unix)]
use super::fly::{OfFly, SOCKET};
use super::plan::{Storage, TokenFrom};

/// Maximum size of a token, in bytes; those of large providers have about 2 KiB.
pub(super) const TOKEN_BYTES_MAX: u64 = 16 << 10;

/// Gives the token by which a server says who it is, such as the access token of a login, which
/// must be refreshed from time to time.
///
/// ```
/// use dotdo::commands::TokenSource;
/// use dotdo::engine::{Secret, async_trait};
///
/// struct Fixed;
///
/// #[async_trait]
/// impl TokenSource for Fixed {
///     async fn token(&self) -> dotdo::Result<Secret> {
///         Ok(Secret::new("eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"))
///     }
///
///     fn name(&self) -> String {
///         "the program".to_owned()
///     }
/// }
/// ```
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// A token that is valid now. It is asked once for each exchange for keys, which is before the
    /// keys' last fifth.
    ///
    /// # Errors
    ///
    /// `Unavailable` when there may be one soon; any other kind when somebody has to do something,
    /// which the message says.
    async fn token(&self) -> Result<Secret>;

    /// Where the token comes from, for messages: "expected … from {name}".
    fn name(&self) -> String;

    /// The URL of the broker that exchanges these tokens for keys if the settings name nobody who
    /// does (`broker.url`, `aws.role_arn`). It must be https, or http on this machine.
    fn broker(&self) -> Option<String> {
        None
    }
}

/// The newest token of `source`, checked for what would break the request that it is sent with.
///
/// # Errors
///
/// Those of the source, and `Refused` for a token that can't be one.
pub(super) async fn newest(source: &dyn TokenSource) -> Result<Secret, AccessKeysError> {
    let token = source.token().await.map_err(|error| match error.kind() {
        ErrorKind::Unavailable => AccessKeysError::Unavailable(error.message().to_owned()),
        _ => AccessKeysError::Refused(error.message().to_owned()),
    })?;
    let text = token.reveal();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AccessKeysError::Refused(format!(
            "expected a token of visible ASCII characters from {}, got another text (not shown)",
            source.name()
        )));
    }
    Ok(token)
}

/// A token from the settings.
struct OfSettings(Secret);

#[async_trait]
impl TokenSource for OfSettings {
    async fn token(&self) -> Result<Secret> {
        Ok(self.0.clone())
    }

    fn name(&self) -> String {
        "JWT_TOKEN".to_owned()
    }
}

/// A token in a file that somebody else replaces before it ends.
struct OfFile {
    path: PathBuf,
    /// The field that has it, of a file that is a JSON object.
    field: Option<String>,
}

/// The token in the file at `path`, or in a field of the JSON object there.
pub(super) fn of_file(path: PathBuf, field: Option<String>) -> Arc<dyn TokenSource> {
    Arc::new(OfFile { path, field })
}

#[async_trait]
impl TokenSource for OfFile {
    async fn token(&self) -> Result<Secret> {
        let name = self.name();
        let unreadable = |cause: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("cannot read {name}: {cause}"))
        };
        let bytes = tokio::fs::metadata(&self.path).await.map_err(unreadable)?.len();
        if bytes > TOKEN_BYTES_MAX {
            return Err(Error::invalid(format!(
                "expected a token of at most {TOKEN_BYTES_MAX} bytes in {name}, got {bytes} bytes"
            )));
        }
        let text = tokio::fs::read_to_string(&self.path).await.map_err(unreadable)?;
        let Some(field) = &self.field else { return Ok(Secret::new(text.trim())) };
        let object = serde_json::from_str::<serde_json::Value>(&text).ok();
        let token = object.and_then(|object| Some(Secret::new(object[field].as_str()?)));
        token.ok_or_else(|| {
            Error::invalid(format!("expected a JSON object with the field {field:?} in {name}"))
        })
    }

    fn name(&self) -> String {
        format!("the file {}", self.path.display())
    }
}

/// The newest token that the platform has sent with a request.
pub(crate) struct OfHeader {
    header: HeaderName,
    newest: Mutex<Option<Secret>>,
}

impl OfHeader {
    /// `None` if `header` can't be the name of a header.
    fn new(header: &str) -> Option<Self> {
        Some(Self { header: header.parse().ok()?, newest: Mutex::new(None) })
    }

    /// Takes the token out of a request from the platform: it is not for the objects.
    #[cfg_attr(not(feature = "vercel"), expect(dead_code, reason = "only Vercel sends tokens so"))]
    pub(crate) fn take_from(&self, headers: &mut HeaderMap) {
        let Some(value) = headers.remove(&self.header) else { return };
        let Some(token) = value.to_str().ok().filter(|token| !token.is_empty()) else { return };
        *self.newest.lock() = Some(Secret::new(token));
    }
}

#[async_trait]
impl TokenSource for OfHeader {
    async fn token(&self) -> Result<Secret> {
        let newest = self.newest.lock().clone();
        newest.ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                format!(
                    "no request had {} yet; check that the platform adds it (on Vercel: Secure Backend Access with OIDC Federation)",
                    self.name()
                ),
            )
        })
    }

    fn name(&self) -> String {
        format!("the header {}", self.header)
    }
}

/// Tokens of Fly, on a system that has such sockets.
fn of_fly(audience: &str) -> Option<Arc<dyn TokenSource>> {
    #[cfg(unix)]
    return Some(Arc::new(OfFly { socket: SOCKET.into(), audience: audience.to_owned() }));
    #[cfg(not(unix))]
    return None;
}

/// Sources of tokens that come from outside of the settings.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    /// The login of the person who started the server.
    pub(crate) login: Option<Arc<dyn TokenSource>>,
    /// Tokens that the platform sends with requests.
    pub(crate) header: Option<Arc<OfHeader>>,
}

impl Tokens {
    /// The sources for `storage`, where `login` is that of the person who started the server.
    pub(crate) fn new(storage: &Storage, login: Option<Arc<dyn TokenSource>>) -> Self {
        let header = match storage.token() {
            Some(TokenFrom::Header(name)) => OfHeader::new(name).map(Arc::new),
            _ => None,
        };
        Self { login, header }
    }

    /// The source that the settings ask for.
    pub(super) fn source(&self, from: &TokenFrom) -> Result<Arc<dyn TokenSource>> {
        let source: Option<Arc<dyn TokenSource>> = match from {
            TokenFrom::Settings(token) => Some(Arc::new(OfSettings(token.clone()))),
            TokenFrom::File(path) | TokenFrom::OfPlatform(path) => {
                Some(of_file(path.clone(), None))
            }
            TokenFrom::Fly(audience) => of_fly(audience),
            TokenFrom::Header(_) => self.header.clone().map(|header| header as _),
            TokenFrom::Login => self.login.clone(),
        };
        source.ok_or_else(|| Error::internal("the source of tokens was not made"))
    }
}
