//! Functions of SQLite's that take more than linear time, replaced by ones that answer the same in
//! linear time, ask whether to stop, or refuse what would take too long. SQLite itself asks only
//! between the steps of its machine, and a call of a function is one step.
//!
//! Every connection has them, also one that replays: users' schemas may call them in indexes,
//! generated columns and CHECKs.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, c_int, c_void};

use dotdo_sqlite_sys as ffi;
use memchr::memmem;

use super::error::from_code;
use super::guard::Guard;
use super::handle::Handle;
use super::memory::Caller;
use super::statement::{Statement, bytes};
use crate::Result;

/// How many comparisons lie between two questions whether to stop.
const COMPARISONS_PER_POLL: usize = 1 << 16;

/// The largest product of sizes, in square bytes, that `json_patch` takes: it looks for each label
/// of the patch among those of the document, one by one. Two documents of 90 KiB take about a
/// second.
const PATCH_WORK_MAX: u64 = 1 << 33;

/// The subtype by which SQLite's JSON functions know that a text is JSON.
const JSON_SUBTYPE: u32 = b'J' as u32;

type Function =
    unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value);

const FUNCTIONS: [(&CStr, c_int, Function); 8] = [
    (c"instr", 2, instr),
    (c"replace", 3, replace),
    (c"trim", 2, trim_both),
    (c"ltrim", 2, trim_start),
    (c"rtrim", 2, trim_end),
    (c"unhex", 2, unhex),
    (c"json_patch", 2, json_patch),
    (c"jsonb_patch", 2, jsonb_patch),
];

/// Puts the functions into a connection.
///
/// # Safety
/// `guard` is the connection's [`Guard`] and lives until after the connection is closed.
pub(super) unsafe fn register(handle: &Handle, guard: *mut c_void) -> Result<()> {
    let _entered = handle.account().enter(Caller::Own);
    let flags = ffi::SQLITE_UTF8
        | ffi::SQLITE_DETERMINISTIC
        | ffi::SQLITE_INNOCUOUS
        | ffi::SQLITE_RESULT_SUBTYPE;
    for (name, arguments, function) in FUNCTIONS {
        // SAFETY: the connection is open, the name is a C string, and the caller answers for the
        // guard.
        let code = unsafe {
            ffi::sqlite3_create_function_v2(
                handle.raw(),
                name.as_ptr(),
                arguments,
                flags,
                guard,
                Some(function),
                None,
                None,
                None,
            )
        };
        if code != ffi::SQLITE_OK {
            return Err(from_code(handle.raw(), code));
        }
    }
    Ok(())
}

/// One call of a function: SQLite lends all of it until the function returns.
struct Call<'c> {
    context: *mut ffi::sqlite3_context,
    values: &'c [*mut ffi::sqlite3_value],
    comparisons: usize,
}

/// Why a function has no answer.
enum Failure {
    NoMemory,
    TooLarge,
    TimeOver,
    Error(String),
}

impl<'c> Call<'c> {
    /// # Safety
    /// Called by SQLite with these arguments, and used until the function returns.
    unsafe fn new(
        context: *mut ffi::sqlite3_context,
        count: c_int,
        values: *mut *mut ffi::sqlite3_value,
    ) -> Self {
        // SAFETY: the caller's promise.
        Self {
            context,
            values: unsafe { std::slice::from_raw_parts(values, count as usize) },
            comparisons: 0,
        }
    }

    fn kind(&self, index: usize) -> c_int {
        // SAFETY: the value lives as long as the call.
        unsafe { ffi::sqlite3_value_type(self.values[index]) }
    }

