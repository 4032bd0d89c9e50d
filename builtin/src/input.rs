//! Parses bodies: checks them against the fields of a collection, and converts them to the stored
//! form.

use dotdo::{Body, Error, Result};
use serde_json::Value;

use super::change::Change;
use super::fields::{Collection, Field, Kind, Object, Presence};
use super::sentence::shown;
use super::strict::Document;
use super::{route, time};

/// Maximum memory of an item's values besides their text, in bytes: about 40,000 small objects, or
/// 500,000 numbers.
const ITEM_BYTES_MAX: u64 = 32 << 20;

/// Reads a body that is a JSON object.
///
/// # Errors
///
/// `Invalid` for anything else; also for JSON that is nested deeper than 128 levels, or that can't
/// be taken as it is. `TooLarge` for
/// one of so many values that they take more than [`ITEM_BYTES_MAX`]: readers have them all in
/// memory.
pub(super) async fn object(body: Body) -> Result<Object> {
    match body.json_within::<Document>(ITEM_BYTES_MAX).await?.read()? {
        Value::Object(object) => Ok(object),
        other => Err(Error::invalid(format!(
            "expected a JSON object with the item's fields, got {}",
            shown(&other)
        ))),
    }
}

/// A new item from a client's body: every field in its stored form, those that the object sets
/// still null.
///
/// # Errors
///
/// `Invalid` for a field that is unknown, read-only, missing, or has an invalid value.
pub(super) fn complete(collection: Collection, body: Object) -> Result<Object> {
    if let Some(name) = body.keys().find(|name| collection.field(name).is_none()) {
        return Err(unknown_field(collection, name));
    }
    let mut body = body;
    let field = |field: &'static Field| {
        let given = body.remove(field.name).unwrap_or(Value::Null);
        Ok((field.name.to_owned(), stored(collection, field, given)?))
    };
    collection.fields().iter().map(field).collect()
}

/// The item `before`, with all fields that a client may set replaced by `change`.
pub(super) fn replaced(
    collection: Collection,
    before: &Object,
    change: &mut Change,
) -> Result<Object> {
    let mut body = std::mem::take(&mut change.body);
    take_fixed(collection, before, &mut body)?;
    body.insert("id".into(), before["id"].clone());
    keep_fixed(collection, before, complete(collection, body)?)
}

