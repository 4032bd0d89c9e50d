//! Rules for relationships, actions and events, beyond the types of their fields.

use dotdo::sql::Value as Cell;
use dotdo::{Context, Error, Result};
use serde_json::{Value, json};

use super::fields::{Collection, Object};
use super::table::{self, text};
use super::time;

/// Checks `after`, which was `before`, and sets what the object sets.
///
/// # Errors
///
/// `Conflict` with other items, `Invalid` when it names a missing version.
pub(super) fn check(
    ctx: &mut Context,
    collection: Collection,
    before: Option<&Object>,
    after: &mut Object,
) -> Result<()> {
    let now = time::from_ms(ctx.now_ms())?;
    if before.is_none() {
        after.insert("created_at".into(), now.as_str().into());
    }
    match collection {
        Collection::Things => Ok(()),
        Collection::Relationships => check_unique(ctx, after),
        Collection::Actions => {
            ["input", "output"]
                .iter()
                .try_for_each(|name| check_version(ctx, name, before, after))?;
            stamp_action(before, after, &now);
            Ok(())
        }
        Collection::Events => {
            if after["streamed"] == json!(true) && after["streamed_at"].is_null() {
                after.insert("streamed_at".into(), now.into());
            }
            Ok(())
        }
    }
}

/// Refuses to delete an item that others depend on.
///
/// # Errors
///
/// `Conflict` for an action that records when a thing changed.
pub(super) fn check_delete(collection: Collection, item: &Object) -> Result<()> {
    if collection != Collection::Actions || item["output"].is_null() {
        return Ok(());
    }
    let text = format!(
        "the action {} records when version {} of a thing was made and can't be deleted",
        item["id"], item["output"]
    );
    Err(Error::conflict(text))
}

/// A relationship is unique by verb, from and to.
fn check_unique(ctx: &mut Context, item: &Object) -> Result<()> {
    let names = ["verb", "from", "to", "id"];
    let filter = "t.\"verb\" = ? AND t.\"from\" = ? AND t.\"to\" = ? AND t.\"id\" <> ?";
    let params = names.map(|name| text(item[name].as_str().unwrap_or_default()));
    let Some(twin) = table::first(ctx, Collection::Relationships, filter, params.into())? else {
        return Ok(());
    };
    let text = format!(
        "{} {} {} already exists as the relationship {}",
        item["from"], item["verb"], item["to"], twin.item["id"]
    );
    Err(Error::conflict(text).with_details(json!({ "id": twin.item["id"] })))
}

/// An action's input and output are versions of things and can't be changed once set, because the
/// time of a version is found through them.
fn check_version(
    ctx: &mut Context,
    name: &str,
    before: Option<&Object>,
    after: &Object,
) -> Result<()> {
    let was = before.map_or(&Value::Null, |before| &before[name]);
    if after[name] == *was {
        return Ok(());
    }
    if !was.is_null() {
        return Err(Error::conflict(format!(
            "`{name}`: expected version {was}, which a request can't change"
        )));
    }
    let version = after[name].as_i64().unwrap_or_default();
    if table::first(ctx, Collection::Things, "t.rowid = ?", vec![Cell::Integer(version)])?.is_none()
    {
        return Err(Error::invalid(format!(
            "`{name}`: expected the version of a thing, but there is no version {version}"
        )));
    }
    Ok(())
}

/// Sets the times of an action from its status.
fn stamp_action(before: Option<&Object>, after: &mut Object, now: &str) {
    if before.is_some_and(|before| before["status"] == after["status"]) {
        return;
    }
    let status = after["status"].as_str().unwrap_or_default();
    let ended = ["completed", "failed", "undone"].contains(&status);
    if status != "pending" && after["started_at"].is_null() {
        after.insert("started_at".into(), now.into());
    }
    let completed_at = if ended { now.into() } else { Value::Null };
    let started_at = after["started_at"].as_str().unwrap_or(now);
    let duration = if ended {
        time::between_ms(started_at, now).map(|ms| ms.max(0)).into()
    } else {
        Value::Null
    };
    after.insert("completed_at".into(), completed_at);
    after.insert("duration".into(), duration);
}
