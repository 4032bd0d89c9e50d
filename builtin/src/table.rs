//! Converts items to rows and back. All names in statements come from the list of fields, and all
//! values are bound.

use dotdo::sql::Value as Cell;
use dotdo::{Context, Error, Result};
use serde_json::Value;

use super::fields::{Collection, Field, Kind, Object};

/// An item and the number of its row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) rowid: i64,
    pub(super) item: Object,
}

/// The rows of `collection`, called `t`, for which `filter` (what follows WHERE, our own text)
/// holds.
pub(super) fn select(
    ctx: &mut Context,
    collection: Collection,
    filter: &str,
    params: Vec<Cell>,
) -> Result<Vec<Row>> {
    let columns: Vec<String> =
        collection.fields().iter().map(|field| format!("t.{}", field.column())).collect();
    let query = format!(
        "SELECT {}, t.rowid FROM {} AS t WHERE {filter}",
        columns.join(", "),
        collection.name()
    );
    let rows: Vec<Vec<Value>> = ctx.sql().exec(&query, params)?.rows()?;
    rows.into_iter().map(|row| read(collection, row)).collect()
}

/// The size of each of these rows, in bytes.
pub(super) fn sizes(
    ctx: &mut Context,
    collection: Collection,
    filter: &str,
    params: Vec<Cell>,
) -> Result<Vec<u64>> {
    let sizes: Vec<String> = collection
        .fields()
        .iter()
        .map(|field| format!("coalesce(octet_length(t.{}), 0)", field.column()))
        .collect();
    let query =
        format!("SELECT {} FROM {} AS t WHERE {filter}", sizes.join(" + "), collection.name());
    let rows: Vec<(u64,)> = ctx.sql().exec(&query, params)?.rows()?;
    Ok(rows.into_iter().map(|(size,)| size).collect())
}

/// The first row of [`select`].
pub(super) fn first(
    ctx: &mut Context,
    collection: Collection,
    filter: &str,
    params: Vec<Cell>,
) -> Result<Option<Row>> {
    Ok(select(ctx, collection, &format!("{filter} LIMIT 1"), params)?.into_iter().next())
}

/// Inserts a row and returns its number.
pub(super) fn insert(ctx: &mut Context, collection: Collection, item: &Object) -> Result<i64> {
    let columns: Vec<String> = collection.fields().iter().map(Field::column).collect();
    let places = vec!["?"; columns.len()].join(", ");
    let query = format!(
        "INSERT INTO {} ({}) VALUES ({places}) RETURNING rowid",
        collection.name(),
        columns.join(", ")
    );
    let params: Vec<Cell> =
        collection.fields().iter().map(|field| cell(field, &item[field.name])).collect();
    ctx.sql().exec(&query, params)?.one()
}

/// Updates the row with the id of `item` to the values of `item`.
pub(super) fn update(ctx: &mut Context, collection: Collection, item: &Object) -> Result<()> {
    let assignments: Vec<String> =
        collection.fields().iter().map(|field| format!("{} = ?", field.column())).collect();
    let query =
        format!("UPDATE {} SET {} WHERE \"id\" = ?", collection.name(), assignments.join(", "));
    let mut params: Vec<Cell> =
        collection.fields().iter().map(|field| cell(field, &item[field.name])).collect();
    params.push(text(item["id"].as_str().unwrap_or_default()));
    ctx.sql().exec(&query, params)?;
    Ok(())
}

/// Removes the row of the item `id`.
pub(super) fn delete(ctx: &mut Context, collection: Collection, id: &str) -> Result<()> {
    ctx.sql().exec(&format!("DELETE FROM {} WHERE \"id\" = ?", collection.name()), (id,))?;
    Ok(())
}

/// A text as a parameter.
pub(super) fn text(text: &str) -> Cell {
    Cell::Text(text.as_bytes().to_vec())
}

fn cell(field: &Field, value: &Value) -> Cell {
    match (field.kind, value) {
        (_, Value::Null) => Cell::Null,
        (Kind::Json, value) => text(&value.to_string()),
        (_, Value::Bool(flag)) => Cell::Integer(i64::from(*flag)),
        (_, Value::String(value)) => text(value),
        (_, value) => value.as_i64().map_or(Cell::Null, Cell::Integer),
    }
}

fn read(collection: Collection, mut row: Vec<Value>) -> Result<Row> {
    let rowid = row
        .pop()
        .and_then(|rowid| rowid.as_i64())
        .ok_or_else(|| Error::internal("a row has a number"))?;
    let values = collection.fields().iter().zip(row);
    let item: Result<Object> =
        values.map(|(field, value)| Ok((field.name.to_owned(), value_of(field, value)?))).collect();
    Ok(Row { rowid, item: item? })
}

fn value_of(field: &Field, value: Value) -> Result<Value> {
    match (field.kind, value) {
        (Kind::Flag, Value::Number(flag)) => Ok(Value::Bool(flag.as_i64() != Some(0))),
        (Kind::Json, Value::String(json)) => serde_json::from_str(&json).map_err(|cause| {
            Error::internal(format!("expected JSON in `{}`: {cause}", field.name))
        }),
        (_, value) => Ok(value),
    }
}
