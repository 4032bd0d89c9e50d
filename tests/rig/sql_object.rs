//! A class that runs whatever SQL a request brings, and a way to write a whole database down,
//! whoever keeps it.

use dotdo_core::{
    Context, DurableObject, Engine, Error, ObjectId, Request, Response, Result, Value, json,
};
use serde_json::{Value as Json, json as to_json};

/// Runs the SQL of requests.
///
/// The body of `POST /` is a list of statements, each `[sql, parameter, …]`; the answer is a list
/// of `{"rows": [[…]]}`. With the path `/lenient` a statement that fails is answered with
/// `{"error": sentence, "code": code}`, and the next one runs; otherwise the request fails. `GET
/// /dump` gives [`dump`]'s lines. Values are null, `{"integer": digits}`, `{"real": its bits in
/// hex}`, `{"text": text}`, `{"text_hex": digits}` and `{"blob": digits}`.
#[derive(Debug, Clone, Copy)]
pub struct SqlObject;

impl DurableObject for SqlObject {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let path = request.uri().path().to_owned();
        if path == "/dump" {
            return json(&dump(ctx));
        }
        let statements: Vec<Vec<Json>> = request.into_body().json().await?;
        let mut answers = Vec::new();
        for statement in &statements {
            match run(ctx, statement) {
                Ok(rows) => answers.push(to_json!({ "rows": rows })),
                Err(error) if path == "/lenient" => {
                    answers.push(to_json!({ "error": error.message(), "code": error.code() }))
                }
                Err(error) => return Err(error),
            }
        }
        json(&answers)
    }
}

fn run(ctx: &mut Context, statement: &[Json]) -> Result<Vec<Vec<Json>>> {
    let Some((Json::String(sql), params)) = statement.split_first() else {
        return Err(Error::invalid("a statement begins with its SQL"));
    };
    let params = params
        .iter()
        .map(|param| decode(param).ok_or_else(|| Error::invalid(format!("{param} is no value"))));
    let rows = ctx.sql().exec(sql, params.collect::<Result<Vec<Value>>>()?)?.values()?;
    Ok(rows.iter().map(|row| row.iter().map(encode).collect()).collect())
}

/// A value as JSON, exactly.
pub fn encode(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(value) => to_json!({ "integer": value.to_string() }),
        Value::Real(value) => to_json!({ "real": format!("{:016x}", value.to_bits()) }),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => to_json!({ "text": text }),
            Err(_) => to_json!({ "text_hex": hex(bytes) }),
        },
        Value::Blob(bytes) => to_json!({ "blob": hex(bytes) }),
    }
}

