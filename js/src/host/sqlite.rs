//! Errors of SQLite in the words of workerd, which packages compare.

use dotdo::Error;

/// The names of codes, with those that they extend.
const NAMES: [(u64, &str); 26] = [
    (1, "SQLITE_ERROR"),
    (4, "SQLITE_ABORT"),
    (5, "SQLITE_BUSY"),
    (6, "SQLITE_LOCKED"),
    (8, "SQLITE_READONLY"),
    (17, "SQLITE_SCHEMA"),
    (19, "SQLITE_CONSTRAINT"),
    (20, "SQLITE_MISMATCH"),
    (23, "SQLITE_AUTH"),
    (25, "SQLITE_RANGE"),
    (257, "SQLITE_ERROR_MISSING_COLLSEQ"),
    (275, "SQLITE_CONSTRAINT_CHECK"),
    (516, "SQLITE_ABORT_ROLLBACK"),
    (531, "SQLITE_CONSTRAINT_COMMITHOOK"),
    (787, "SQLITE_CONSTRAINT_FOREIGNKEY"),
    (1032, "SQLITE_READONLY_DBMOVED"),
    (1043, "SQLITE_CONSTRAINT_FUNCTION"),
    (1299, "SQLITE_CONSTRAINT_NOTNULL"),
    (1544, "SQLITE_READONLY_DIRECTORY"),
    (1555, "SQLITE_CONSTRAINT_PRIMARYKEY"),
    (1811, "SQLITE_CONSTRAINT_TRIGGER"),
    (2067, "SQLITE_CONSTRAINT_UNIQUE"),
    (2323, "SQLITE_CONSTRAINT_VTAB"),
    (2579, "SQLITE_CONSTRAINT_ROWID"),
    (2835, "SQLITE_CONSTRAINT_PINNED"),
    (3091, "SQLITE_CONSTRAINT_DATATYPE"),
];

fn name(code: u64) -> Option<&'static str> {
    NAMES.iter().find(|(number, _)| *number == code).map(|(_, name)| *name)
}

/// `error`, if it is SQLite's: SQLite's text, then the name of its code.
pub(super) fn worded(error: Error) -> Error {
    let Some(text) = error.message().strip_prefix("SQLite: ") else { return error };
    let code = error.details().and_then(|details| details["sqliteCode"].as_u64());
    let text = match code.map(|code| (name(code & 0xff), name(code), code > 0xff)) {
        Some((Some(primary), Some(extended), true)) => {
            format!("{text}: {primary} (extended: {extended})")
        }
        Some((Some(primary), _, _)) => format!("{text}: {primary}"),
        _ => text.to_owned(),
    };
    Error::new(error.kind(), text).with_code(error.code())
}
