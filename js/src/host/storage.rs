//! Keys and values, SQL, and the alarm of the object whose event runs.

use std::rc::Rc;

use dotdo::sql::Value as SqlValue;
use dotdo::{Context, ListOptions};
use rquickjs::function::Function;
use rquickjs::{Array, ArrayBuffer, Ctx, Exception, IntoJs, Object, Result, Value};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::sqlite::worded;
use super::{Bridge, bytes_of, id};

pub(super) fn install<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    values(ctx, host, bridge)?;
    lists(ctx, host, bridge)?;
    alarm(ctx, host, bridge)?;
    sql(ctx, host, bridge)
}

/// The key of what an object's id was made of, for events that don't say it: those of alarms and of
/// WebSockets that outlive the value. Code does not see it in lists.
const NAME: &str = "_dotdo_name";

/// What the id of an object was made of, if it was kept.
///
/// # Errors
///
/// Those of [`dotdo::Storage::get`].
pub(crate) fn kept_name(ctx: &mut Context) -> dotdo::Result<Option<String>> {
    ctx.storage().get(NAME)
}

/// The parameters of a listing, as `runtime/storage.js` writes them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    start: Option<String>,
    start_after: Option<String>,
    end: Option<String>,
    #[serde(default)]
    prefix: String,
    reverse: bool,
    limit: Option<u32>,
}

impl From<Listed> for ListOptions {
    fn from(Listed { start, start_after, end, prefix, reverse, limit }: Listed) -> Self {
        Self { start, start_after, end, prefix, reverse, limit }
    }
}

fn values<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let has = bridge.clone();
    let get = move |ctx: Ctx<'js>, instance: f64, key: String| {
        has.with(&ctx, id(instance), move |ctx| {
            let text = ctx.storage().get::<Box<RawValue>>(&key)?;
            Ok(text.map(|text| text.get().to_owned()))
        })
    };
    host.set("kvGet", Function::new(ctx.clone(), get)?)?;
    let has = bridge.clone();
    let put = move |ctx: Ctx<'js>, instance: f64, key: String, text: String| {
        let value = RawValue::from_string(text)
            .map_err(|cause| Exception::throw_message(&ctx, &cause.to_string()))?;
        has.with(&ctx, id(instance), move |ctx| ctx.storage().put(&key, &value))
    };
    host.set("kvPut", Function::new(ctx.clone(), put)?)?;
    let has = bridge.clone();
    let delete = move |ctx: Ctx<'js>, instance: f64, key: String| {
        has.with(&ctx, id(instance), move |ctx| ctx.storage().delete(&key))
    };
    host.set("kvDelete", Function::new(ctx.clone(), delete)?)
}

fn lists<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let has = bridge.clone();
    let list = move |ctx: Ctx<'js>, instance: f64, options: String| {
        let options: Listed = serde_json::from_str(&options)
            .map_err(|cause| Exception::throw_type(&ctx, &cause.to_string()))?;
        has.with(&ctx, id(instance), move |ctx| {
            let limit = options.limit.map_or(usize::MAX, |limit| limit as usize);
            let one_more = options.limit.map(|limit| limit.saturating_add(1));
            let options = Listed { limit: one_more, ..options };
            let found = ctx.storage().list::<Box<RawValue>>(&options.into())?;
            let found = found.into_iter().filter(|(key, _)| key != NAME).take(limit);
            let flat = found.flat_map(|(key, text)| [key, text.get().to_owned()]);
            Ok(flat.collect::<Vec<String>>())
        })
    };
    host.set("kvList", Function::new(ctx.clone(), list)?)?;
    let has = bridge.clone();
    let delete_all = move |ctx: Ctx<'js>, instance: f64| {
        has.with(&ctx, id(instance), |ctx| ctx.storage().delete_all().map(drop))
    };
    host.set("kvDeleteAll", Function::new(ctx.clone(), delete_all)?)?;
    let has = bridge.clone();
    let keep = move |ctx: Ctx<'js>, instance: f64, name: String| {
        has.with(&ctx, id(instance), move |ctx| match kept_name(ctx)? {
            Some(_) => Ok(()),
            None => ctx.storage().put(NAME, &name),
        })
    };
    host.set("nameKeep", Function::new(ctx.clone(), keep)?)?;
    let has = bridge.clone();
    let end = move |ctx: Ctx<'js>, instance: f64| {
        has.with(&ctx, id(instance), |ctx| {
            ctx.delete_if_empty();
            Ok(())
        })
    };
    host.set("deleteIfEmpty", Function::new(ctx.clone(), end)?)
}

