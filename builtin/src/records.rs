//! Relationships, actions and events: one row per item, changed in place.

use dotdo::engine::{OsRandom, Random};
use dotdo::{Context, Error, Result};
use serde_json::{Value, json};
use uuid::Builder;

use super::answer::Answer;
use super::change::Change;
use super::conditions::tag_of;
use super::fields::{Collection, Object};
use super::sentence::shown;
use super::table::{self, text};
use super::{input, rules};

/// The item `id`.
pub(super) fn read(ctx: &mut Context, collection: Collection, id: &str) -> Result<Object> {
    find(ctx, collection, id)?.ok_or_else(|| missing(collection, id))
}

/// POST: a new item.
pub(super) fn create(ctx: &mut Context, collection: Collection, change: Change) -> Result<Answer> {
    let mut item = input::complete(collection, change.body)?;
    name(&mut item, ctx)?;
    let id = item["id"].as_str().unwrap_or_default();
    if find(ctx, collection, id)?.is_some() {
        return Err(Error::conflict(format!(
            "{} {id:?} already exists; use PUT to replace it",
            collection.item()
        )));
    }
    rules::check(ctx, collection, None, &mut item)?;
    let rowid = table::insert(ctx, collection, &item)?;
    if collection == Collection::Events {
        item.insert("sequence".into(), rowid.into());
    }
    Ok(Answer::Created(collection, item))
}

/// PUT: replaces the item with the body.
pub(super) fn replace(
    ctx: &mut Context,
    collection: Collection,
    id: &str,
    mut change: Change,
) -> Result<Answer> {
    match find(ctx, collection, id)? {
        Some(before) => {
            let after = input::replaced(collection, &before, &mut change)?;
            change.conditions.check(Some(&tag_of(collection, &before)))?;
            update(ctx, collection, before, after)
        }
        None => {
            let named = change.body.entry("id").or_insert_with(|| id.into());
            check_same_id(named, id)?;
            change.conditions.check(None)?;
            create(ctx, collection, change)
        }
    }
}

/// PATCH: the item with the body merged into it.
pub(super) fn merge(
    ctx: &mut Context,
    collection: Collection,
    id: &str,
    mut change: Change,
) -> Result<Answer> {
    let before = read(ctx, collection, id)?;
    let after = input::merged(collection, &before, &mut change)?;
    change.conditions.check(Some(&tag_of(collection, &before)))?;
    update(ctx, collection, before, after)
}

/// DELETE: removes the item.
pub(super) fn delete(
    ctx: &mut Context,
    collection: Collection,
    id: &str,
    change: &Change,
) -> Result<Answer> {
    let before = read(ctx, collection, id)?;
    rules::check_delete(collection, &before)?;
    change.conditions.check(Some(&tag_of(collection, &before)))?;
    table::delete(ctx, collection, id)?;
    Ok(Answer::Deleted)
}

fn update(
    ctx: &mut Context,
    collection: Collection,
    before: Object,
    mut after: Object,
) -> Result<Answer> {
    rules::check(ctx, collection, Some(&before), &mut after)?;
    if before != after {
        table::update(ctx, collection, &after)?;
    }
    Ok(Answer::Item(collection, after))
}

fn find(ctx: &mut Context, collection: Collection, id: &str) -> Result<Option<Object>> {
    Ok(table::first(ctx, collection, "t.\"id\" = ?", vec![text(id)])?.map(|row| row.item))
}

/// The error for an item that does not exist.
pub(super) fn missing(collection: Collection, id: &str) -> Error {
    let (_, noun) = collection.item().split_once(' ').unwrap_or_default();
    Error::not_found(format!("there is no {noun} {id:?}"))
}

/// Adds a new id to an item without one.
pub(super) fn name(item: &mut Object, ctx: &Context) -> Result<()> {
    if item["id"].is_null() {
        item.insert("id".into(), new_id(ctx).into());
    }
    Ok(())
}

/// A unique id; later ones are greater (UUID version 7).
pub(super) fn new_id(ctx: &Context) -> String {
    let mut random = [0; 10];
    random.copy_from_slice(&OsRandom.bytes16()[..10]);
    let ms = u64::try_from(ctx.now_ms()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(ms, &random).into_uuid().to_string()
}

/// Refuses a body with another id than the path.
pub(super) fn check_same_id(named: &Value, id: &str) -> Result<()> {
    if named.as_str() == Some(id) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "expected the id {id:?} of the path in the body, got {}",
        shown(named)
    )))
}

/// An item with the fields of `known`, all others null.
pub(super) fn filled(collection: Collection, known: Value) -> Object {
    let fields = collection.fields().iter();
    fields
        .map(|field| (field.name.to_owned(), known.get(field.name).cloned().unwrap_or(json!(null))))
        .collect()
}
