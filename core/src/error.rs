//! The public error type. Its kind says what the caller can do next; the edge chooses the HTTP
//! status.

use std::fmt;
use std::time::Duration;

use crate::store::StoreError;

/// What the caller can do about an [`Error`].
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Error, ErrorKind};
///
/// /// Whether the same request may succeed later, and nothing of it was done.
/// fn may_be_retried(error: &Error) -> bool {
///     matches!(error.kind(), ErrorKind::Fenced | ErrorKind::Busy | ErrorKind::Unavailable)
/// }
///
/// assert!(may_be_retried(&Error::new(ErrorKind::Busy, "another server has the object")));
/// assert!(!may_be_retried(&Error::not_found("there is no such note")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is invalid: correct it.
    Invalid,
    /// The name does not exist.
    NotFound,
    /// What was named existed and will never exist again.
    Gone,
    /// The caller is not authenticated.
    Unauthenticated,
    /// The caller has no permission.
    Forbidden,
    /// The request conflicts with the current state, such as a name that is taken.
    Conflict,
    /// The condition that the request names does not hold: read the state before retrying.
    PreconditionFailed,
    /// The idempotency key was used for another request: use a new key.
    KeyReused,
    /// Another writer won. The request was rolled back and may be retried.
    Fenced,
    /// The input is larger than a limit.
    TooLarge,
    /// The client sent the body too slowly; nothing was done.
    TooSlow,
    /// Too many requests: wait before the next one.
    RateLimited,
    /// Another server owns the object, or this one is overloaded: retry later.
    Busy,
    /// The store can't be reached; nothing was written.
    Unavailable,
    /// The outcome is unknown: the write may or may not be in the log. Read before retrying.
    Unknown,
    /// The handler ran out of time; nothing was written.
    TimedOut,
    /// The object reached its size limit; nothing was written.
    Full,
    /// Stored bytes are missing or damaged. The message names the key.
    Corrupt,
    /// The store lacks a property that correctness depends on.
    StoreRefused,
    /// The handler failed or panicked; nothing was written.
    Handler,
    /// A bug in this program.
    Internal,
}

/// An error with a message for people, a stable code for programs, and optional details.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Error, ErrorKind};
///
/// let error = Error::conflict("the name is taken")
///     .with_code("NAME_TAKEN")
///     .with_details(serde_json::json!({ "name": "ada" }));
/// assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "NAME_TAKEN"));
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    details: Option<serde_json::Value>,
    /// The message for clients, in place of the message and the details.
    told: Option<&'static str>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// Whether the message or the details contain keys, the store or its address.
    tells_of_store: bool,
}

