//! Several writes in one request and one transaction.

use dotdo::{Context, Error, Result};
use http::Method;
use serde_json::{Value, json};

use super::change::{Change, Origin};
use super::conditions::Conditions;
use super::fields::Object;
use super::query::Query;
use super::route::{Place, Route};
use super::sentence::shown;
use super::{Answer, write};

/// Maximum number of writes.
const WRITES_MAX: usize = 1000;

/// A write of a batch.
struct Write {
    method: Method,
    place: Place,
    change: Change,
}

/// Does all writes of a batch in their order, and says what became of each.
///
/// # Errors
///
/// That of the first write that fails, with its place in the batch; then nothing is written.
pub(super) fn run(ctx: &mut Context, batch: Change) -> Result<Answer> {
    let Change { origin, mut body, conditions, query: _ } = batch;
    conditions
        .refuse("a batch has no tag, and each of its writes has `ifMatch` and `ifNoneMatch`")?;
    let Some(Value::Array(writes)) = body.remove("writes") else {
        return Err(Error::invalid("expected `writes`, an array of writes"));
    };
    if let Some(name) = body.keys().next() {
        return Err(Error::invalid(format!("a batch has no field {name:?}; it has writes")));
    }
    if writes.len() > WRITES_MAX {
        let count = writes.len();
        return Err(Error::invalid(format!("expected at most {WRITES_MAX} writes, got {count}")));
    }
    let mut results = Vec::with_capacity(writes.len());
    for (index, asked) in writes.into_iter().enumerate() {
        let done = || -> Result<Value> {
            let Write { method, place, change } = Write::of(asked, &origin)?;
            Ok(write(ctx, &method, &place, change)?.result(ctx))
        };
        results.push(done().map_err(|error| placed(error, index))?);
    }
    Ok(Answer::Results(results))
}

impl Write {
    fn of(asked: Value, origin: &Origin) -> Result<Self> {
        let Value::Object(mut asked) = asked else {
            return Err(Error::invalid(format!("expected an object, got {}", shown(&asked))));
        };
        let method = text(&mut asked, "method")?.unwrap_or_default();
        let path = text(&mut asked, "path")?.unwrap_or_default();
        let (matches, none_match) =
            (text(&mut asked, "ifMatch")?, text(&mut asked, "ifNoneMatch")?);
        let body = match asked.remove("body") {
            None | Some(Value::Null) => Object::new(),
            Some(Value::Object(body)) => body,
            Some(other) => {
                let other = shown(&other);
                return Err(Error::invalid(format!("`body`: expected an object, got {other}")));
            }
        };
        if let Some(name) = asked.keys().next() {
            return Err(Error::invalid(format!(
                "a write has no field {name:?}; it has method, path, body, ifMatch and ifNoneMatch"
            )));
        }
        let method: Method = method.parse().map_err(|_| {
            Error::invalid(format!("`method`: expected POST, PUT, PATCH or DELETE, got {method:?}"))
        })?;
        let (path, query) =
            path.split_once('?').map_or((&*path, None), |(path, query)| (path, Some(query)));
        let place = match Route::of(&method, path)? {
            Route::Write(Place::Root) => {
                return Err(Error::invalid("`path`: expected that of a collection or an item"));
            }
            Route::Write(place) => place,
            Route::Read(_) => {
                return Err(Error::invalid(format!("a batch only writes, and {method} reads")));
            }
            Route::MethodNotAllowed(allowed) => {
                return Err(Error::invalid(format!("`method`: expected {allowed}, got {method}")));
            }
        };
        let query = Query::of_write(&place, query)?;
        let conditions = Conditions::given(matches.as_deref(), none_match.as_deref())?;
        let origin = origin.for_query(&query);
        Ok(Self { method, place, change: Change { query, origin, conditions, body } })
    }
}

/// A text of a write; `None` when there is none.
fn text(asked: &mut Object, name: &str) -> Result<Option<String>> {
    match asked.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let other = shown(&other);
            Err(Error::invalid(format!("`{name}`: expected a text, got {other}")))
        }
    }
}

/// The error of a write, which says which it is.
fn placed(error: Error, index: usize) -> Error {
    let mut details = error.details().cloned().unwrap_or_else(|| json!({}));
    details["write"] = index.into();
    error.with_details(details)
}
