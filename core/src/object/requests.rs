//! The answers of requests with an idempotency key, in a table of the object's own database: an answer and what the request changed are
//! committed together or not at all.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header, request};

use crate::change::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::object::body::Response;
use crate::object::key::key;
use crate::object::sql::Sql;
use crate::object::table::{bytes, exists, headers, integer, lines, odd};
use crate::sqlite::Database;

const TABLE: &str = "_dotdo_requests";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _dotdo_requests (
        key TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
        time_ms INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS _dotdo_requests_time ON _dotdo_requests (time_ms)";

/// A request deletes at most this many entries whose time is over.
const EXPIRED_AT_ONCE: u32 = 16;

/// Says that an answer is the stored one.
pub const IDEMPOTENCY_REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What names a request for good: its key, and the hash of what it asks for. It travels in the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keyed {
    key: String,
    fingerprint: [u8; 32],
}

/// A response whose body is here to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Bytes,
}

impl Keyed {
    /// The key of a request, when it has one and its method is one that may change something.
    ///
    /// # Errors
    ///
    /// `Invalid` when what it has is no key.
    pub(crate) fn key_of(head: &request::Parts) -> Result<Option<String>> {
        if head.method.is_safe() { Ok(None) } else { key(&head.headers) }
    }

    /// The request with this `key`: its method, path, query, body, and how the body is to be read.
    pub(crate) fn new(key: String, head: &request::Parts, body: &Bytes) -> Self {
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
        part(body);
        Self { key, fingerprint: *hasher.finalize().as_bytes() }
    }
}

/// The stored answer to a request that was made at `since_ms` or later.
///
/// # Errors
///
/// `KeyReused` when the key stands for another request.
pub(crate) fn recall(database: &mut Database, keyed: &Keyed, since_ms: i64) -> Result<Option<Response>> {
    if !exists(database, TABLE)? {
        return Ok(None);
    }
    let query = "SELECT fingerprint, status, headers, body FROM _dotdo_requests WHERE key = ? AND time_ms >= ?";
    let mut rows = Sql::new(database).exec(query, (&keyed.key, since_ms))?.values()?;
    let Some(row) = rows.pop() else { return Ok(None) };
    let [fingerprint, status, lines, body]: [Value; 4] = row.try_into().map_err(|_| odd("it has too many columns"))?;
    if bytes(fingerprint)? != keyed.fingerprint {
        let text = "the Idempotency-Key stands for another request; take a new one for a new request";
        return Err(Error::new(ErrorKind::KeyReused, text));
    }
    let mut response = Response::new(bytes(body)?.into());
    let status = u16::try_from(integer(&status)?).ok().and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.ok_or_else(|| odd("a status is none"))?;
    *response.headers_mut() = headers(&bytes(lines)?)?;
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED_HEADER, HeaderValue::from_static("true"));
    Ok(Some(response))
}

/// Stores the answer to a request that was made at `now_ms`, and lets go of some entries from before `since_ms`.
///
/// # Errors
///
/// What the database fails with; `Full` when the object has no room for the answer.
pub(crate) fn keep(database: &mut Database, keyed: &Keyed, answer: &Answer, (now_ms, since_ms): (i64, i64)) -> Result<()> {
    Sql::new(database).exec(CREATE, ())?;
    let expire = "DELETE FROM _dotdo_requests
        WHERE rowid IN (SELECT rowid FROM _dotdo_requests WHERE time_ms < ? ORDER BY time_ms LIMIT ?)";
    Sql::new(database).exec(expire, (since_ms, EXPIRED_AT_ONCE))?;
    // An entry under this key is from before `since_ms`, or `recall` would have found it.
    let insert = "INSERT OR REPLACE INTO _dotdo_requests (key, fingerprint, status, headers, body, time_ms) VALUES (?, ?, ?, ?, ?, ?)";
    let status = answer.head.status.as_u16();
    let params = (&keyed.key, keyed.fingerprint.as_slice(), status, lines(&answer.head.headers), answer.body.clone(), now_ms);
    Sql::new(database).exec(insert, params)?;
    Ok(())
}