/// The item `before` with `change` merged into it (RFC 7396).
pub(super) fn merged(
    collection: Collection,
    before: &Object,
    change: &mut Change,
) -> Result<Object> {
    let mut patch = std::mem::take(&mut change.body);
    take_fixed(collection, before, &mut patch)?;
    let settable = |name: &String| {
        collection.field(name).is_some_and(|field| field.presence != Presence::Server)
    };
    let mut body = Value::Object(
        before
            .iter()
            .filter(|(name, _)| settable(name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect(),
    );
    merge(&mut body, Value::Object(patch));
    let Value::Object(body) = body else {
        return Err(Error::internal("an object merged with an object is an object"));
    };
    keep_fixed(collection, before, complete(collection, body)?)
}

/// Removes the fields that a client can't change, so that what was read can be sent back.
///
/// # Errors
///
/// `Invalid` when one differs from the item: the client tries to change it, or has read an older
/// version.
fn take_fixed(collection: Collection, before: &Object, body: &mut Object) -> Result<()> {
    let fixed = collection
        .fields()
        .iter()
        .filter(|field| field.presence == Presence::Server || field.name == "id");
    for field in fixed {
        let Some(given) = body.remove(field.name) else { continue };
        let is = &before[field.name];
        if given != *is {
            let text = format!(
                "`{}`: expected {}, which a request can't change, got {}",
                field.name,
                shown(is),
                shown(&given)
            );
            return Err(Error::invalid(text));
        }
    }
    Ok(())
}

/// Copies the fields that the object sets into `after`.
fn keep_fixed(collection: Collection, before: &Object, mut after: Object) -> Result<Object> {
    for field in collection.fields().iter().filter(|field| field.presence == Presence::Server) {
        after.insert(field.name.to_owned(), before[field.name].clone());
    }
    Ok(after)
}

/// RFC 7396: null removes, an object goes into the object that is there, everything else replaces.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Object::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// The stored form of what a client gave for a field.
fn stored(collection: Collection, field: &Field, given: Value) -> Result<Value> {
    if field.presence == Presence::Server && !given.is_null() {
        return Err(Error::invalid(format!(
            "`{}` is set by the object; a request can't set it",
            field.name
        )));
    }
    if given.is_null() {
        return match (field.presence, field.default, field.kind) {
            (Presence::Required, ..) => {
                Err(Error::invalid(format!("{} needs `{}`", collection.item(), field.name)))
            }
            (_, Some(default), _) => Ok(default.into()),
            (_, None, Kind::Flag) => Ok(false.into()),
            (_, None, _) => Ok(Value::Null),
        };
    }
    let value = match (field.kind, given) {
        (Kind::Time, Value::String(text)) => time::parse(&text)?.into(),
        (Kind::Time, Value::Number(ms)) if ms.is_i64() => time::parse(&ms.to_string())?.into(),
        (_, given) if fits(field.kind, &given) => given,
        (kind, given) => {
            return Err(Error::invalid(format!(
                "`{}`: expected {}, got {}",
                field.name,
                wanted(kind),
                shown(&given)
            )));
        }
    };
    if let ("id", Some(id)) = (field.name, value.as_str()) {
        route::check_id(id)?;
    }
    Ok(value)
}

fn fits(kind: Kind, value: &Value) -> bool {
    match kind {
        Kind::Text => value.is_string(),
        Kind::OneOf(texts) => value.as_str().is_some_and(|text| texts.contains(&text)),
        Kind::Integer => value.is_i64(),
        Kind::Flag => value.is_boolean(),
        Kind::Time => false,
        Kind::Json => true,
    }
}

fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text => "a text".into(),
        Kind::OneOf(texts) => format!("one of {}", texts.join(", ")),
        Kind::Integer => "a whole number".into(),
        Kind::Flag => "true or false".into(),
        Kind::Time => "a time: RFC 3339 or milliseconds since 1970".into(),
        Kind::Json => "JSON".into(),
    }
}

fn unknown_field(collection: Collection, name: &str) -> Error {
    let settable = collection.fields().iter().filter(|field| field.presence != Presence::Server);
    let names: Vec<&str> = settable.map(|field| field.name).collect();
    let shown: String = name.chars().take(64).collect();
    let hint =
        if collection.field("data").is_some() { "; put your own fields into `data`" } else { "" };
    Error::invalid(format!(
        "{} has no field {shown:?}; its fields are {}{hint}",
        collection.item(),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of RFC 7396, appendix A.
    #[test]
    fn a_merge_patch_does_what_its_specification_shows() {
        for (original, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut target = original.clone();
            merge(&mut target, patch.clone());
            assert_eq!(target, result, "{original} with {patch}");
        }
    }

    #[test]
    fn an_error_for_an_unknown_field_lists_the_known_ones() {
        let body = json!({ "title": "x" });
        let error = complete(Collection::Things, body.as_object().expect("an object").clone())
            .expect_err("no such field");
        let expected = "a thing has no field \"title\"; its fields are id, type, branch, name, data, visibility; put your own fields into `data`";
        assert_eq!(error.message(), expected);
    }

    #[test]
    fn an_error_for_an_invalid_value_lists_the_accepted_ones() {
        let body = json!({ "verb": "run", "status": "sleeping" });
        let error = complete(Collection::Actions, body.as_object().expect("an object").clone())
            .expect_err("no such status");
        let expected = "`status`: expected one of pending, running, completed, failed, undone, retrying, got \"sleeping\"";
        assert_eq!(error.message(), expected);
    }
}
