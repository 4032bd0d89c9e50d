//! Messages between objects: the outbox in the sender's database, the inbox in the receiver's.
//!
//! A message has a number that its sender never reuses. Messages to one receiver are delivered in
//! the order of their numbers, and the receiver stores the highest number of each sender in the
//! transaction that accepts the message. So duplicates are detected forever, at the cost of one row
//! per sender.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;

use crate::change::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::object::table::{bytes, exists, headers, integer, lines, malformed};
use crate::object::{Request, Response, Sql};
use crate::sqlite::{Database, Mode};

const OUTBOX: &str = "_dotdo_outbox";
const CREATE_OUTBOX: &str = "CREATE TABLE IF NOT EXISTS _dotdo_outbox (
        number INTEGER PRIMARY KEY AUTOINCREMENT, to_class TEXT NOT NULL, to_id TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
        headers TEXT NOT NULL, body BLOB NOT NULL, time_ms INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, error TEXT
    );
    CREATE INDEX IF NOT EXISTS _dotdo_outbox_to ON _dotdo_outbox (to_class, to_id)";

const INBOX: &str = "_dotdo_inbox";
const CREATE_INBOX: &str = "CREATE TABLE IF NOT EXISTS _dotdo_inbox (
        from_class TEXT NOT NULL, from_id TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (from_class, from_id)
    ) WITHOUT ROWID";

/// Maximum number of messages to one receiver that are read from the outbox at once, and their
/// approximate size in bytes.
const TAKEN_AT_ONCE: usize = 16;
const TAKEN_BYTES: usize = MESSAGE_BYTES_MAX;

/// Maximum length of an error message in the outbox.
const ERROR_CHARS_MAX: usize = 300;

/// Numbers begin at the microseconds of 1970 and stay below this: no clock may use them up.
const NUMBER_BY_CLOCK_MAX: i64 = 1 << 60;

/// Marks a request as the delivery of a message. It is part of the request's extensions, which
/// clients can't set; a server that forwards a delivery must authenticate itself.
///
/// An implementation of [`Peers`](crate::Peers) sends it along
/// ([`RequestContext`](crate::RequestContext)). Handlers read the sender by
/// [`Context::sender`](crate::Context::sender).
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{Delivery, RequestContext, Tenant};
///
/// // What a server that forwards a message says of it.
/// let sender = Tenant::local().object("Account", "ada")?;
/// let delivery = Some(Delivery { sender, number: 7 });
/// let context = RequestContext { delivery, ..RequestContext::default() };
/// assert_eq!(context.caller, None, "a message has a sender, and no caller");
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The object that sent the message.
    pub sender: ObjectId,
    /// The message's number: higher than that of every message before from the same sender.
    pub number: u64,
}

/// A message in the outbox.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) number: i64,
    pub(crate) receiver: ObjectId,
    pub(crate) attempts: i64,
    method: String,
    path: String,
    headers: Vec<u8>,
    body: Vec<u8>,
}

/// The outcome of deliveries.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeliveryResults {
    /// Delivered messages.
    pub(crate) delivered: Vec<i64>,
    /// Messages to retry, with the error.
    pub(crate) failed: Vec<(i64, String)>,
}

/// Puts a message into the outbox.
///
/// # Errors
///
/// `TooLarge` beyond the limit of a message; `Invalid` when its body is a stream; errors of the
/// database.
pub(crate) fn post_message(
    database: &mut Database,
    receiver: &ObjectId,
    request: Request,
    now_ms: i64,
) -> Result<()> {
    let (head, body) = request.into_parts();
    let body = body.whole().ok_or_else(|| {
        Error::invalid("expected a message with a complete body, got a stream; read the body first")
            .with_code("MESSAGE_STREAM")
    })?;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let lines = lines(&head.headers);
    let size = body.len() + path.len() + bytes(lines.clone())?.len();
    if size > MESSAGE_BYTES_MAX {
        let text = format!(
            "expected a message of at most {MESSAGE_BYTES_MAX} bytes, got {size}; send a reference and keep the data"
        );
        return Err(Error::new(ErrorKind::TooLarge, text).with_code("MESSAGE_TOO_LARGE"));
    }
    Sql::own(database).exec(CREATE_OUTBOX, ())?;
    let insert = "INSERT INTO _dotdo_outbox (number, to_class, to_id, method, path, headers, body, time_ms) VALUES (
            max(?, 1 + coalesce((SELECT seq FROM sqlite_sequence WHERE name = '_dotdo_outbox'), 0)), ?, ?, ?, ?, ?, ?, ?)";
    let by_clock = now_ms.saturating_mul(1000).clamp(1, NUMBER_BY_CLOCK_MAX);
    let params = (
        by_clock,
        receiver.class(),
        receiver.id(),
        head.method.as_str(),
        path,
        lines,
        body,
        now_ms,
    );
    Sql::own(database).exec(insert, params)?;
    Ok(())
}

/// Whether there is a message in the outbox. Called outside of a transaction.
pub(crate) fn is_waiting(database: &mut Database) -> Result<bool> {
    database.begin(Mode::ReadOnly)?;
    let count = |database: &mut Database| {
        Sql::own(database)
            .exec("SELECT count(*) FROM (SELECT 1 FROM _dotdo_outbox LIMIT 1)", ())?
            .one()
    };
    let waiting =
        exists(database, OUTBOX).and_then(|known| if known { count(database) } else { Ok(0_i64) });
    database.rollback();
    Ok(waiting? > 0)
}