    /// An argument as text; `None` for NULL. It stays where it is as long as the argument is not
    /// asked for as anything else.
    fn text(&self, index: usize) -> Result<Option<&'c [u8]>, Failure> {
        let value = self.values[index];
        // SAFETY: the value lives as long as the call; the length is asked after the pointer.
        unsafe {
            let start = ffi::sqlite3_value_text(value);
            match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_NULL => Ok(None),
                _ if start.is_null() => Err(Failure::NoMemory),
                _ => Ok(Some(bytes(start, ffi::sqlite3_value_bytes(value)))),
            }
        }
    }

    fn blob(&self, index: usize) -> Result<&'c [u8], Failure> {
        let value = self.values[index];
        // SAFETY: as in `text`. A blob without memory for its zeroes has a length and no pointer.
        unsafe {
            let start = ffi::sqlite3_value_blob(value);
            let length = ffi::sqlite3_value_bytes(value);
            if start.is_null() && length > 0 {
                Err(Failure::NoMemory)
            } else {
                Ok(bytes(start.cast(), length))
            }
        }
    }

    /// Counts a comparison, and asks from time to time whether to stop.
    fn compare(&mut self) -> Result<(), Failure> {
        self.comparisons += 1;
        if !self.comparisons.is_multiple_of(COMPARISONS_PER_POLL) {
            return Ok(());
        }
        // SAFETY: the function was registered with its connection's guard, which nothing borrows
        // mutably while SQLite runs.
        let guard = unsafe { &*ffi::sqlite3_user_data(self.context).cast::<Guard>() };
        if guard.is_over() { Err(Failure::TimeOver) } else { Ok(()) }
    }

    /// Memory of SQLite's for an answer of so many bytes, filled by `fill`; it becomes a text, or a
    /// blob.
    fn answer(
        &self,
        length: usize,
        is_text: bool,
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Failure> {
        // SAFETY: asks a limit of the connection that the call belongs to.
        let limit = unsafe {
            ffi::sqlite3_limit(
                ffi::sqlite3_context_db_handle(self.context),
                ffi::SQLITE_LIMIT_LENGTH,
                -1,
            )
        };
        if length > limit as usize {
            return Err(Failure::TooLarge);
        }
        let mut text = Vec::new();
        text.try_reserve_exact(length).map_err(|_| Failure::NoMemory)?;
        fill(&mut text);
        // SAFETY: the bytes are copied during the call, into memory that is SQLite's and is counted
        // and bounded.
        unsafe {
            let (start, length, transient) =
                (text.as_ptr(), text.len() as u64, ffi::SQLITE_TRANSIENT());
            if is_text {
                ffi::sqlite3_result_text64(
                    self.context,
                    start.cast(),
                    length,
                    transient,
                    ffi::SQLITE_UTF8 as u8,
                );
            } else if text.is_empty() {
                ffi::sqlite3_result_zeroblob(self.context, 0);
            } else {
                ffi::sqlite3_result_blob64(self.context, start.cast(), length, transient);
            }
        }
        Ok(())
    }

    /// Tells SQLite what went wrong. Without an answer and without an error, the answer is NULL.
    fn end(&self, outcome: Result<(), Failure>) {
        // SAFETY: the context is the call's; a message is copied.
        unsafe {
            match outcome {
                Ok(()) => {}
                Err(Failure::NoMemory) => ffi::sqlite3_result_error_nomem(self.context),
                Err(Failure::TooLarge) => ffi::sqlite3_result_error_toobig(self.context),
                Err(Failure::TimeOver) => {
                    ffi::sqlite3_result_error_code(self.context, ffi::SQLITE_INTERRUPT)
                }
                Err(Failure::Error(text)) => ffi::sqlite3_result_error(
                    self.context,
                    text.as_ptr().cast(),
                    text.len() as c_int,
                ),
            }
        }
    }
}

