//! Restricts users' statements, and interrupts them.

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use dotdo_sqlite_sys as ffi;

/// Number of steps of SQLite's virtual machine between two checks for an interrupt.
pub(super) const STEPS_PER_POLL: c_int = 1000;

/// Modules that users may create tables with. Their content is in ordinary shadow tables, or
/// nowhere.
const MODULES: [&str; 4] = ["fts5", "fts5vocab", "rtree", "rtree_i32"];

/// The prefix of reserved names of tables, indexes and savepoints.
pub(super) const RESERVED: &str = "_dotdo";

/// Pragmas that only read, with or without an argument.
const PRAGMAS_ANSWERING: [&str; 15] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "foreign_key_list",
    "foreign_key_check",
    "integrity_check",
    "quick_check",
    "function_list",
    "collation_list",
    "compile_options",
    "pragma_list",
    "module_list",
];

/// Pragmas that read without an argument and would change the connection with one.
const PRAGMAS_READABLE: [&str; 7] = [
    "data_version",
    "page_count",
    "page_size",
    "freelist_count",
    "encoding",
    "foreign_keys",
    "recursive_triggers",
];

/// The actions of statements that define tables or indexes.
const DEFINING: [c_int; 7] = [
    ffi::SQLITE_CREATE_TABLE,
    ffi::SQLITE_CREATE_INDEX,
    ffi::SQLITE_INSERT,
    ffi::SQLITE_UPDATE,
    ffi::SQLITE_READ,
    ffi::SQLITE_FUNCTION,
    ffi::SQLITE_REINDEX,
];

/// Watches statements while SQLite compiles and runs them.
#[derive(Default)]
pub(super) struct Guard {
    /// Whether the statement is a user's. Ours may do everything.
    pub(super) user: bool,
    /// The speaker of a user's statement.
    pub(super) speaker: Speaker,
    /// Whether the statement is one of a recorded schema: it may define a table or an index, and
    /// nothing else.
    pub(super) recorded: Cell<bool>,
    /// While recorded state is restored: returns whether the time for that is over.
    pub(super) restoring: Option<Box<dyn Fn() -> bool + Send>>,
    /// Facts about the statement that was compiled last.
    pub(super) facts: Facts,
    /// Returns whether the running statement must stop.
    pub(super) interrupt: Option<Box<dyn Fn() -> bool + Send>>,
}

/// The source of a statement that runs under guard, within the limits of users' statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Speaker {
    /// An object's class, which may only read dotdo's own tables.
    #[default]
    Class,
    /// dotdo, for keys and values, stored answers and messages.
    Dotdo,
}

/// Facts about a compiled statement. They say nothing about its effects, because SQLite compiles it
/// again when the schema has changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// The savepoint that it affects. This depends only on the statement's text, not on the schema.
    pub(super) savepoint: Option<(SavepointStep, String)>,
    /// The reason why it may not run.
    pub(super) refused: Option<String>,
}

/// What a statement does with a savepoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SavepointStep {
    Begin,
    Release,
    Rollback,
}

impl Guard {
    fn authorize(
        &mut self,
        action: c_int,
        first: &str,
        second: Option<&str>,
        database: Option<&str>,
    ) -> bool {
        let reserved = self.speaker == Speaker::Class
            && named(action, first, second).into_iter().flatten().any(is_reserved);
        let refusal = match action {
            _ if reserved => named(action, first, second)
                .into_iter()
                .flatten()
                .find(|name| is_reserved(name))
                .map(refuse_reserved),
            ffi::SQLITE_CREATE_TABLE
            | ffi::SQLITE_CREATE_VIEW
            | ffi::SQLITE_CREATE_TRIGGER
            | ffi::SQLITE_CREATE_VTABLE
                if database == Some("temp") =>
            {
                Some(format!("the temporary object {first}"))
            }
            ffi::SQLITE_ATTACH => Some("ATTACH".into()),
            ffi::SQLITE_DETACH => Some("DETACH".into()),
            ffi::SQLITE_TRANSACTION => {
                Some(format!("{first} (a request is one transaction; SAVEPOINT nests in it)"))
            }
            ffi::SQLITE_CREATE_TEMP_INDEX
            | ffi::SQLITE_CREATE_TEMP_TABLE
            | ffi::SQLITE_CREATE_TEMP_TRIGGER
            | ffi::SQLITE_CREATE_TEMP_VIEW => Some(format!("the temporary object {first}")),
            ffi::SQLITE_CREATE_VTABLE => refuse_module(second.unwrap_or_default()),
            ffi::SQLITE_FUNCTION => refuse_function(second.unwrap_or_default()),
            ffi::SQLITE_PRAGMA => self.pragma(first, second),
            _ => None,
        };
        self.note(action, first, second);
        match refusal {
            Some(what) => {
                self.facts.refused.get_or_insert(what);
                false
            }
            None => true,
        }
    }

    fn note(&mut self, action: c_int, first: &str, second: Option<&str>) {
        if action == ffi::SQLITE_SAVEPOINT {
            let step = match first {
                "BEGIN" => SavepointStep::Begin,
                "RELEASE" => SavepointStep::Release,
                _ => SavepointStep::Rollback,
            };
            self.facts.savepoint = Some((step, second.unwrap_or_default().to_ascii_lowercase()));
        }
    }

