//! SQLite's mathematical functions, as its documentation describes them
//! (<https://www.sqlite.org/lang_mathfunc.html>).
//!
//! Those that every machine computes to the same last bit (IEEE 754: roots, remainders, rounding,
//! one multiplication) may be used in indexes and generated columns. The others are the system's
//! library's, which may differ, so they are not deterministic: what is stored of a column is made
//! again from its expression by whoever restores it.

use std::f64::consts::PI;

use dotdo_sqlite_sys as ffi;

use super::{Call, Failure};

/// What a function answers; nothing answers NULL.
type Answer = Result<(), Failure>;

/// A function of one number.
pub(super) fn one(call: &Call<'_>, compute: impl Fn(f64) -> f64) -> Answer {
    if let Some(value) = call.number(0) {
        call.real(compute(value));
    }
    Ok(())
}

/// A function of two numbers.
pub(super) fn two(call: &Call<'_>, compute: impl Fn(f64, f64) -> f64) -> Answer {
    if let (Some(first), Some(second)) = (call.number(0), call.number(1)) {
        call.real(compute(first, second));
    }
    Ok(())
}

/// A function that rounds; an integer stays one.
pub(super) fn rounded(call: &Call<'_>, round: impl Fn(f64) -> f64) -> Answer {
    if call.numeric_kind(0) == ffi::SQLITE_INTEGER {
        call.integer_of(0);
        return Ok(());
    }
    one(call, round)
}

/// A logarithm, which only positive numbers have.
pub(super) fn logarithm(call: &Call<'_>, compute: impl Fn(f64) -> f64) -> Answer {
    if let Some(value) = call.number(0).filter(|value| *value > 0.0) {
        call.real(compute(value));
    }
    Ok(())
}

/// The logarithm of the second number to the base of the first.
pub(super) fn logarithm_to(call: &Call<'_>) -> Answer {
    let positive = |index| call.number(index).filter(|value| *value > 0.0);
    if let (Some(base), Some(value)) = (positive(0), positive(1))
        && base.ln() > 0.0
    {
        call.real(value.ln() / base.ln());
    }
    Ok(())
}

pub(super) fn pi(call: &Call<'_>) -> Answer {
    call.real(PI);
    Ok(())
}

pub(super) fn degrees(radians: f64) -> f64 {
    radians * (180.0 / PI)
}

pub(super) fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

/// C's `fmod`.
pub(super) fn remainder(dividend: f64, divisor: f64) -> f64 {
    dividend % divisor
}
