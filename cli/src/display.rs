//! What only a terminal shows: colours, and the progress of long work.
//!
//! Promises: nothing of it where no terminal is; no colour with `NO_COLOR` or `TERM=dumb`.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often progress is drawn while nothing else happens.
const TICK: Duration = Duration::from_millis(120);

/// Gives text a colour, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    is_on: bool,
}

impl Paint {
    /// For standard output.
    pub(crate) fn stdout() -> Self {
        Self { is_on: io::stdout().is_terminal() && wants_colour() }
    }

    /// For text that is not for a terminal.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { is_on: false }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Whether the environment allows colours (<https://no-color.org>).
fn wants_colour() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// The progress of work with `total` steps, on standard error if that is a terminal.
pub(crate) fn steps(total: u64) -> ProgressBar {
    bar(Some(total), "{spinner} {wide_msg} [{bar:24}] {pos}/{len} {eta}")
}

/// The progress of work whose length is not known.
pub(crate) fn spinner() -> ProgressBar {
    bar(None, "{spinner} {wide_msg} {elapsed}")
}

fn bar(total: Option<u64>, template: &str) -> ProgressBar {
    let target = if io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(template).expect("the templates are ours");
    let style =
        if wants_unicode() { style } else { style.tick_chars("-\\|/ ").progress_chars("=> ") };
    let bar = ProgressBar::with_draw_target(total, target).with_style(style);
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    bar
}

/// Whether the terminal shows more than ASCII, as far as the locale tells.
fn wants_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|name| std::env::var(name).ok());
    locale.into_iter().find(|value| !value.is_empty()).is_some_and(|value| {
        let value = value.to_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}