/// The result type of this crate.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, Error, Result};
///
/// fn title(ctx: &mut Context) -> Result<String> {
///     ctx.storage().get("title")?.ok_or_else(|| Error::not_found("there is no title"))
/// }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` with a message for people and the default code of the kind
    /// ([`Error::with_code`] changes it).
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let tells_of_store = matches!(kind, ErrorKind::Corrupt | ErrorKind::StoreRefused);
        let (code, message) = (kind.code(), message.into());
        Self(Box::new(Inner {
            kind,
            code,
            message,
            details: None,
            told: None,
            retry_after: None,
            source: None,
            tells_of_store,
        }))
    }

    /// An error for an invalid request: [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An error for a name that does not exist: [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// An error for a conflict with the current state: [`ErrorKind::Conflict`].
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// An error for damaged bytes under `key`: [`ErrorKind::Corrupt`].
    pub fn corrupt(key: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Corrupt, format!("{key}: {what}"))
            .with_details(serde_json::json!({ "key": key.to_string() }))
    }

    /// An error of a handler: [`ErrorKind::Handler`].
    pub fn handler(message: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Handler, message.to_string())
    }

    /// An error for a bug in this program: [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Sets the stable code (upper case, underscores).
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.code = code;
        self
    }

    /// Sets the message.
    #[must_use]
    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Sets details for programs; never secrets.
    #[must_use]
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Sets the time after which a retry makes sense.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Marks that the message or the details contain keys, the store or its address, which
    /// unauthenticated callers do not see.
    #[must_use]
    pub fn telling_of_store(mut self) -> Self {
        self.0.tells_of_store = true;
        self
    }

    /// Whether it contains keys, the store or its address.
    pub fn tells_of_store(&self) -> bool {
        self.0.tells_of_store
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Keeps the message and the details for the log and the object's class. A client gets the
    /// kind, the code and `told` instead, unless the class returns the error as
    /// [`Error::disclosed`].
    #[must_use]
    pub fn confidential(mut self, told: &'static str) -> Self {
        self.0.told = Some(told);
        self
    }

    /// Makes the error as confidential as another one whose message it repeats.
    #[must_use]
    pub(crate) fn confidential_like(mut self, repeated: &Self) -> Self {
        self.0.told = repeated.0.told;
        self
    }

    /// Allows clients to read the message and the details. SQLite's messages contain names of
    /// tables and columns and parts of statements; a class uses this to show them to its clients.
    #[must_use]
    pub fn disclosed(mut self) -> Self {
        self.0.told = None;
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The stable code, such as `FENCED`.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Details for programs, if there are any.
    pub fn details(&self) -> Option<&serde_json::Value> {
        self.0.details.as_ref()
    }

    /// The message for clients: the error's message, unless it is [`Error::confidential`].
    pub fn public_message(&self) -> &str {
        self.0.told.unwrap_or(&self.0.message)
    }

    /// The details for clients: none if the error is [`Error::confidential`].
    pub fn public_details(&self) -> Option<&serde_json::Value> {
        self.0.details.as_ref().filter(|_| self.0.told.is_none())
    }

    /// The time after which a retry makes sense, if known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl ErrorKind {
    /// The default code of the kind.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "BAD_REQUEST",
            Self::NotFound => "NOT_FOUND",
            Self::Gone => "GONE",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::Conflict => "CONFLICT",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::KeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::Fenced => "FENCED",
            Self::TooLarge => "TOO_LARGE",
            Self::TooSlow => "REQUEST_TOO_SLOW",
            Self::RateLimited => "RATE_LIMITED",
            Self::Busy => "BUSY",
            Self::Unavailable => "STORE_UNAVAILABLE",
            Self::Unknown => "OUTCOME_UNKNOWN",
            Self::TimedOut => "TIMED_OUT",
            Self::Full => "OBJECT_FULL",
            Self::Corrupt => "CORRUPT",
            Self::StoreRefused => "STORE_REFUSED",
            Self::Handler => "HANDLER_FAILED",
            Self::Internal => "INTERNAL",
        }
    }
}

impl Clone for Error {
    /// A copy for another waiter of the same failure; the cause becomes text.
    fn clone(&self) -> Self {
        Self(Box::new(Inner {
            kind: self.0.kind,
            code: self.0.code,
            message: self.0.message.clone(),
            details: self.0.details.clone(),
            told: self.0.told,
            retry_after: self.0.retry_after,
            source: self.0.source.as_ref().map(|cause| cause.to_string().into()),
            tells_of_store: self.0.tells_of_store,
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)?;
        match &self.0.source {
            Some(cause) => write!(f, " (cause: {cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|cause| cause.as_ref() as _)
    }
}

impl From<StoreError> for Error {
    fn from(cause: StoreError) -> Self {
        let error = Self::new(ErrorKind::Unavailable, cause.to_string())
            .with_retry_after(Duration::from_secs(1))
            .telling_of_store();
        match cause {
            StoreError::Refused { .. } => error.with_code("STORE_DENIED"),
            StoreError::Exists { .. } | StoreError::Unavailable { .. } => error,
            // Whatever it is, nobody of ours wrote it.
            StoreError::TooLarge { ref key, .. } => Self::corrupt(key, cause.to_string()),
        }
    }
}

impl From<serde_json::Error> for Error {
    /// JSON that a handler could not read or write.
    fn from(cause: serde_json::Error) -> Self {
        Self::invalid(format!("JSON: {cause}"))
    }
}

impl From<http::Error> for Error {
    /// A request or response that a handler could not build.
    fn from(cause: http::Error) -> Self {
        Self::handler(format!("HTTP: {cause}"))
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