/// Number of messages that are read together to find receivers.
const LOOKED_AT_ONCE: usize = 256;

/// Receivers of messages, as found so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReceiverPage {
    /// In the order of their first messages.
    pub(crate) found: Vec<ObjectId>,
    /// The last message that was read for this.
    pub(crate) seen_to: i64,
    /// There are no more messages.
    pub(crate) is_over: bool,
}

/// Finds the receivers, objects of the sender's `tenant`, of messages after number `seen_to`. Each
/// message is read once, because numbers only increase.
pub(crate) fn next_receivers(
    database: &mut Database,
    tenant: &Tenant,
    seen_to: i64,
) -> Result<ReceiverPage> {
    if !exists(database, OUTBOX)? {
        return Ok(ReceiverPage { found: Vec::new(), seen_to, is_over: true });
    }
    let query = "SELECT number, to_class, to_id FROM _dotdo_outbox WHERE number > ? ORDER BY number LIMIT ?";
    let rows: Vec<(i64, String, String)> =
        Sql::own(database).exec(query, (seen_to, LOOKED_AT_ONCE))?.rows()?;
    let mut receivers =
        ReceiverPage { found: Vec::new(), seen_to, is_over: rows.len() < LOOKED_AT_ONCE };
    let mut seen = BTreeSet::new();
    for (number, class, id) in rows {
        let receiver = tenant.object(&class, &id)?;
        receivers.seen_to = number;
        if seen.insert(receiver.clone()) {
            receivers.found.push(receiver);
        }
    }
    Ok(receivers)
}

/// The next messages to `receiver`, in order.
pub(crate) fn next_messages(database: &mut Database, receiver: &ObjectId) -> Result<Vec<Message>> {
    let mut messages = Vec::new();
    if exists(database, OUTBOX)? {
        collect_for(database, receiver, &mut messages)?;
    }
    Ok(messages)
}

/// The next messages to one receiver.
fn collect_for(
    database: &mut Database,
    receiver: &ObjectId,
    messages: &mut Vec<Message>,
) -> Result<()> {
    let query = "SELECT number, attempts, method, path, headers, body FROM _dotdo_outbox WHERE to_class = ? AND to_id = ?
        ORDER BY number LIMIT ?";
    let rows = Sql::own(database)
        .exec(query, (receiver.class(), receiver.id(), TAKEN_AT_ONCE))?
        .values()?;
    let mut size = 0;
    for row in rows {
        let [number, attempts, method, path, headers, body]: [Value; 6] =
            row.try_into().map_err(|_| malformed("it has too many columns"))?;
        let text =
            |value| String::from_utf8(bytes(value)?).map_err(|_| malformed("a text is not UTF-8"));
        let message = Message {
            number: integer(&number)?,
            receiver: receiver.clone(),
            attempts: integer(&attempts)?,
            method: text(method)?,
            path: text(path)?,
            headers: bytes(headers)?,
            body: bytes(body)?,
        };
        size += message.body.len();
        messages.push(message);
        if size > TAKEN_BYTES {
            break;
        }
    }
    Ok(())
}

/// Deletes delivered messages, and records failures.
pub(crate) fn note_outcomes(database: &mut Database, results: &DeliveryResults) -> Result<()> {
    if !exists(database, OUTBOX)? {
        return Ok(());
    }
    for number in &results.delivered {
        Sql::own(database).exec("DELETE FROM _dotdo_outbox WHERE number = ?", (*number,))?;
    }
    for (number, error) in &results.failed {
        let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
        Sql::own(database).exec(
            "UPDATE _dotdo_outbox SET attempts = attempts + 1, error = ? WHERE number = ?",
            (error, *number),
        )?;
    }
    Ok(())
}

/// Records a received message; `false` if it is a duplicate.
pub(crate) fn take_message(database: &mut Database, delivery: &Delivery) -> Result<bool> {
    let (class, id) = (delivery.sender.class(), delivery.sender.id());
    let number =
        i64::try_from(delivery.number).map_err(|_| Error::invalid("no message has this number"))?;
    let query = "SELECT number FROM _dotdo_inbox WHERE from_class = ? AND from_id = ?";
    let last: Option<i64> = if exists(database, INBOX)? {
        Sql::own(database).exec(query, (class, id))?.first()?
    } else {
        None
    };
    if last.is_some_and(|last| number <= last) {
        return Ok(false);
    }
    Sql::own(database).exec(CREATE_INBOX, ())?;
    let upsert = "INSERT INTO _dotdo_inbox VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET number = excluded.number";
    Sql::own(database).exec(upsert, (class, id, number))?;
    Ok(true)
}

/// The response to a duplicate message.
pub(crate) fn taken_before() -> Response {
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = http::StatusCode::ALREADY_REPORTED;
    response
}

impl Message {
    /// The request that delivers this message from `sender`.
    pub(crate) fn request(&self, sender: &ObjectId) -> Result<Request> {
        let number = u64::try_from(self.number).map_err(|_| malformed("a number is negative"))?;
        let method = Method::from_bytes(self.method.as_bytes())
            .map_err(|_| malformed("expected a method"))?;
        let mut request = http::Request::builder()
            .method(method)
            .uri(&self.path)
            .body(Bytes::from(self.body.clone()).into())?;
        *request.headers_mut() = headers(&self.headers)?;
        request.extensions_mut().insert(Delivery { sender: sender.clone(), number });
        Ok(request)
    }
}
