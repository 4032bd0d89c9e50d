//! What a check found.

use std::io::IsTerminal as _;

use serde_json::{Value, json};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    Warning,
    Failed,
    Skipped,
}

/// What a check found.
#[derive(Debug)]
pub(super) struct Finding {
    name: &'static str,
    pub(super) outcome: Outcome,
    seen: String,
    next: Option<String>,
    details: Value,
}

impl Finding {
    fn new(name: &'static str, outcome: Outcome, seen: impl Into<String>) -> Self {
        Self { name, outcome, seen: seen.into(), next: None, details: Value::Null }
    }

    pub(super) fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, Outcome::Ok, seen)
    }

    pub(super) fn skipped(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, Outcome::Skipped, seen)
    }

    /// Something that may be a problem, and what to do.
    pub(super) fn warning(
        name: &'static str,
        seen: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self { next: Some(next.into()), ..Self::new(name, Outcome::Warning, seen) }
    }

    /// Something that a server can't run with.
    pub(super) fn failed(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, Outcome::Failed, seen)
    }

    pub(super) fn with_next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// The same with what programs want to know.
    pub(super) fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "outcome": self.outcome.name(),
            "seen": self.seen,
            "next": self.next,
            "details": self.details,
        })
    }

    /// The lines for people.
    pub(super) fn text(&self) -> String {
        let outcome = format!("{:<8}", self.outcome.name());
        let outcome = match (self.outcome.colour(), is_coloured()) {
            (Some(colour), true) => format!("\u{1b}[{colour}m{outcome}\u{1b}[0m"),
            _ => outcome,
        };
        let seen = self.seen.replace('\n', "\n                   ");
        let next = self.next.iter().map(|next| format!("\n                   next: {next}"));
        format!("{outcome} {:<9} {seen}{}", self.name, next.collect::<String>())
    }
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn colour(self) -> Option<u8> {
        match self {
            Self::Ok => Some(32),
            Self::Warning => Some(33),
            Self::Failed => Some(31),
            Self::Skipped => None,
        }
    }
}

/// Whether the output may have colours: on a terminal, unless `NO_COLOR` is set.
fn is_coloured() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
