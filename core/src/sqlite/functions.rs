//! Replacements for SQLite functions that take more than linear time. They return the same in
//! linear time, check for an interrupt, or refuse what would take too long. SQLite itself checks
//! only between the steps of its virtual machine, and a call of a function is one step.
//!
//! Also the functions of mathematics, which SQLite is compiled without.
//!
//! Every connection has them, even for replay: users' schemas may call them in indexes, generated
//! columns and CHECKs.

mod json;
mod math;
mod text;

use std::ffi::{CStr, c_int, c_void};

use dotdo_sqlite_sys as ffi;

use super::error::from_code;
use super::guard::Guard;
use super::handle::Handle;
use super::memory::Caller;
use super::statement::bytes;
use crate::Result;

/// Number of comparisons between two checks for an interrupt.
const COMPARISONS_PER_POLL: usize = 1 << 16;

type Function =
    unsafe extern "C" fn(*mut ffi::sqlite3_context, c_int, *mut *mut ffi::sqlite3_value);

/// Functions that answer the same on every machine.
const FUNCTIONS: [(&CStr, c_int, Function); 17] = [
    (c"instr", 2, instr),
    (c"replace", 3, replace),
    (c"trim", 2, trim_both),
    (c"ltrim", 2, trim_start),
    (c"rtrim", 2, trim_end),
    (c"unhex", 2, unhex),
    (c"json_patch", 2, json_patch),
    (c"jsonb_patch", 2, jsonb_patch),
    (c"ceil", 1, ceil),
    (c"ceiling", 1, ceil),
    (c"degrees", 1, degrees),
    (c"floor", 1, floor),
    (c"mod", 2, remainder),
    (c"pi", 0, pi),
    (c"radians", 1, radians),
    (c"sqrt", 1, sqrt),
    (c"trunc", 1, trunc),
];

/// Functions whose last bit depends on the machine.
const OF_THE_SYSTEM: [(&CStr, c_int, Function); 21] = [
    (c"acos", 1, acos),
    (c"acosh", 1, acosh),
    (c"asin", 1, asin),
    (c"asinh", 1, asinh),
    (c"atan", 1, atan),
    (c"atan2", 2, atan2),
    (c"atanh", 1, atanh),
    (c"cos", 1, cos),
    (c"cosh", 1, cosh),
    (c"exp", 1, exp),
    (c"ln", 1, ln),
    (c"log", 1, log10),
    (c"log", 2, log),
    (c"log10", 1, log10),
    (c"log2", 1, log2),
    (c"pow", 2, power),
    (c"power", 2, power),
    (c"sin", 1, sin),
    (c"sinh", 1, sinh),
    (c"tan", 1, tan),
    (c"tanh", 1, tanh),
];

/// Registers the functions in a connection.
///
/// # Safety
/// `guard` is the connection's [`Guard`] and lives until after the connection is closed.
pub(super) unsafe fn register(handle: &Handle, guard: *mut c_void) -> Result<()> {
    let _entered = handle.account().enter(Caller::Own);
    let flags = ffi::SQLITE_UTF8 | ffi::SQLITE_INNOCUOUS;
    let everywhere = flags | ffi::SQLITE_DETERMINISTIC | ffi::SQLITE_RESULT_SUBTYPE;
    let all = FUNCTIONS.map(|function| (function, everywhere));
    let all = all.into_iter().chain(OF_THE_SYSTEM.map(|function| (function, flags)));
    for ((name, arguments, function), flags) in all {
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

/// One call of a function. Everything in it is borrowed from SQLite until the function returns.
struct Call<'c> {
    context: *mut ffi::sqlite3_context,
    values: &'c [*mut ffi::sqlite3_value],
    comparisons: usize,
}

/// Why a function returns no value.
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

    /// An argument as text; `None` for NULL. The pointer stays valid while the argument is not read
    /// as another type.
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

    /// An argument as a number, also one that is written as text; `None` for anything else.
    fn number(&self, index: usize) -> Option<f64> {
        let is_number =
            [ffi::SQLITE_INTEGER, ffi::SQLITE_FLOAT].contains(&self.numeric_kind(index));
        // SAFETY: the value lives as long as the call.
        is_number.then(|| unsafe { ffi::sqlite3_value_double(self.values[index]) })
    }

    fn numeric_kind(&self, index: usize) -> c_int {
        // SAFETY: the value lives as long as the call.
        unsafe { ffi::sqlite3_value_numeric_type(self.values[index]) }
    }

    /// Returns a number; NULL for what is none.
    fn real(&self, value: f64) {
        // SAFETY: the context is the call's.
        unsafe { ffi::sqlite3_result_double(self.context, value) }
    }

    /// Returns an argument as an integer.
    fn integer_of(&self, index: usize) {
        // SAFETY: the context and the value live as long as the call.
        unsafe {
            ffi::sqlite3_result_int64(self.context, ffi::sqlite3_value_int64(self.values[index]));
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

    /// Counts a comparison, and checks for an interrupt from time to time.
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

    /// Returns a text or blob of this length, whose memory SQLite allocates and `fill` fills.
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

    /// Reports an error to SQLite. A function that returns neither a value nor an error returns
    /// NULL.
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
    instr => text::find;
    replace => text::exchange;
    trim_both => |call| text::trim(call, true, true);
    trim_start => |call| text::trim(call, true, false);
    trim_end => |call| text::trim(call, false, true);
    unhex => text::decode_hex;
    json_patch => |call| json::patch(call, "SELECT json_patch(?, ?)", true);
    jsonb_patch => |call| json::patch(call, "SELECT jsonb_patch(?, ?)", false);
    ceil => |call| math::rounded(call, f64::ceil);
    degrees => |call| math::one(call, math::degrees);
    floor => |call| math::rounded(call, f64::floor);
    remainder => |call| math::two(call, math::remainder);
    pi => |call| math::pi(call);
    radians => |call| math::one(call, math::radians);
    sqrt => |call| math::one(call, f64::sqrt);
    trunc => |call| math::rounded(call, f64::trunc);
    acos => |call| math::one(call, f64::acos);
    acosh => |call| math::one(call, f64::acosh);
    asin => |call| math::one(call, f64::asin);
    asinh => |call| math::one(call, f64::asinh);
    atan => |call| math::one(call, f64::atan);
    atan2 => |call| math::two(call, f64::atan2);
    atanh => |call| math::one(call, f64::atanh);
    cos => |call| math::one(call, f64::cos);
    cosh => |call| math::one(call, f64::cosh);
    exp => |call| math::one(call, f64::exp);
    ln => |call| math::logarithm(call, f64::ln);
    log => |call| math::logarithm_to(call);
    log10 => |call| math::logarithm(call, f64::log10);
    log2 => |call| math::logarithm(call, f64::log2);
    power => |call| math::two(call, f64::powf);
    sin => |call| math::one(call, f64::sin);
    sinh => |call| math::one(call, f64::sinh);
    tan => |call| math::one(call, f64::tan);
    tanh => |call| math::one(call, f64::tanh);
}
