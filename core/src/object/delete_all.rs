//! Empties an object.

use crate::error::Result;
use crate::object::context::Context;
use crate::object::sql::Sql;
use crate::sqlite::{Database, Mode, is_reserved};

/// What is dropped, in this order: what depends on tables, tables that have tables of their own, and
/// all others.
const DROPPED: [(&str, &str); 3] = [
    ("VIEW", "type = 'view'"),
    ("TABLE", "type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'"),
    ("TABLE", "type = 'table'"),
];

/// The tables of dotdo that are part of an object's state.
const STATE: [&str; 3] = ["_dotdo_alarm", "_dotdo_kv", "_dotdo_schedule"];

/// Those whose rows somebody waits for.
const WAITING: [&str; 2] = ["_dotdo_outbox", "_dotdo_sockets"];

impl Context {
    /// Deletes all that the object has: its tables with their indexes and triggers, views, keys and
    /// values, its alarm and its schedules. The next request finds the object as one that is new:
    /// the value of the class is created again, and its start runs before it
    /// ([`DurableObject::start`](crate::DurableObject::start)).
    ///
    /// It is part of the request's transaction. Its sockets stay open, messages that it has sent are
    /// delivered, and requests with an `Idempotency-Key` that were answered are not executed again.
    /// The former state can be restored within the retention.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn forget_me(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     ctx.delete_all()
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Errors of the database, which is read-only on a former state.
    pub fn delete_all(&mut self) -> Result<()> {
        self.transaction(|ctx| {
            ctx.delete_alarm()?;
            drop_all(&mut ctx.database)
        })?;
        self.request.begins_anew = true;
        Ok(())
    }
}

impl Context {
    /// Deletes the object after this request if it has nothing then: no table, key or alarm, no socket
    /// and no message that waits. It is then as one that never existed, until it is written again.
    /// Best effort: an object that is not deleted stays empty.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn end(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     ctx.delete_all()?;
    ///     ctx.delete_if_empty();
    ///     Ok(())
    /// }
    /// ```
    pub fn delete_if_empty(&mut self) {
        let (host, object) = (self.host.clone(), self.object.clone());
        self.wait_until(async move {
            let Some(host) = host.upgrade() else { return };
            if let Err(error) = host.delete_if_empty(&object).await {
                tracing::debug!(object = %object, %error, "an empty object is not deleted");
            }
        });
    }
}

/// Whether an object has nothing that it would lose by its deletion.
///
/// # Errors
///
/// Errors of the database.
pub(crate) fn has_nothing(database: &mut Database) -> Result<bool> {
    database.begin(Mode::ReadOnly)?;
    let has_nothing = is_empty(database);
    database.rollback();
    has_nothing
}

fn is_empty(database: &mut Database) -> Result<bool> {
    let tables = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')";
    let names: Vec<String> = own(database, tables)?.rows()?;
    for name in names {
        let has_rows = if WAITING.contains(&name.as_str()) || STATE.contains(&name.as_str()) {
            let query = format!("SELECT EXISTS (SELECT 1 FROM {name})");
            own(database, &query)?.one::<u64>()? > 0
        } else {
            // A table of the class is something, also without rows.
            is_state(&name)
        };
        if has_rows {
            return Ok(false);
        }
    }
    Ok(true)
}

fn drop_all(database: &mut Database) -> Result<()> {
    let deferred: i64 = own(database, "PRAGMA defer_foreign_keys")?.one()?;
    // Whatever refers to whatever, nothing is left in the end.
    own(database, "PRAGMA defer_foreign_keys = 1")?;
    for (what, filter) in DROPPED {
        let query = format!("SELECT name FROM sqlite_schema WHERE {filter}");
        let names: Vec<String> = own(database, &query)?.rows()?;
        for name in names.iter().filter(|name| is_state(name)) {
            let name = name.replace('"', "\"\"");
            own(database, &format!("DROP {what} IF EXISTS \"{name}\""))?;
        }
    }
    let reset = format!(
        "PRAGMA user_version = 0; PRAGMA application_id = 0; PRAGMA defer_foreign_keys = {deferred}"
    );
    own(database, &reset).map(drop)
}

fn own<'a>(database: &'a mut Database, sql: &str) -> Result<crate::SqlCursor<'a>> {
    Sql::own(database).exec(sql, ())
}

/// Whether a table or view is part of the object's state, and not SQLite's or of its history.
fn is_state(name: &str) -> bool {
    let is_sqlites = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    !is_sqlites && (!is_reserved(name) || STATE.contains(&name))
}
