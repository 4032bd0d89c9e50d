//! The sockets of an object, and its automatic response, as rows of its database.
//!
//! They belong to the connections of today, so they are history and not state: a state that is
//! restored, copied or exported has none, and the object keeps those that it has.

use uuid::Uuid;

use crate::change::Value;
use crate::error::Result;
use crate::object::Sql;
use crate::object::table::{bytes, exists, integer, malformed};
use crate::sockets::event::Place;
use crate::sqlite::{Database, Mode};

/// The table of the sockets.
pub(crate) const SOCKETS: &str = "_dotdo_sockets";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _dotdo_sockets (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, instance TEXT NOT NULL, address TEXT, tags TEXT NOT NULL, attachment TEXT, closing INTEGER NOT NULL, accepted_ms INTEGER NOT NULL)";

/// The table of the automatic response.
pub(crate) const SOCKET_ANSWER: &str = "_dotdo_socket_answer";
const CREATE_ANSWER: &str = "CREATE TABLE IF NOT EXISTS _dotdo_socket_answer (number INTEGER PRIMARY KEY CHECK (number = 1), request TEXT NOT NULL, response TEXT NOT NULL)";

const COLUMNS: &str = "id, instance, address, tags, attachment, closing, accepted_ms";

/// A socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) tags: Vec<String>,
    /// JSON.
    pub(crate) attachment: Option<String>,
    /// Whether the object has closed it, and its end has not come yet.
    pub(crate) closing: bool,
}

/// Adds a socket. Returns how many there are.
///
/// A platform may bring the handshake of one connection twice, so the former row goes.
///
/// # Errors
///
/// Errors of the database.
pub(crate) fn insert(database: &mut Database, row: &Row) -> Result<u64> {
    Sql::own(database).exec(CREATE, ())?;
    if row.place.held_at().is_some() {
        remove(database, row.place.socket)?;
    }
    let tags = serde_json::to_string(&row.tags).expect("texts can be written as JSON");
    let insert = "INSERT INTO _dotdo_sockets (id, instance, address, tags, attachment, closing, accepted_ms) VALUES (?, ?, ?, ?, ?, 0, ?)";
    let (id, instance) = (row.place.socket.to_string(), row.place.instance.to_string());
    let (address, attachment) = (row.place.address.as_deref(), row.attachment.as_deref());
    let accepted_ms = row.place.accepted_ms;
    Sql::own(database).exec(insert, (id, instance, address, tags, attachment, accepted_ms))?;
    Sql::own(database).exec("SELECT count(*) FROM _dotdo_sockets", ())?.one()
}

/// The sockets with `tag`, or all, the newest first.
///
/// # Errors
///
/// Errors of the database; of a row that dotdo has not written.
pub(crate) fn list(database: &mut Database, tag: Option<&str>) -> Result<Vec<Row>> {
    if !exists(database, SOCKETS)? {
        return Ok(Vec::new());
    }
    let query = format!("SELECT {COLUMNS} FROM _dotdo_sockets ORDER BY number DESC");
    let rows = Sql::own(database).exec(&query, ())?.values()?;
    let rows = rows.into_iter().map(parse).collect::<Result<Vec<_>>>()?;
    let has_tag = |row: &Row| tag.is_none_or(|tag| row.tags.iter().any(|known| known == tag));
    Ok(rows.into_iter().filter(has_tag).collect())
}

/// Where the connections of the sockets are, by a transaction of its own.
///
/// # Errors
///
/// Those of [`list`].
pub(crate) fn places(database: &mut Database) -> Result<Vec<Place>> {
    database.begin(Mode::ReadOnly)?;
    let rows = list(database, None);
    database.rollback();
    Ok(rows?.into_iter().map(|row| row.place).collect())
}

