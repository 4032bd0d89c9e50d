//! Things: every change is a new row, and is written with its action and its event.
//!
//! A thing is identified by its id and its branch. Rows are never changed or deleted; the newest
//! row of a thing is its current version.

use dotdo::sql::Value as Cell;
use dotdo::{Context, Error, Result};
use serde_json::{Value, json};

use super::answer::Answer;
use super::change::{Change, Origin};
use super::conditions::tag_of;
use super::fields::Collection::{self, Things};
use super::fields::{MAIN, Object};
use super::query::Query;
use super::sentence::shown;
use super::table::{self, text};
use super::{input, records, time};

/// The time of the version in row `t`: that of the first action that gave it out. Only the one that
/// made it can be the first.
const MADE_AT: &str = r#"(SELECT a."created_at" FROM actions AS a WHERE a."output" = t.rowid ORDER BY a.rowid LIMIT 1)"#;

/// A change of a thing.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Create,
    Update,
    Delete,
}

/// The version of the thing that `query` asks for: by number, by time, or the newest.
pub(super) fn read(ctx: &mut Context, id: &str, query: &Query) -> Result<Object> {
    if let Some(version) = query.version {
        return numbered(ctx, id, version);
    }
    let branch = query.branch.as_deref().unwrap_or(MAIN);
    let thing = match &query.at {
        Some(time) => at(ctx, id, branch, time)?,
        None => newest(ctx, id, branch)?,
    };
    thing.filter(is_there).map_or_else(|| Err(missing(ctx, id, branch, query.at.as_deref())), Ok)
}

/// POST: a new thing, or a deleted one again.
pub(super) fn create(ctx: &mut Context, mut change: Change) -> Result<Answer> {
    change.origin.take_from(&mut change.body)?;
    change.body.insert("branch".into(), wanted_branch(&change)?.into());
    let mut thing = input::complete(Things, change.body)?;
    records::name(&mut thing, ctx)?;
    let before = newest(ctx, &id_of(&thing), &branch_of(&thing))?;
    if let Some(there) = before.as_ref().filter(|thing| is_there(thing)) {
        let text = format!(
            "a thing {} already exists on the branch {}; use PUT to replace it",
            there["id"], there["branch"]
        );
        return Err(Error::conflict(text).with_details(json!({ "version": there["version"] })));
    }
    append(ctx, Verb::Create, before.as_ref(), thing, &change.origin)
        .map(|thing| Answer::Created(Things, thing))
}

/// PUT: creates or replaces the thing.
pub(super) fn replace(ctx: &mut Context, id: &str, mut change: Change) -> Result<Answer> {
    change.origin.take_from(&mut change.body)?;
    let branch = wanted_branch(&change)?;
    match newest(ctx, id, &branch)?.filter(is_there) {
        Some(before) => {
            change.body.insert("branch".into(), branch.into());
            let after = input::replaced(Things, &before, &mut change)?;
            change.conditions.check(Some(&tag_of(Things, &before)))?;
            update(ctx, before, after, &change.origin)
        }
        None => {
            let named = change.body.entry("id").or_insert_with(|| id.into());
            records::check_same_id(named, id)?;
            change.conditions.check(None)?;
            create(ctx, change)
        }
    }
}

/// PATCH: the thing with the body merged into it.
pub(super) fn merge(ctx: &mut Context, id: &str, mut change: Change) -> Result<Answer> {
    change.origin.take_from(&mut change.body)?;
    let branch = wanted_branch(&change)?;
    let before = newest(ctx, id, &branch)?.filter(is_there);
    let before = before.map_or_else(|| Err(missing(ctx, id, &branch, None)), Ok)?;
    change.body.insert("branch".into(), branch.into());
    let after = input::merged(Things, &before, &mut change)?;
    change.conditions.check(Some(&tag_of(Things, &before)))?;
    update(ctx, before, after, &change.origin)
}

/// DELETE: adds a version that marks the thing as deleted.
pub(super) fn delete(ctx: &mut Context, id: &str, change: Change) -> Result<Answer> {
    let branch = change.query.branch.as_deref().unwrap_or(MAIN);
    let before = newest(ctx, id, branch)?.filter(is_there);
    let before = before.map_or_else(|| Err(missing(ctx, id, branch, None)), Ok)?;
    change.conditions.check(Some(&tag_of(Things, &before)))?;
    append(ctx, Verb::Delete, Some(&before), before.clone(), &change.origin)?;
    Ok(Answer::Deleted)
}

/// Writes `after` as the next version, unless nothing changed.
fn update(ctx: &mut Context, before: Object, after: Object, origin: &Origin) -> Result<Answer> {
    if before == after {
        return Ok(Answer::Item(Things, before));
    }
    append(ctx, Verb::Update, Some(&before), after, origin).map(|after| Answer::Item(Things, after))
}

