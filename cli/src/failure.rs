//! Why a command fails, and its exit code.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use dotdo::engine::Secret;

/// Why a command fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was used wrongly, or the settings are wrong.
    Usage(String),
    /// It could not be done.
    Failed(String),
    /// It could not be done now; the same may succeed later.
    Later(String),
    /// A server, or what stands for one on a bucket, refuses it.
    Refused {
        /// The stable code of the error.
        code: String,
        /// The sentence for the user, with what to do.
        message: String,
    },
    /// The user has ended it.
    Interrupted,
    /// Nobody reads the output any more, as in `dotdo ls | head`.
    Unread,
}

impl Failure {
    /// The failure of a request, a file or the like, with what was being done.
    pub(crate) fn of(doing: &str, cause: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{doing}: {cause}"))
    }

    /// The sentence for the user.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Usage(message) | Self::Failed(message) | Self::Later(message) => message,
            Self::Refused { message, .. } => message,
            Self::Interrupted => "interrupted",
            Self::Unread => "nobody reads the output",
        }
    }
}

impl From<dotdo::Error> for Failure {
    fn from(error: dotdo::Error) -> Self {
        match error.kind() {
            dotdo::ErrorKind::Invalid => Self::Usage(error.message().to_owned()),
            _ => Self::Failed(error.message().to_owned()),
        }
    }
}

/// Prints why a command failed, and gives its exit code.
pub(crate) fn report(outcome: Result<(), Failure>) -> ExitCode {
    ended(outcome.map(|()| ExitCode::SUCCESS))
}

/// The exit code of a command that has several ways to succeed; prints why it failed.
pub(crate) fn ended(outcome: Result<ExitCode, Failure>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        // Whoever has stopped reading has what they want.
        Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(failure) => {
            note(&format!("dotdo: {}", failure.message()));
            ExitCode::from(if matches!(failure, Failure::Usage(_)) { 2 } else { 1 })
        }
    }
}

/// Prints a line for people, apart from the command's output.
pub(crate) fn note(line: &str) {
    // An error on standard error can be reported nowhere.
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints the command's output. An error means that nobody reads any more, as in `dotdo token | head`.
pub(crate) fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Prints a part of the command's output, without an end of line.
///
/// # Errors
///
/// `Unread` when nobody reads it.
pub(crate) fn put(text: &str) -> Result<(), Failure> {
    io::stdout().write_all(text.as_bytes()).map_err(|_| Failure::Unread)
}

/// Whether somebody else's text has the beginning of a secret in it, which was sent to them.
pub(crate) fn repeats(text: &str, secret: &Secret) -> bool {
    /// Number of bytes by which a secret is recognised, also where its end was cut off.
    const KNOWN_BYTES: usize = 16;
    let secret = secret.reveal();
    let start = secret.get(..KNOWN_BYTES).unwrap_or(secret);
    !start.is_empty() && text.contains(start)
}

/// Why a request was not answered: "connection refused" rather than "error sending request".
pub(crate) fn unanswered(error: &reqwest::Error, most: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", most.as_secs());
    }
    let mut text = "no connection".to_owned();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    plain(&text)
}

/// Text of others on one line, without control characters and not too long.
pub(crate) fn plain(text: &str) -> String {
    /// Number of characters of somebody else's text that are shown.
    const SHOWN_CHARS_MAX: usize = 200;
    let printable = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    printable.take(SHOWN_CHARS_MAX).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_the_text_of_others_also_when_its_end_was_cut_off() {
        let secret = Secret::new("0123456789abcdefghijklmnopqrstuvwxyz");
        assert!(repeats("got 0123456789abcdefghij", &secret));
        assert!(!repeats("got 0123456789", &secret) && !repeats("anything", &Secret::new("")));
        assert!(repeats("got short", &Secret::new("short")));
    }

    #[test]
    fn text_of_others_is_one_short_line() {
        assert_eq!(plain(" a\nb\u{1b}[31m "), "a b [31m");
        assert_eq!(plain(&"x".repeat(1000)).len(), 200);
    }
}
