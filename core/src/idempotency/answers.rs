//! Stored responses of requests that may be retried, in a table of the object's own database: a
//! response and the request's changes are committed together or not at all. A request may be
//! retried by a client with an idempotency key, or by a server that forwarded it and got no
//! response.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use uuid::Uuid;

use crate::change::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::idempotency::key::idempotency_key;
use crate::object::table::{bytes, exists, headers, integer, lines, malformed};
use crate::object::{Caller, Response, Sql};
use crate::planted::{Bug, planted};
use crate::sqlite::Database;

const TABLE: &str = "_dotdo_requests";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _dotdo_requests (
        key TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
        time_ms INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS _dotdo_requests_time ON _dotdo_requests (time_ms)";

/// Maximum number of expired entries that a request deletes.
const EXPIRED_AT_ONCE: u32 = 16;

/// The header of a response that was stored and is sent again: the request with the same
/// [`IDEMPOTENCY_KEY_HEADER`](crate::IDEMPOTENCY_KEY_HEADER) was not executed again.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::Body;
/// use dotdo::engine::{IDEMPOTENCY_KEY_HEADER, IDEMPOTENCY_REPLAYED_HEADER};
/// use dotdo::http::Request;
///
/// let order =
///     || Request::post("/").header(IDEMPOTENCY_KEY_HEADER, "k1").body(Body::from("bread"));
/// let first = engine.fetch(&object, None, order()?).await?;
/// assert!(!first.headers().contains_key(IDEMPOTENCY_REPLAYED_HEADER));
/// let second = engine.fetch(&object, None, order()?).await?;
/// assert!(second.headers().contains_key(IDEMPOTENCY_REPLAYED_HEADER));
/// # Ok(())
/// # });
/// ```
pub const IDEMPOTENCY_REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The status of an entry without a stored response.
const NOT_KEPT: u16 = 0;

/// The status of an entry whose handler has left its turn, until its response is known.
const BEGUN: u16 = 1;

/// Response headers that are not stored, because session secrets do not belong into a bucket.
const NOT_STORED: [HeaderName; 2] =
    [header::SET_COOKIE, HeaderName::from_static("authentication-info")];

/// Headers by which a class may identify its callers.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Identifies a request: its key, and a hash of its content. It is part of the request's
/// extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyed {
    /// The caller's identity, and the key.
    key: String,
    fingerprint: [u8; 32],
    is_attempt: bool,
}

/// A response with a complete body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Bytes,
}

impl Keyed {
    /// The key of a request, when it has one.
    ///
    /// # Errors
    ///
    /// `Invalid` when the key is invalid.
    pub(crate) fn key_of(head: &request::Parts) -> Result<Option<String>> {
        idempotency_key(&head.headers)
    }

    /// The identification of a request with this `key`: a hash of its caller, method, path, query,
    /// body, the headers that say how to read the body, and those by which a class may identify
    /// callers.
    pub(crate) fn new(key: &str, head: &request::Parts, body: &Bytes) -> Self {
        let identity = head.extensions.get::<Caller>().and_then(Caller::identity);
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(head.method.as_str().as_bytes());
        part(head.uri.path_and_query().map_or("/", |path| path.as_str()).as_bytes());
        for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
            part(head.headers.get(name).map_or(b"".as_slice(), HeaderValue::as_bytes));
        }
        // The token of an authenticated caller may be rotated.
        let verified = identity.is_some();
        for name in [header::COOKIE, API_KEY, header::AUTHORIZATION].into_iter().take(if verified {
            2
        } else {
            3
        }) {
            head.headers.get_all(name).iter().for_each(|value| part(value.as_bytes()));
            part(b"");
        }
        part(body);
        let caller = identity
            .filter(|_| !planted(Bug::KeyOfAnybody))
            .map_or_else(|| "-".to_owned(), |identity| identity.to_hex()[..32].to_owned());
        Self {
            key: format!("{caller}/{key}"),
            fingerprint: *hasher.finalize().as_bytes(),
            is_attempt: false,
        }
    }

    /// The identification of a request with an attempt number, which only servers know.
    pub(crate) fn attempt(number: Uuid) -> Self {
        Self { key: format!("!/{}", number.simple()), fingerprint: [0; 32], is_attempt: true }
    }

    /// Whether a server has numbered it; the client gave no key.
    pub(crate) fn is_attempt(&self) -> bool {
        self.is_attempt
    }
}

