//! SQLite's own JSON functions, with a limit on their work.

use std::cell::RefCell;
use std::collections::HashMap;

use dotdo_sqlite_sys as ffi;

use super::super::handle::Handle;
use super::super::statement::Statement;
use super::{Call, Failure};

/// Maximum product of the sizes of document and patch, in square bytes, for `json_patch`, which
/// searches each label of the patch in the document linearly. Two documents of 90 KiB take about a
/// second.
const PATCH_WORK_MAX: u64 = 1 << 33;

/// The subtype by which SQLite's JSON functions know that a text is JSON.
const JSON_SUBTYPE: u32 = b'J' as u32;

thread_local! {
    /// A connection with SQLite's own functions, and the statements that call them.
    static ORIGINALS: RefCell<Option<Originals>> = const { RefCell::new(None) };
}

struct Originals {
    // Dropped before the connection.
    statements: HashMap<&'static str, Statement>,
    handle: Handle,
}

/// Calls SQLite's own function, unless it would take too long.
pub(super) fn patch(call: &mut Call<'_>, sql: &'static str, is_json: bool) -> Result<(), Failure> {
    // SAFETY: the values live as long as the call.
    let [document, patch] =
        [0, 1].map(|index| unsafe { ffi::sqlite3_value_bytes(call.values[index]) } as u64);
    if (document + patch).saturating_mul(patch) > PATCH_WORK_MAX {
        return Err(Failure::TooLarge);
    }
    let error = |error: crate::Error| {
        Failure::Error(error.message().trim_start_matches("SQLite: ").to_owned())
    };
    ORIGINALS.with_borrow_mut(|kept| {
        let originals = match kept {
            Some(originals) => originals,
            None => kept.insert(Originals {
                statements: HashMap::new(),
                handle: Handle::open().map_err(|_| Failure::NoMemory)?,
            }),
        };
        let statement = match originals.statements.entry(sql) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(originals.handle.prepare(sql).map_err(error)?)
            }
        };
        // SAFETY: the values live as long as the call and are copied; so is the answer, before the
        // statement is reset.
        let outcome = unsafe { statement.bind_lent(call.values) }
            .and_then(|()| statement.step())
            .map_err(error);
        if outcome.is_ok() {
            // SAFETY: as above; there is a row, because a SELECT without a table has one.
            unsafe { ffi::sqlite3_result_value(call.context, statement.lent_value()) };
            if is_json && call_is_text(statement) {
                // SAFETY: the context is the call's.
                unsafe { ffi::sqlite3_result_subtype(call.context, JSON_SUBTYPE) };
            }
        }
        statement.reset();
        statement.forget_parameters();
        outcome.map(drop)
    })
}

fn call_is_text(statement: &Statement) -> bool {
    matches!(statement.value(0), crate::change::ValueRef::Text(_))
}