/// The socket with this id.
///
/// # Errors
///
/// Those of [`list`].
pub(crate) fn find(database: &mut Database, socket: Uuid) -> Result<Option<Row>> {
    if !exists(database, SOCKETS)? {
        return Ok(None);
    }
    let query = format!("SELECT {COLUMNS} FROM _dotdo_sockets WHERE id = ?");
    let rows = Sql::own(database).exec(&query, (socket.to_string(),))?.values()?;
    rows.into_iter().next().map(parse).transpose()
}

/// Removes a socket.
///
/// # Errors
///
/// Errors of the database.
pub(crate) fn remove(database: &mut Database, socket: Uuid) -> Result<()> {
    let delete = "DELETE FROM _dotdo_sockets WHERE id = ?";
    Sql::own(database).exec(delete, (socket.to_string(),)).map(drop)
}

/// Notes that the object has closed a socket.
///
/// # Errors
///
/// Errors of the database.
pub(crate) fn set_closing(database: &mut Database, socket: Uuid) -> Result<()> {
    let update = "UPDATE _dotdo_sockets SET closing = 1 WHERE id = ?";
    Sql::own(database).exec(update, (socket.to_string(),)).map(drop)
}

/// Replaces the attachment of a socket, which is JSON.
///
/// # Errors
///
/// Errors of the database.
pub(crate) fn set_attachment(database: &mut Database, socket: Uuid, json: &str) -> Result<()> {
    let update = "UPDATE _dotdo_sockets SET attachment = ? WHERE id = ?";
    Sql::own(database).exec(update, (json, socket.to_string())).map(drop)
}

/// The text that is answered automatically, and its answer.
///
/// # Errors
///
/// Errors of the database; of a row that dotdo has not written.
pub(crate) fn auto_response_of(database: &mut Database) -> Result<Option<(String, String)>> {
    if !exists(database, SOCKET_ANSWER)? {
        return Ok(None);
    }
    let query = "SELECT request, response FROM _dotdo_socket_answer";
    let rows = Sql::own(database).exec(query, ())?.values()?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let [request, response]: [Value; 2] =
        row.try_into().map_err(|_| malformed("it has too many columns"))?;
    Ok(Some((text(request)?, text(response)?)))
}

/// Replaces the text that is answered automatically.
///
/// # Errors
///
/// Errors of the database.
pub(crate) fn set_auto_response(database: &mut Database, pair: Option<(&str, &str)>) -> Result<()> {
    let Some((request, response)) = pair else {
        if exists(database, SOCKET_ANSWER)? {
            Sql::own(database).exec("DELETE FROM _dotdo_socket_answer", ())?;
        }
        return Ok(());
    };
    Sql::own(database).exec(CREATE_ANSWER, ())?;
    let upsert = "INSERT INTO _dotdo_socket_answer (number, request, response) VALUES (1, ?1, ?2) ON CONFLICT (number) DO UPDATE SET request = ?1, response = ?2";
    Sql::own(database).exec(upsert, (request, response)).map(drop)
}

fn parse(row: Vec<Value>) -> Result<Row> {
    let [id, instance, address, tags, attachment, closing, accepted_ms]: [Value; 7] =
        row.try_into().map_err(|_| malformed("it has too many columns"))?;
    let tags = serde_json::from_str(&text(tags)?);
    let (socket, instance) = (uuid(id)?, uuid(instance)?);
    let (address, accepted_ms) = (optional(address)?, integer(&accepted_ms)?);
    Ok(Row {
        place: Place { socket, instance, address, accepted_ms },
        tags: tags.map_err(|_| malformed("the tags of a socket are not JSON"))?,
        attachment: optional(attachment)?,
        closing: integer(&closing)? != 0,
    })
}

fn text(value: Value) -> Result<String> {
    String::from_utf8(bytes(value)?).map_err(|_| malformed("a text is not UTF-8"))
}

fn optional(value: Value) -> Result<Option<String>> {
    if value == Value::Null { Ok(None) } else { text(value).map(Some) }
}

fn uuid(value: Value) -> Result<Uuid> {
    text(value)?.parse().map_err(|_| malformed("the id of a socket is not a UUID"))
}