/// Defines functions for SQLite by ones that take a [`Call`]. None of them panics: they only read
/// slices by ranges that were found in them.
macro_rules! functions {
    ($($name:ident => $body:expr;)*) => { $(
        unsafe extern "C" fn $name(context: *mut ffi::sqlite3_context, count: c_int, values: *mut *mut ffi::sqlite3_value) {
            // SAFETY: SQLite calls it.
            let mut call = unsafe { Call::new(context, count, values) };
            let body: fn(&mut Call<'_>) -> Result<(), Failure> = $body;
            let outcome = body(&mut call);
            call.end(outcome);
        }
    )* };
}

functions! {
    instr => find;
    replace => exchange;
    trim_both => |call| trim(call, true, true);
    trim_start => |call| trim(call, true, false);
    trim_end => |call| trim(call, false, true);
    unhex => decode_hex;
    json_patch => |call| patch(call, "SELECT json_patch(?, ?)", true);
    jsonb_patch => |call| patch(call, "SELECT jsonb_patch(?, ?)", false);
}

/// Where the second argument begins in the first, counted from 1: in bytes when both are blobs, in
/// characters otherwise.
fn find(call: &mut Call<'_>) -> Result<(), Failure> {
    let kinds = [call.kind(0), call.kind(1)];
    if kinds.contains(&ffi::SQLITE_NULL) {
        return Ok(());
    }
    let are_blobs = kinds == [ffi::SQLITE_BLOB; 2];
    let (text, part) = if are_blobs {
        (call.blob(0)?, call.blob(1)?)
    } else {
        // A blob beside a text has the text of its bytes.
        let [text, part] = [0, 1].map(|index| {
            if kinds[index] == ffi::SQLITE_BLOB {
                call.blob(index).map(Some)
            } else {
                call.text(index)
            }
        });
        (text?.unwrap_or_default(), part?.unwrap_or_default())
    };
    let found = match part.first() {
        None => Some(0),
        // Of such a text SQLite looks at the beginning only: elsewhere it steps over what continues
        // a character.
        Some(byte) if !are_blobs && is_continuation(*byte) => text.starts_with(part).then_some(0),
        Some(_) => memmem::find(text, part),
    };
    let position = match found {
        None => 0,
        Some(at) if are_blobs => at + 1,
        // The first byte counts as a character, whatever it is.
        Some(at) => {
            1 + text
                .get(1..=at)
                .unwrap_or_default()
                .iter()
                .filter(|byte| !is_continuation(**byte))
                .count()
        }
    };
    // SAFETY: the context is the call's.
    unsafe { ffi::sqlite3_result_int64(call.context, position as i64) };
    Ok(())
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// The first argument with the third in place of the second.
fn exchange(call: &mut Call<'_>) -> Result<(), Failure> {
    let (Some(text), Some(part)) = (call.text(0)?, call.text(1)?) else { return Ok(()) };
    if part.first().is_none_or(|byte| *byte == 0) {
        return call.answer(text.len(), true, |answer| answer.extend_from_slice(text));
    }
    let Some(by) = call.text(2)? else { return Ok(()) };
    let finder = memmem::Finder::new(part);
    let count = finder.find_iter(text).count();
    let length = (text.len() - count * part.len()).saturating_add(count.saturating_mul(by.len()));
    call.answer(length, true, |answer| {
        let mut rest = 0;
        for at in finder.find_iter(text) {
            answer.extend_from_slice(&text[rest..at]);
            answer.extend_from_slice(by);
            rest = at + part.len();
        }
        answer.extend_from_slice(&text[rest..]);
    })
}

/// The first argument without the characters of the second at its start, or end.
fn trim(call: &mut Call<'_>, at_start: bool, at_end: bool) -> Result<(), Failure> {
    let (Some(mut text), Some(set)) = (call.text(0)?, call.text(1)?) else { return Ok(()) };
    let characters = distinct_characters(set);
    let mut find = |matches: &dyn Fn(&[u8]) -> bool| {
        for character in &characters {
            call.compare()?;
            if matches(character) {
                return Ok(character.len());
            }
        }
        Ok(0)
    };
    while at_start && !text.is_empty() {
        match find(&|character| text.starts_with(character))? {
            0 => break,
            length => text = &text[length..],
        }
    }
    while at_end && !text.is_empty() {
        match find(&|character| text.ends_with(character))? {
            0 => break,
            length => text = &text[..text.len() - length],
        }
    }
    call.answer(text.len(), true, |answer| answer.extend_from_slice(text))
}

/// The characters before the first NUL as SQLite takes them apart, each once, in the order in which
/// they come first.
fn distinct_characters(set: &[u8]) -> Vec<&[u8]> {
    let mut rest = set.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut seen = HashSet::new();
    let mut characters = Vec::new();
    while !rest.is_empty() {
        let (character, after) = rest.split_at(character_length(rest));
        if seen.insert(character) {
            characters.push(character);
        }
        rest = after;
    }
    characters
}

/// How many bytes SQLite takes for the first character.
fn character_length(text: &[u8]) -> usize {
    match text {
        [0xc0..=0xff, rest @ ..] => {
            1 + rest.iter().take_while(|byte| is_continuation(**byte)).count()
        }
        _ => text.len().min(1),
    }
}

/// The first character as SQLite decodes it.
fn decode(character: &[u8]) -> u32 {
    let Some((first, rest)) = character.split_first() else { return 0 };
    let start = match first {
        0xc0..=0xdf => first & 0x1f,
        0xe0..=0xef => first & 0x0f,
        0xf0..=0xf7 => first & 0x07,
        0xf8..=0xfb => first & 0x03,
        0xfc | 0xfd => first & 0x01,
        0xfe | 0xff => 0,
        ascii_or_continuation => return u32::from(*ascii_or_continuation),
    };
    let code =
        rest.iter().fold(u32::from(start), |code, byte| (code << 6) | u32::from(byte & 0x3f));
    if code < 0x80 || code & 0xffff_f800 == 0xd800 || code & 0xffff_fffe == 0xfffe {
        0xfffd
    } else {
        code
    }
}

/// The bytes that the first argument's hexadecimal digits stand for; the characters of the second
/// may stand between bytes.
fn decode_hex(call: &mut Call<'_>) -> Result<(), Failure> {
    let (Some(text), Some(set)) = (call.text(0)?, call.text(1)?) else { return Ok(()) };
    let mut rest = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut passing = HashSet::new();
    let mut set = set;
    while !set.is_empty() {
        let (character, after) = set.split_at(character_length(set));
        passing.insert(decode(character));
        set = after;
    }
    let mut decoded = Vec::new();
    while let Some(first) = rest.first() {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let Some(high) = digit(first) else {
            let (character, after) = rest.split_at(character_length(rest));
            if !passing.contains(&decode(character)) {
                return Ok(());
            }
            rest = after;
            continue;
        };
        let Some(low) = rest.get(1).and_then(digit) else { return Ok(()) };
        decoded.push((high << 4 | low) as u8);
        rest = &rest[2..];
    }
    call.answer(decoded.len(), false, |answer| *answer = decoded)
}

thread_local! {
    /// A connection with SQLite's own functions, and the statements that call them.
    static ORIGINALS: RefCell<Option<Originals>> = const { RefCell::new(None) };
}

struct Originals {
    // Dropped before the connection.
    statements: HashMap<&'static str, Statement>,
    handle: Handle,
}

/// SQLite's own function, when the work is not too much.
fn patch(call: &mut Call<'_>, sql: &'static str, is_json: bool) -> Result<(), Failure> {
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
