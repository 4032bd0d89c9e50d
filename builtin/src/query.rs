//! Parses the query of a request: items, version, author. Unknown parameters are errors.

use dotdo::{Error, Result};
use url::form_urlencoded;

use super::cursor::Cursor;
use super::fields::{Collection, Field, Kind};
use super::route::Place;
use super::time;

/// Default number of items in a list.
const LIMIT_DEFAULT: u32 = 100;
/// Maximum number of items in a list.
const LIMIT_MAX: u32 = 1000;
/// Maximum number of conditions of a list.
const CONDITIONS_MAX: usize = 32;

/// The query of a request.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) limit: u32,
    pub(super) after: Option<Cursor>,
    pub(super) branch: Option<String>,
    pub(super) conditions: Vec<Condition>,
    pub(super) version: Option<i64>,
    pub(super) at: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) workflow_id: Option<String>,
    pub(super) live: Option<Begin>,
}

/// Where live events begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// After those that are there.
    Now,
    /// After this one.
    After(i64),
}

/// A condition that a field has a value.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) field: &'static Field,
    /// Where inside the field's JSON; `None` for the whole field.
    pub(super) path: Option<String>,
    /// The value as it was written.
    pub(super) value: String,
}

impl Query {
    /// The query of a request that reads `place`.
    ///
    /// # Errors
    ///
    /// `Invalid` for a parameter that is unknown, repeated or has an invalid value.
    pub(super) fn of(place: &Place, query: Option<&str>) -> Result<Self> {
        let accepted: &[&str] = match place {
            Place::Root => &[],
            Place::All(Collection::Things) => &["limit", "after", "type", "branch", "where[…]"],
            Place::All(Collection::Events) => &["limit", "after", "where[…]", "live"],
            Place::All(_) => &["limit", "after", "where[…]"],
            Place::One(Collection::Things, _) => &["branch", "version", "at"],
            Place::One(..) => &[],
        };
        Self::parse(place, query, accepted)
    }

    /// The query of a request that changes `place`.
    ///
    /// # Errors
    ///
    /// As [`Query::of`].
    pub(super) fn of_write(place: &Place, query: Option<&str>) -> Result<Self> {
        let accepted: &[&str] = match place {
            Place::All(Collection::Things) | Place::One(Collection::Things, _) => {
                &["branch", "actor", "session_id", "workflow_id"]
            }
            _ => &[],
        };
        Self::parse(place, query, accepted)
    }

    /// That of the largest page.
    pub(super) fn whole_page() -> Self {
        Self { limit: LIMIT_MAX, ..Self::default() }
    }

    fn parse(place: &Place, query: Option<&str>, accepted: &[&str]) -> Result<Self> {
        let mut parsed = Self { limit: LIMIT_DEFAULT, ..Self::default() };
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let inner = name.strip_prefix("where[").and_then(|rest| rest.strip_suffix(']'));
            let known = if inner.is_some() { "where[…]" } else { name.as_ref() };
            if !accepted.contains(&known) {
                return Err(unknown_parameter(&name, accepted));
            }
            if seen.contains(&name) {
                return Err(Error::invalid(format!("the query has `{name}` twice")));
            }
            match (place, inner) {
                (Place::All(collection), Some(field)) => {
                    parsed.conditions.push(Condition::new(*collection, field, &value)?)
                }
                _ => parsed.set(place, &name, value.into_owned())?,
            }
            seen.push(name);
        }
        parsed.check()
    }

    fn set(&mut self, place: &Place, name: &str, value: String) -> Result<()> {
        match (name, place) {
            ("limit", _) => self.limit = limit(&value)?,
            ("after", Place::All(collection)) => {
                self.after = Some(Cursor::read(*collection, &value)?)
            }
            ("live", _) if value.is_empty() => self.live = Some(Begin::Now),
            ("live", _) => self.live = Some(Begin::After(integer("live", &value)?)),
            ("branch", _) => self.branch = Some(value),
            ("version", _) => self.version = Some(integer("version", &value)?),
            ("at", _) => self.at = Some(time::parse(&value)?),
            ("actor", _) => self.actor = Some(value),
            ("session_id", _) => self.session_id = Some(value),
            ("workflow_id", _) => self.workflow_id = Some(value),
            (name, Place::All(collection)) => {
                self.conditions.push(Condition::new(*collection, name, &value)?)
            }
            (name, _) => return Err(unknown_parameter(name, &[])),
        }
        Ok(())
    }

    fn check(self) -> Result<Self> {
        if self.version.is_some() && self.at.is_some() {
            return Err(Error::invalid("expected `version` or `at`, got both"));
        }
        let is_list =
            self.after.is_some() || !self.conditions.is_empty() || self.limit != LIMIT_DEFAULT;
        if self.live.is_some() && is_list {
            return Err(Error::invalid("expected `live` alone; what comes live is not a list"));
        }
        if self.conditions.len() > CONDITIONS_MAX {
            return Err(Error::invalid(format!(
                "expected at most {CONDITIONS_MAX} conditions, got {}",
                self.conditions.len()
            )));
        }
        Ok(self)
    }
}

