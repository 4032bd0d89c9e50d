//! The value of `dotdo config set`: from the arguments, from standard input, or from a prompt.

use std::io::{self, IsTerminal as _, Read as _};

use dotdo::commands::KnownSetting;

use crate::failure::{Failure, note};
use crate::terminal;

/// Maximum size of a value on standard input, in bytes: the key of a service account has 2 KiB.
const VALUE_BYTES_MAX: u64 = 64 << 10;

/// The value that was given, or is asked for.
///
/// # Errors
///
/// `Usage` when there is none; `Failed` when standard input can't be read.
pub(super) fn value(
    known: &KnownSetting,
    name: &str,
    given: Option<&str>,
) -> Result<String, Failure> {
    if let Some(value) = given {
        if known.is_secret() {
            note(&format!(
                "warning: {name} is a secret, and arguments are seen by other programs and kept in the shell's history; \
                 next time leave it out: it is then asked for, or read from standard input"
            ));
        }
        return Ok(value.to_owned());
    }
    if !io::stdin().is_terminal() {
        return from_input(name);
    }
    let answer = if known.is_secret() {
        terminal::ask_hidden(&format!("{name} (not shown): "))
    } else {
        terminal::ask(&format!("{name}: "))
    };
    let answer = answer.map_err(|cause| Failure::of("can't read from the terminal", cause))?;
    answer.ok_or_else(|| none(name))
}

fn from_input(name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    io::stdin()
        .take(VALUE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|cause| Failure::of("can't read standard input", cause))?;
    if text.len() as u64 > VALUE_BYTES_MAX {
        return Err(Failure::Usage(format!(
            "standard input: expected a value of at most {} KiB, got more",
            VALUE_BYTES_MAX >> 10
        )));
    }
    let value = text.trim_end_matches(['\n', '\r']);
    if value.is_empty() { Err(none(name)) } else { Ok(value.to_owned()) }
}

fn none(name: &str) -> Failure {
    Failure::Usage(format!(
        "no value for {name}: give it as an argument, or on standard input (`dotdo config set {name} < FILE`)"
    ))
}