/// The stored response to a request that was made at `since_ms` or later.
///
/// # Errors
///
/// `KeyReused` when the key was used for another request; `Unknown` when it was executed and its
/// response was not stored (code `RESPONSE_LOST`), or its handler has left its turn and there is no
/// response yet (code `REQUEST_BEGUN`).
pub(crate) fn recall_answer(
    database: &mut Database,
    keyed: &Keyed,
    since_ms: i64,
) -> Result<Option<Response>> {
    if !exists(database, TABLE)? {
        return Ok(None);
    }
    let query = "SELECT fingerprint, status, headers, body FROM _dotdo_requests WHERE key = ? AND time_ms >= ?";
    let mut rows = Sql::own(database).exec(query, (&keyed.key, since_ms))?.values()?;
    let Some(row) = rows.pop() else { return Ok(None) };
    let [fingerprint, status, lines, body]: [Value; 4] =
        row.try_into().map_err(|_| malformed("it has too many columns"))?;
    if bytes(fingerprint)? != keyed.fingerprint {
        let text =
            "the Idempotency-Key was used for another request; use a new key for a new request";
        return Err(Error::new(ErrorKind::KeyReused, text));
    }
    if integer(&status)? == i64::from(BEGUN) {
        let text = "this request was begun and its first changes are stored, but its response is not known: ask again later, or look at the object";
        return Err(Error::new(ErrorKind::Unknown, text).with_code("REQUEST_BEGUN"));
    }
    if integer(&status)? == i64::from(NOT_KEPT) {
        let text = "this request was executed, but its response was lost; its changes are stored";
        return Err(Error::new(ErrorKind::Unknown, text).with_code("RESPONSE_LOST"));
    }
    let mut response = Response::new(bytes(body)?.into());
    let status =
        u16::try_from(integer(&status)?).ok().and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.ok_or_else(|| malformed("expected a status"))?;
    *response.headers_mut() = headers(&bytes(lines)?)?;
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED_HEADER, HeaderValue::from_static("true"));
    Ok(Some(response))
}

/// How much is known of a request that was executed.
#[derive(Clone, Copy)]
pub(crate) enum Kept<'a> {
    /// Its response.
    Answer(&'a Answer),
    /// That there was a response.
    Executed,
    /// That its handler has left its turn.
    Begun,
}

/// The outcome of a request that is stored.
pub(crate) struct Entry<'a> {
    pub(crate) keyed: &'a Keyed,
    pub(crate) kept: Kept<'a>,
    /// The date of the entry; it is kept from then on.
    pub(crate) time_ms: i64,
}

/// Stores the outcome of a request, and deletes some entries from before `since_ms`.
///
/// # Errors
///
/// Errors of the database; `Full` when the object has no space for the response.
pub(crate) fn keep_answer(
    database: &mut Database,
    Entry { keyed, kept, time_ms }: Entry<'_>,
    since_ms: i64,
) -> Result<()> {
    Sql::own(database).exec(CREATE, ())?;
    let expire = "DELETE FROM _dotdo_requests
        WHERE rowid IN (SELECT rowid FROM _dotdo_requests WHERE time_ms < ? ORDER BY time_ms LIMIT ?)";
    Sql::own(database).exec(expire, (since_ms, EXPIRED_AT_ONCE))?;
    // An entry under this key is from before `since_ms`, or says that the request was begun; `recall`
    // would have found any other.
    let insert = "INSERT OR REPLACE INTO _dotdo_requests (key, fingerprint, status, headers, body, time_ms) VALUES (?, ?, ?, ?, ?, ?)";
    let (status, headers, body) = match kept {
        Kept::Answer(Answer { head, body }) => {
            (head.status.as_u16(), stored(&head.headers), body.clone())
        }
        Kept::Executed => (NOT_KEPT, HeaderMap::new(), Bytes::new()),
        Kept::Begun => (BEGUN, HeaderMap::new(), Bytes::new()),
    };
    Sql::own(database).exec(
        insert,
        (&keyed.key, keyed.fingerprint.as_slice(), status, lines(&headers), body, time_ms),
    )?;
    Ok(())
}

/// The headers that are stored.
fn stored(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in NOT_STORED {
        headers.remove(name);
    }
    headers
}