fn alarm<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let has = bridge.clone();
    let get = move |ctx: Ctx<'js>, instance: f64| {
        has.with(&ctx, id(instance), |ctx| Ok(ctx.alarm()?.map(|at_ms| at_ms as f64)))
    };
    host.set("alarmGet", Function::new(ctx.clone(), get)?)?;
    let has = bridge.clone();
    let set = move |ctx: Ctx<'js>, instance: f64, at_ms: f64| {
        has.with(&ctx, id(instance), move |ctx| ctx.set_alarm(at_ms as i64))
    };
    host.set("alarmSet", Function::new(ctx.clone(), set)?)?;
    let has = bridge.clone();
    let delete =
        move |ctx: Ctx<'js>, instance: f64| has.with(&ctx, id(instance), Context::delete_alarm);
    host.set("alarmDelete", Function::new(ctx.clone(), delete)?)
}

/// What a statement has answered.
struct Answered {
    columns: Vec<String>,
    rows: Vec<Vec<SqlValue>>,
    read: u64,
    written: u64,
}

fn sql<'js>(ctx: &Ctx<'js>, host: &Object<'js>, bridge: &Rc<Bridge>) -> Result<()> {
    let has = bridge.clone();
    let exec = move |ctx: Ctx<'js>, instance: f64, query: String, parameters: Array<'js>| {
        let parameters =
            parameters.iter().map(|value| parameter(&ctx, &value?)).collect::<Result<Vec<_>>>()?;
        let answered = has.with(&ctx, id(instance), move |ctx| {
            let mut cursor = ctx.sql().exec(&query, parameters).map_err(worded)?;
            let rows = cursor.values().map_err(worded)?;
            let (read, written) = (cursor.rows_read(), cursor.rows_written());
            Ok(Answered { columns: cursor.column_names().to_vec(), rows, read, written })
        })?;
        object(&ctx, answered)
    };
    host.set("sql", Function::new(ctx.clone(), exec)?)?;
    let has = bridge.clone();
    let size = move |ctx: Ctx<'js>, instance: f64| {
        has.with(&ctx, id(instance), |ctx| Ok(ctx.sql().database_size() as f64))
    };
    host.set("databaseSize", Function::new(ctx.clone(), size)?)
}

/// A parameter, as `runtime/storage.js` gives it. Numbers are REAL, as on Cloudflare.
fn parameter(ctx: &Ctx<'_>, value: &Value<'_>) -> Result<SqlValue> {
    if value.is_null() {
        return Ok(SqlValue::Null);
    }
    if let Some(number) = value.as_number() {
        // SQLite has no NaN.
        return Ok(if number.is_nan() { SqlValue::Null } else { SqlValue::Real(number) });
    }
    if let Some(text) = value.as_string() {
        return Ok(SqlValue::Text(text.to_string()?.into_bytes()));
    }
    let bytes = value.as_array().map(|array| array.get::<String>(0)).transpose()?;
    match bytes {
        Some(binary) => Ok(SqlValue::Blob(bytes_of(&binary))),
        None => Err(Exception::throw_type(ctx, "expected a parameter that SQLite has")),
    }
}

fn object<'js>(ctx: &Ctx<'js>, answered: Answered) -> Result<Object<'js>> {
    let rows = Array::new(ctx.clone())?;
    for (at, row) in answered.rows.into_iter().enumerate() {
        let fields = Array::new(ctx.clone())?;
        for (column, value) in row.into_iter().enumerate() {
            let value: Value<'js> = match value {
                SqlValue::Null => Value::new_null(ctx.clone()),
                SqlValue::Integer(number) => (number as f64).into_js(ctx)?,
                SqlValue::Real(number) => number.into_js(ctx)?,
                SqlValue::Text(bytes) => String::from_utf8_lossy(&bytes).into_js(ctx)?,
                SqlValue::Blob(bytes) => ArrayBuffer::new(ctx.clone(), bytes)?.into_js(ctx)?,
            };
            fields.set(column, value)?;
        }
        rows.set(at, fields)?;
    }
    let object = Object::new(ctx.clone())?;
    object.set("columns", answered.columns)?;
    object.set("rows", rows)?;
    object.set("read", answered.read as f64)?;
    object.set("written", answered.written as f64)?;
    Ok(object)
}
