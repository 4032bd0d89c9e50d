//! Logs, including panics, set up once at startup.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::PanicHookInfo;

use dotdo_core::Result;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::traces::{self, TraceSettings};

/// The target of the lines of the audit log, which are written at every level but `off`.
pub(crate) const AUDIT: &str = "dotdo::audit";

/// Libraries that log details only if they are named (`h2=debug`), not by a global level.
const QUIET: [&str; 7] =
    ["h2", "hyper", "hyper_util", "object_store", "reqwest", "rustls", "iceberg"];

/// Settings of the log.
#[derive(Debug, Clone)]
pub(crate) struct LogSettings {
    /// A level, or a list of levels by target.
    pub(crate) level: Option<String>,
    /// The format.
    pub(crate) format: LogFormat,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Human-readable on a terminal, otherwise JSON.
    Auto,
    /// Human-readable.
    Human,
    /// One JSON object per line.
    Json,
}

/// Whether `text` is a level, or a list like `info,dotdo_core=debug`.
pub(crate) fn is_log_filter(text: &str) -> bool {
    let level = |word: &str| {
        ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
    };
    let target = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte))
    };
    text.split(',').all(|part| match part.trim().split_once('=') {
        Some((name, word)) => target(name) && level(word),
        None => level(part.trim()),
    })
}

/// The filter for a text that [`is_log_filter`] accepts.
fn filter(text: &str) -> Targets {
    let given: Targets = text.replace(' ', "").to_lowercase().parse().unwrap_or_default();
    let wordy = given.default_level().is_some_and(|level| level > LevelFilter::INFO);
    let audits = given.default_level().is_some_and(|level| level < LevelFilter::INFO)
        && given.default_level() != Some(LevelFilter::OFF)
        && !given.iter().any(|(target, _)| target == AUDIT);
    let given = if audits { given.with_target(AUDIT, LevelFilter::INFO) } else { given };
    let quiet =
        QUIET.iter().filter(|name| wordy && !given.iter().any(|(target, _)| target == **name));
    quiet.fold(given.clone(), |filter, name| filter.with_target(*name, LevelFilter::INFO))
}

/// Starts to log to standard error, including panics, and to send traces if they are on. Does
/// nothing if the program has its own subscriber.
///
/// # Errors
///
/// `Invalid` for settings of traces that can't be used.
pub(crate) fn start_logs(settings: &LogSettings, traces: &TraceSettings) -> Result<()> {
    let terminal = io::stderr().is_terminal();
    let human = match settings.format {
        LogFormat::Auto => terminal,
        LogFormat::Human => true,
        LogFormat::Json => false,
    };
    let filter = filter(settings.level.as_deref().unwrap_or("info"));
    // Spans are for traces only. The check whether anything would be logged (`enabled!`) is neither
    // a span nor an event; a filter that refuses it drops the event after it.
    let filter =
        filter.and(filter_fn(|meta| !meta.is_span()).with_max_level_hint(LevelFilter::TRACE));
    let registry = tracing_subscriber::registry().with(traces::layer(traces)?);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let started = if human {
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        registry.with(layer.with_ansi(colours).with_target(false).with_filter(filter)).try_init()
    } else {
        registry
            .with(
                layer
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_filter(filter),
            )
            .try_init()
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("something that is not text");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(panic = message, location, thread = thread.name(), %backtrace, "panic");
    } else {
        tracing::error!(panic = message, location, thread = thread.name(), "panic");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_levels_by_target() {
        for good in
            ["info", "DEBUG", "off", "info,dotdo_core=debug", "warn, h2=trace", "dotdo::http=info"]
        {
            assert!(is_log_filter(good), "{good}");
        }
        for bad in
            ["", "infoo", "info,", "dotdo=", "=info", "dotdo=loud", "info;debug", "[span]=info"]
        {
            assert!(!is_log_filter(bad), "{bad}");
        }
    }

    #[test]
    fn libraries_log_only_if_they_are_named() {
        let all = filter("debug");
        assert!(
            all.would_enable("dotdo_core::log", &tracing::Level::DEBUG)
                && all.would_enable("users_crate", &tracing::Level::DEBUG)
        );
        assert!(
            !all.would_enable("h2::codec", &tracing::Level::DEBUG)
                && all.would_enable("h2::codec", &tracing::Level::INFO)
        );
        assert!(filter("debug,h2=trace").would_enable("h2::codec", &tracing::Level::TRACE));
        assert!(!filter("warn").would_enable("h2", &tracing::Level::INFO));
    }

    #[test]
    fn decisions_are_logged_at_every_level_unless_the_log_or_they_are_off() {
        let is_on = |text| filter(text).would_enable(AUDIT, &tracing::Level::INFO);
        for on in ["info", "warn", "error", "error,h2=warn", "trace"] {
            assert!(is_on(on), "{on}");
        }
        for off in ["off", "error,dotdo::audit=off", "info,dotdo::audit=warn"] {
            assert!(!is_on(off), "{off}");
        }
        assert!(!filter("error").would_enable("dotdo::edge", &tracing::Level::INFO));
    }
}