/// Adds a version with its action and its event.
fn append(
    ctx: &mut Context,
    verb: Verb,
    before: Option<&Object>,
    mut thing: Object,
    origin: &Origin,
) -> Result<Object> {
    thing.insert("deleted".into(), matches!(verb, Verb::Delete).into());
    thing.insert("version".into(), Value::Null);
    let version = table::insert(ctx, Things, &thing)?;
    thing.insert("version".into(), version.into());
    let input = before.map(|before| before["version"].clone());
    let action_id = record_action(ctx, verb, input, &thing, origin)?;
    record_event(ctx, verb, &thing, action_id)?;
    Ok(thing)
}

fn record_action(
    ctx: &mut Context,
    verb: Verb,
    input: Option<Value>,
    thing: &Object,
    origin: &Origin,
) -> Result<Value> {
    let now = time::from_ms(ctx.now_ms())?;
    let id = records::new_id(ctx);
    let action = records::filled(
        Collection::Actions,
        json!({
            "id": id, "verb": verb.name(), "actor": origin.actor, "target": thing["id"], "input": input, "output": thing["version"],
            "durability": "do", "status": "completed", "request_id": origin.request_id, "session_id": origin.session_id,
            "workflow_id": origin.workflow_id, "started_at": now, "completed_at": now, "duration": 0, "created_at": now,
        }),
    );
    table::insert(ctx, Collection::Actions, &action)?;
    Ok(id.into())
}

fn record_event(ctx: &mut Context, verb: Verb, thing: &Object, action_id: Value) -> Result<()> {
    let event = records::filled(
        Collection::Events,
        json!({
            "id": records::new_id(ctx), "verb": verb.past(), "source": thing["id"],
            "data": { "type": thing["type"], "branch": thing["branch"], "version": thing["version"] },
            "action_id": action_id, "streamed": false, "created_at": time::from_ms(ctx.now_ms())?,
        }),
    );
    table::insert(ctx, Collection::Events, &event)?;
    Ok(())
}

impl Verb {
    /// The verb of the action.
    fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The verb of the event.
    fn past(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Delete => "deleted",
        }
    }
}

/// The newest version, even if it marks the thing as deleted.
fn newest(ctx: &mut Context, id: &str, branch: &str) -> Result<Option<Object>> {
    let filter = "t.\"id\" = ? AND t.\"branch\" = ? ORDER BY t.rowid DESC";
    Ok(table::first(ctx, Things, filter, vec![text(id), text(branch)])?.map(|row| row.item))
}

/// The newest version at `time`.
fn at(ctx: &mut Context, id: &str, branch: &str, time: &str) -> Result<Option<Object>> {
    let filter =
        format!("t.\"id\" = ? AND t.\"branch\" = ? AND {MADE_AT} <= ? ORDER BY t.rowid DESC");
    Ok(table::first(ctx, Things, &filter, vec![text(id), text(branch), text(time)])?
        .map(|row| row.item))
}

fn numbered(ctx: &mut Context, id: &str, version: i64) -> Result<Object> {
    let row = table::first(
        ctx,
        Things,
        "t.rowid = ? AND t.\"id\" = ?",
        vec![Cell::Integer(version), text(id)],
    )?;
    let row =
        row.ok_or_else(|| Error::not_found(format!("the thing {id:?} has no version {version}")))?;
    Ok(row.item)
}

fn is_there(thing: &Object) -> bool {
    thing["deleted"] == Value::Bool(false)
}

/// The error for a thing that does not exist; it names the branches on which it does.
fn missing(ctx: &mut Context, id: &str, branch: &str, at: Option<&str>) -> Error {
    let others = ctx
        .sql()
        .exec(
            "SELECT DISTINCT \"branch\" FROM things WHERE \"id\" = ? AND \"branch\" <> ? LIMIT 10",
            (id, branch),
        )
        .and_then(|mut cursor| cursor.rows::<String>())
        .unwrap_or_default();
    let then = at.map(|time| format!(" at {time}")).unwrap_or_default();
    let hint = if others.is_empty() {
        String::new()
    } else {
        format!("; it exists on the branches {}", others.join(", "))
    };
    Error::not_found(format!("there is no thing {id:?} on the branch {branch:?}{then}{hint}"))
}

/// The branch of a request with a body: from the query or the body, which must not differ.
fn wanted_branch(change: &Change) -> Result<String> {
    match (&change.query.branch, change.body.get("branch").unwrap_or(&Value::Null)) {
        (None, Value::Null) => Ok(MAIN.to_owned()),
        (Some(branch), Value::Null) => Ok(branch.clone()),
        (None, Value::String(branch)) => Ok(branch.clone()),
        (Some(branch), Value::String(same)) if branch == same => Ok(branch.clone()),
        (Some(branch), other) => Err(Error::invalid(format!(
            "expected the branch {branch:?} of the query in the body, got {}",
            shown(other)
        ))),
        (None, other) => {
            Err(Error::invalid(format!("`branch`: expected a text, got {}", shown(other))))
        }
    }
}

fn id_of(thing: &Object) -> String {
    thing["id"].as_str().unwrap_or_default().to_owned()
}

fn branch_of(thing: &Object) -> String {
    thing["branch"].as_str().unwrap_or_default().to_owned()
}