    fn pragma(&mut self, name: &str, argument: Option<&str>) -> Option<String> {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "user_version" | "application_id" | "defer_foreign_keys" | "optimize" => None,
            name if PRAGMAS_ANSWERING.contains(&name) => None,
            name if PRAGMAS_READABLE.contains(&name) && argument.is_none() => None,
            name if argument.is_some() => Some(format!("PRAGMA {name} with an argument")),
            name => Some(format!("PRAGMA {name}")),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        // A panic in the caller's closure must not unwind through SQLite; the statement stops
        // instead.
        let ask = |interrupt: &(dyn Fn() -> bool + Send)| {
            catch_unwind(AssertUnwindSafe(interrupt)).unwrap_or(true)
        };
        self.restoring.as_deref().is_some_and(ask)
            || (self.user && self.interrupt.as_deref().is_some_and(ask))
    }
}

/// The names that an action changes.
fn named<'n>(action: c_int, first: &'n str, second: Option<&'n str>) -> [Option<&'n str>; 2] {
    match action {
        ffi::SQLITE_CREATE_TABLE
        | ffi::SQLITE_CREATE_VIEW
        | ffi::SQLITE_CREATE_VTABLE
        | ffi::SQLITE_DROP_TABLE
        | ffi::SQLITE_DROP_VIEW
        | ffi::SQLITE_DROP_VTABLE
        | ffi::SQLITE_INSERT
        | ffi::SQLITE_UPDATE
        | ffi::SQLITE_DELETE => [Some(first), None],
        ffi::SQLITE_CREATE_INDEX
        | ffi::SQLITE_CREATE_TRIGGER
        | ffi::SQLITE_DROP_INDEX
        | ffi::SQLITE_DROP_TRIGGER => [Some(first), second],
        ffi::SQLITE_ALTER_TABLE | ffi::SQLITE_SAVEPOINT => [None, second],
        _ => [None, None],
    }
}

/// Whether a name is reserved for dotdo: [`RESERVED`] alone (for savepoints), or followed by `_`.
pub(crate) fn is_reserved(name: &str) -> bool {
    let (Some(start), rest) =
        (name.get(..RESERVED.len()), name.get(RESERVED.len()..).unwrap_or_default())
    else {
        return false;
    };
    start.eq_ignore_ascii_case(RESERVED) && (rest.is_empty() || rest.starts_with('_'))
}

/// The error for a reserved name.
pub(super) fn refuse_reserved(name: &str) -> String {
    format!("the name {name}: names with {RESERVED}_ are reserved and read-only")
}

/// Whether objects may have virtual tables of `module`.
pub(super) fn is_module(module: &str) -> bool {
    MODULES.iter().any(|name| name.eq_ignore_ascii_case(module))
}

fn refuse_module(module: &str) -> Option<String> {
    (!is_module(module)).then(|| {
        format!("a virtual table of the module {module} (available are {})", MODULES.join(", "))
    })
}

fn refuse_function(function: &str) -> Option<String> {
    let refused =
        ["load_extension", "fts3_tokenizer"].iter().any(|name| name.eq_ignore_ascii_case(function));
    refused.then(|| format!("the function {function}()"))
}

/// The authorizer: SQLite calls it for every access of a statement while it compiles it.
///
/// # Safety
/// `guard` is the connection's [`Guard`], which nothing else borrows while SQLite runs; the texts
/// are null or C strings.
pub(super) unsafe extern "C" fn authorize(
    guard: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    _trigger: *const c_char,
) -> c_int {
    // SAFETY: this function's own contract.
    let guard = unsafe { &mut *guard.cast::<Guard>() };
    if guard.recorded.get() {
        // SAFETY: this function's own contract.
        let function = unsafe { text(second) }.filter(|_| action == ffi::SQLITE_FUNCTION);
        let is_refused = function.is_some_and(|name| refuse_function(&name).is_some());
        if is_refused || !DEFINING.contains(&action) {
            return ffi::SQLITE_DENY;
        }
    }
    if !guard.user
        || matches!(action, ffi::SQLITE_READ | ffi::SQLITE_SELECT | ffi::SQLITE_RECURSIVE)
    {
        return ffi::SQLITE_OK;
    }
    // SAFETY: this function's own contract.
    let (first, second, database) = unsafe { (text(first), text(second), text(database)) };
    if guard.authorize(
        action,
        first.as_deref().unwrap_or_default(),
        second.as_deref(),
        database.as_deref(),
    ) {
        ffi::SQLITE_OK
    } else {
        ffi::SQLITE_DENY
    }
}

/// The progress handler: SQLite calls it regularly while a statement runs.
///
/// # Safety
/// `guard` is the connection's [`Guard`], which nothing else borrows while SQLite runs.
pub(super) unsafe extern "C" fn poll(guard: *mut c_void) -> c_int {
    // SAFETY: this function's own contract.
    let guard = unsafe { &*guard.cast::<Guard>() };
    c_int::from(guard.is_over())
}

/// # Safety
/// `text` is null or a C string that lives as long as the answer is used.
unsafe fn text<'a>(text: *const c_char) -> Option<Cow<'a, str>> {
    // SAFETY: this function's own contract.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy())
}
