//! Savepoints within a request's transaction.

use crate::error::Result;
use crate::object::sql::Sql;
use crate::sqlite::Database;

/// Runs `body` on `holder` in a savepoint of its `database`. If `body` returns an error, its
/// changes are rolled back.
///
/// Savepoints of the same name nest; a name means the innermost one.
pub(super) fn savepoint<H, T>(
    holder: &mut H,
    database: impl Fn(&mut H) -> &mut Database,
    body: impl FnOnce(&mut H) -> Result<T>,
) -> Result<T> {
    let run =
        |holder: &mut H, statement: &str| Sql::own(database(holder)).exec(statement, ()).map(drop);
    run(holder, "SAVEPOINT _dotdo")?;
    let result = body(holder);
    if result.is_err() {
        run(holder, "ROLLBACK TO _dotdo")?;
    }
    run(holder, "RELEASE _dotdo")?;
    result
}