/// The inverse of [`encode`].
pub fn decode(json: &Json) -> Option<Value> {
    if json.is_null() {
        return Some(Value::Null);
    }
    let (class, text) = json.as_object()?.iter().next()?;
    let text = text.as_str()?;
    Some(match class.as_str() {
        "integer" => Value::Integer(text.parse().ok()?),
        "real" => Value::Real(f64::from_bits(u64::from_str_radix(text, 16).ok()?)),
        "text" => Value::Text(text.as_bytes().to_vec()),
        "text_hex" => Value::Text(bytes(text)?),
        "blob" => Value::Blob(bytes(text)?),
        _ => return None,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

/// A database that can be asked.
pub trait Database {
    /// The columns' names and the rows of a query.
    ///
    /// # Errors
    ///
    /// What SQLite says.
    fn query(&mut self, sql: &str) -> Result<(Vec<String>, Vec<Vec<Value>>), String>;
}

impl Database for Context {
    fn query(&mut self, sql: &str) -> Result<(Vec<String>, Vec<Vec<Value>>), String> {
        let mut cursor = self.sql().exec(sql, ()).map_err(|error| error.to_string())?;
        let columns = cursor.column_names().to_vec();
        Ok((columns, cursor.values().map_err(|error| error.to_string())?))
    }
}

impl Database for rusqlite::Connection {
    fn query(&mut self, sql: &str) -> Result<(Vec<String>, Vec<Vec<Value>>), String> {
        let text = |error: rusqlite::Error| error.to_string();
        let mut statement = self.prepare(sql).map_err(text)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query(()).map_err(text)?;
        let mut values = Vec::new();
        while let Some(row) = rows.next().map_err(text)? {
            values.push(
                (0..columns.len())
                    .map(|index| row.get_ref(index).map(own).map_err(text))
                    .collect::<Result<_, _>>()?,
            );
        }
        Ok((columns, values))
    }
}

/// A value of rusqlite's.
pub fn own(value: rusqlite::types::ValueRef<'_>) -> Value {
    match value {
        rusqlite::types::ValueRef::Null => Value::Null,
        rusqlite::types::ValueRef::Integer(value) => Value::Integer(value),
        rusqlite::types::ValueRef::Real(value) => Value::Real(value),
        rusqlite::types::ValueRef::Text(bytes) => Value::Text(bytes.to_vec()),
        rusqlite::types::ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

/// Everything in a database as lines: the numbers in its header, the schema in its order, every row
/// with its rowid, storage classes and bits, what views show, and whether SQLite finds it sound.
pub fn dump(database: &mut dyn Database) -> Vec<String> {
    let mut lines = Vec::new();
    for pragma in ["PRAGMA user_version", "PRAGMA application_id", "PRAGMA integrity_check"] {
        add(&mut lines, database, pragma, pragma, Order::AsItIs);
    }
    let schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema";
    add(&mut lines, database, "schema", schema, Order::AsItIs);
    for (kind, name) in names(database) {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        match kind.as_str() {
            // The rowids of counters mean nothing.
            "table" if name == "sqlite_sequence" => add(
                &mut lines,
                database,
                &name,
                "SELECT name, seq FROM sqlite_sequence",
                Order::Sorted,
            ),
            "table" => add_table(&mut lines, database, &name, &quoted),
            "view" => {
                add(&mut lines, database, &name, &format!("SELECT * FROM {quoted}"), Order::Sorted)
            }
            _ => {}
        }
    }
    lines
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsItIs,
    Sorted,
}

fn names(database: &mut dyn Database) -> Vec<(String, String)> {
    let text = |value: &Value| match value {
        Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    };
    let rows = database
        .query("SELECT type, name FROM sqlite_schema ORDER BY name")
        .map(|(_, rows)| rows)
        .unwrap_or_default();
    rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
}

fn add_table(lines: &mut Vec<String>, database: &mut dyn Database, name: &str, quoted: &str) {
    let columns = database
        .query(&format!("SELECT * FROM {quoted} LIMIT 0"))
        .map(|(columns, _)| columns)
        .unwrap_or_default();
    let is_free = |alias: &&str| !columns.iter().any(|column| column.eq_ignore_ascii_case(alias));
    let alias = ["rowid", "_rowid_", "oid"].into_iter().find(is_free);
    let with_rowid = alias.map(|alias| format!("SELECT {alias}, * FROM {quoted}"));
    let query = with_rowid.filter(|query| database.query(&format!("{query} LIMIT 0")).is_ok());
    let query = query.unwrap_or_else(|| format!("SELECT * FROM {quoted}"));
    add(lines, database, name, &query, Order::Sorted);
}

fn add(lines: &mut Vec<String>, database: &mut dyn Database, title: &str, sql: &str, order: Order) {
    match database.query(sql) {
        Ok((columns, rows)) => {
            lines.push(format!("# {title}: {}", columns.join(", ")));
            let from = lines.len();
            lines.extend(
                rows.iter().map(|row| row.iter().map(line).collect::<Vec<_>>().join(" | ")),
            );
            if order == Order::Sorted {
                lines[from..].sort();
            }
        }
        // A view may be broken; then it is broken in the same way everywhere.
        Err(_) => lines.push(format!("# {title}: can't be read")),
    }
}

fn line(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(value) => format!("integer {value}"),
        Value::Real(value) => format!("real {value:?}"),
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("text {text:?}"),
            Err(_) => format!("text of bytes {}", hex(bytes)),
        },
        Value::Blob(bytes) => format!("blob {}", hex(bytes)),
    }
}

/// What differs between two dumps, for people; `None` when nothing does.
pub fn difference(expected: &[String], found: &[String]) -> Option<String> {
    if expected == found {
        return None;
    }
    let at = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
    let title =
        expected[..at].iter().rev().find(|line| line.starts_with('#')).map_or("", String::as_str);
    let side = |lines: &[String]| {
        lines
            .iter()
            .skip(at)
            .take(3)
            .map(|line| line.chars().take(300).collect::<String>())
            .collect::<Vec<_>>()
    };
    Some(format!(
        "in {title:?}, line {at}\n  expected {:#?}\n  found {:#?}",
        side(expected),
        side(found)
    ))
}

/// Sends statements to an object of an engine; each is answered as [`SqlObject`] says.
///
/// # Errors
///
/// What the engine fails with.
pub async fn ask(
    engine: &Engine,
    object: &ObjectId,
    path: &str,
    statements: &Json,
) -> Result<Json> {
    let mut request = Request::new(statements.to_string().into());
    *request.uri_mut() = path.parse().map_err(|_| Error::invalid("the path is one"))?;
    *request.method_mut() = http::Method::POST;
    engine.fetch(object, None, request).await?.into_body().json().await
}

/// The dump of an object, at present or as it was.
///
/// # Errors
///
/// What the engine fails with.
pub async fn dump_of(
    engine: &Engine,
    object: &ObjectId,
    at: Option<dotdo_core::At>,
) -> Result<Vec<String>> {
    let mut request = Request::new(dotdo_core::Body::empty());
    *request.uri_mut() = http::Uri::from_static("/dump");
    engine.fetch(object, at, request).await?.into_body().json().await
}