impl Condition {
    /// The condition that `name` (a field, or a dotted path into a field that holds JSON) is
    /// `value`.
    fn new(collection: Collection, name: &str, value: &str) -> Result<Self> {
        let (first, path) =
            name.split_once('.').map_or((name, None), |(first, path)| (first, Some(path)));
        let field =
            collection.field(first).filter(|field| path.is_none() || field.kind == Kind::Json);
        let field = field.ok_or_else(|| unknown_condition(collection, name))?;
        let value = match field.kind {
            Kind::Integer => integer(name, value)?.to_string(),
            Kind::Flag => flag(name, value)?.to_string(),
            Kind::Time => time::parse(value)?,
            Kind::OneOf(texts) if !texts.contains(&value) => {
                return Err(Error::invalid(format!(
                    "`{name}`: expected one of {}, got {value:?}",
                    texts.join(", ")
                )));
            }
            _ => value.to_owned(),
        };
        Ok(Self { field, path: path.map(json_path).transpose()?, value })
    }
}

/// `a.b` as SQLite writes paths: `$."a"."b"`. It is bound as a parameter, and its quotes allow any
/// key without quotes.
fn json_path(dotted: &str) -> Result<String> {
    if dotted.split('.').any(|key| key.is_empty() || key.contains(['"', '\\', '\0'])) {
        return Err(Error::invalid(format!(
            "{dotted:?} is not a path: keys without quotes and backslashes, with dots between"
        )));
    }
    Ok(dotted.split('.').fold("$".to_owned(), |path, key| format!("{path}.\"{key}\"")))
}

fn limit(value: &str) -> Result<u32> {
    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        Error::invalid(format!("`limit`: expected a number from 1 to {LIMIT_MAX}, got {value:?}"))
    })
}

fn integer(name: &str, value: &str) -> Result<i64> {
    value
        .parse()
        .map_err(|_| Error::invalid(format!("`{name}`: expected a whole number, got {value:?}")))
}

fn flag(name: &str, value: &str) -> Result<u8> {
    match value {
        "true" | "1" => Ok(1),
        "false" | "0" => Ok(0),
        _ => Err(Error::invalid(format!("`{name}`: expected true or false, got {value:?}"))),
    }
}

fn unknown_parameter(name: &str, accepted: &[&str]) -> Error {
    let shown: String = name.chars().take(64).collect();
    match accepted {
        [] => Error::invalid(format!("expected no query, got {shown:?}")),
        _ => Error::invalid(format!(
            "unknown query parameter {shown:?}; the query may have {}",
            accepted.join(", ")
        )),
    }
}

fn unknown_condition(collection: Collection, name: &str) -> Error {
    let (json, plain): (Vec<&Field>, Vec<&Field>) =
        collection.fields().iter().partition(|field| field.kind == Kind::Json);
    let plain = plain.iter().map(|field| field.name.to_owned());
    let json = json.iter().map(|field| format!("{0}, {0}.…", field.name));
    let names: Vec<String> = plain.chain(json).collect();
    let shown: String = name.chars().take(64).collect();
    Error::invalid(format!(
        "{} has no field {shown:?} for a condition; the fields are {}",
        collection.item(),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINGS: Place = Place::All(Collection::Things);

    #[test]
    fn a_path_into_json_is_quoted_and_bound() {
        let query = Query::of(&THINGS, Some("where[data.a%20b.c]=1")).expect("a good query");
        assert_eq!(query.conditions[0].path.as_deref(), Some("$.\"a b\".\"c\""));
        assert_eq!(query.conditions[0].field.name, "data");
    }

    #[test]
    fn a_field_that_does_not_exist_reaches_no_statement() {
        for name in [
            "where[color]",
            "where[id%22%20OR%201--]",
            "where[name.x]",
            "where[data.]",
            "where[data.%22]",
            "where[]",
            "sort",
        ] {
            assert!(Query::of(&THINGS, Some(&format!("{name}=1"))).is_err(), "{name}");
        }
    }

    #[test]
    fn a_limit_has_bounds() {
        for bad in ["0", "1001", "-1", "x", ""] {
            let error =
                Query::of(&THINGS, Some(&format!("limit={bad}"))).expect_err("out of bounds");
            assert_eq!(
                error.message(),
                format!("`limit`: expected a number from 1 to 1000, got {bad:?}")
            );
        }
        assert_eq!(Query::of(&THINGS, None).expect("no query").limit, 100);
    }

    #[test]
    fn an_error_for_an_unknown_parameter_lists_the_known_ones() {
        let error = Query::of(&Place::All(Collection::Events), Some("type=x"))
            .expect_err("events have no type");
        assert_eq!(
            error.message(),
            "unknown query parameter \"type\"; the query may have limit, after, where[…], live"
        );
    }
}
