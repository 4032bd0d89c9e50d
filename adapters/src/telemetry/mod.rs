//! Logs, metrics and traces of a program.
//!
//! Promises: each is set up once at startup; all metrics are in one table, from which descriptions
//! and documentation are generated. Must not know: requests, the engine, platforms.

#[cfg(test)]
mod first_reached;
mod logs;
mod metrics;
mod recorder;
mod reference;
#[cfg(feature = "otlp")]
mod traces;
#[cfg(not(feature = "otlp"))]
#[path = "traces/absent.rs"]
mod traces;

#[cfg(test)]
pub(crate) use self::first_reached::ask_every_subscriber;
pub(crate) use self::logs::{AUDIT, LogFormat, LogSettings, is_log_filter, start_logs};
pub(crate) use self::recorder::{keep_metrics, start_metrics};
pub use self::reference::metrics_reference;
pub(crate) use self::traces::{
    FLUSH_MAX, SAMPLERS, TraceSettings, TracedRequest, flush, is_on, is_sampler_arg, pass_on,
};

#[cfg(test)]
mod tests;
