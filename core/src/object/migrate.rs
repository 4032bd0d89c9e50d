//! Migrations of a class's schema: numbered steps, of which each object has had the first ones.
//!
//! `user_version` is the number of steps that ran, and `application_id` is a hash of their texts.
//! Both are in records and snapshots anyway, so steps need no table or file of their own.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::object::context::Context;
use crate::planted::{Bug, planted};

/// One step of a class's schema: SQL, or a function. A step that has run somewhere is never
/// changed; a new one is added after it. [`Step::code`] has an example.
#[derive(Debug, Clone)]
pub struct Step {
    text: Cow<'static, str>,
    code: Option<fn(&mut Context) -> Result<()>>,
}

impl Step {
    /// A step of one or more SQL statements.
    pub const fn sql(statements: &'static str) -> Self {
        Self { text: Cow::Borrowed(statements), code: None }
    }

    /// A step in Rust, for what SQL can't express. It is identified by its `name`: renamed, it is
    /// another step.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// use dotdo::{Context, Result, Step};
    ///
    /// const STEPS: [Step; 2] = [
    ///     Step::sql("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL)"),
    ///     Step::code("names in lower case", |ctx| {
    ///         let people: Vec<(i64, String)> = ctx.sql().exec("SELECT id, name FROM people", ())?.rows()?;
    ///         for (id, name) in people {
    ///             ctx.sql().exec("UPDATE people SET name = ? WHERE id = ?", (name.to_lowercase(), id))?;
    ///         }
    ///         Ok(())
    ///     }),
    /// ];
    ///
    /// fn start(ctx: &mut Context) -> Result<()> {
    ///     ctx.migrate(&STEPS)
    /// }
    /// ```
    pub const fn code(name: &'static str, run: fn(&mut Context) -> Result<()>) -> Self {
        Self { text: Cow::Borrowed(name), code: Some(run) }
    }
}

impl From<&'static str> for Step {
    fn from(statements: &'static str) -> Self {
        Self::sql(statements)
    }
}

impl From<String> for Step {
    fn from(statements: String) -> Self {
        Self { text: Cow::Owned(statements), code: None }
    }
}

impl Context {
    /// Runs the steps that this object has not had, in order: all of them, or none. They are SQL
    /// texts or [`Step`]s. Call it in [`DurableObject::start`](crate::DurableObject::start).
    ///
    /// `PRAGMA user_version` counts the steps and `PRAGMA application_id` identifies them, so a
    /// class that migrates must set neither itself. If the class did set `user_version` before, it
    /// counts as the number of steps that the object has had.
    ///
    /// # Errors
    ///
    /// `Handler` with the code `SCHEMA_VERSION` when the object has had more steps, from a newer
    /// program; with `SCHEMA_STEP_CHANGED` when a step that it has had was changed (whitespace does
    /// not count); the error of a step.
    pub fn migrate<S: Clone + Into<Step>>(&mut self, steps: &[S]) -> Result<()> {
        let (version, identity) = (self.number("user_version")?, self.number("application_id")?);
        let done = usize::try_from(version).ok().filter(|done| *done <= steps.len());
        let done = done.ok_or_else(|| unknown_version(version, steps.len()))?;
        let steps: Vec<Step> = steps.iter().cloned().map(Into::into).collect();
        if done > 0 && identity != 0 && identity != i64::from(identity_of(&steps[..done])) {
            return Err(changed(done));
        }
        let done = if planted(Bug::StepsRunAgain) { 0 } else { done };
        if done == steps.len() {
            return Ok(());
        }
        self.transaction(|ctx| {
            for (number, step) in (1..).zip(&steps).skip(done) {
                step.run(ctx).map_err(|error| failed(number, error))?;
            }
            let (version, identity) = (steps.len(), identity_of(&steps));
            let set =
                format!("PRAGMA user_version = {version}; PRAGMA application_id = {identity}");
            ctx.sql().exec(&set, ()).map(drop)
        })
    }

    fn number(&mut self, pragma: &str) -> Result<i64> {
        self.sql().exec(&format!("PRAGMA {pragma}"), ())?.one()
    }
}

impl Step {
    fn run(&self, ctx: &mut Context) -> Result<()> {
        match self.code {
            Some(run) => run(ctx),
            None => ctx.sql().exec(&self.text, ()).map(drop),
        }
    }
}

/// A hash that identifies these steps; never 0, which is SQLite's default.
fn identity_of(steps: &[Step]) -> i32 {
    let mut hasher = blake3::Hasher::new();
    for step in steps {
        hasher.update(if step.code.is_some() { b"code" } else { b"sql " });
        for word in step.text.split_whitespace() {
            hasher.update(word.as_bytes());
            hasher.update(b" ");
        }
        hasher.update(b"\0");
    }
    let [a, b, c, d, ..] = *hasher.finalize().as_bytes();
    match i32::from_be_bytes([a, b, c, d]) {
        0 => 1,
        identity => identity,
    }
}

fn unknown_version(version: i64, known: usize) -> Error {
    let text = format!(
        "expected an object that has had at most {known} steps of its schema, got one that has had {version}: a newer program has used it, so serve it with that one"
    );
    Error::handler(text).with_code("SCHEMA_VERSION")
}

fn changed(done: usize) -> Error {
    let text = format!(
        "expected the {done} steps of the schema that this object has had, got others: a step that has run is never changed, so restore its text and add a new step"
    );
    Error::handler(text).with_code("SCHEMA_STEP_CHANGED")
}

fn failed(number: usize, error: Error) -> Error {
    let text = format!("step {number} of the schema fails: {}", error.message());
    error.with_message(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_no_part_of_a_step_and_everything_else_is() {
        let identity = |steps: &[&'static str]| {
            identity_of(&steps.iter().map(|s| Step::sql(s)).collect::<Vec<_>>())
        };
        assert_eq!(identity(&["CREATE TABLE a(x)"]), identity(&["\n  CREATE  TABLE\ta(x) "]));
        let all = [
            identity(&["CREATE TABLE a(x)"]),
            identity(&["CREATE TABLE a(y)"]),
            identity(&["CREATE TABLE a(x)", ""]),
            identity(&["CREATE TABLE", "a(x)"]),
            identity_of(&[Step::code("CREATE TABLE a(x)", |_| Ok(()))]),
        ];
        for (index, identity) in all.iter().enumerate() {
            assert!(!all[..index].contains(identity), "{index}");
        }
    }
}
