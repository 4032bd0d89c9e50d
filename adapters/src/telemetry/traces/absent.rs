//! Replaces traces in a program that was built without the feature `otlp`. A configuration with an
//! endpoint for traces is refused at the start (`config/features.rs`).

#[path = "settings.rs"]
mod settings;

use std::time::Duration;

use dotdo_core::Result;
use http::{HeaderMap, Method, StatusCode, request};
use tracing::Span;
use tracing_subscriber::{Layer, Registry};

pub(crate) use self::settings::{SAMPLERS, TraceSettings, is_sampler_arg};

/// How long spans may take to be sent before a function is frozen.
pub(crate) const FLUSH_MAX: Duration = Duration::ZERO;

/// Whether traces are sent.
pub(crate) fn is_on() -> bool {
    false
}

/// No layer.
///
/// # Errors
///
/// None.
pub(super) fn layer(_: &TraceSettings) -> Result<Option<Box<dyn Layer<Registry> + Send + Sync>>> {
    Ok(None)
}

/// Nothing is waiting.
pub(crate) async fn flush(_: Duration) {}

/// The headers stay as the client sent them.
pub(crate) fn pass_on(_: &mut HeaderMap) {}

/// The trace of a request, which does nothing here.
pub(crate) struct TracedRequest;

impl TracedRequest {
    /// Starts no trace.
    pub(crate) fn begin(_: &request::Parts, _: &str) -> Self {
        Self
    }

    /// No span.
    pub(crate) fn span(&self) -> Span {
        Span::none()
    }

    /// There is no trace id.
    pub(crate) fn id(&self) -> Option<String> {
        None
    }

    /// Does nothing.
    pub(crate) fn end(&self, _: &Method, _: Option<&str>, _: StatusCode, _: Option<&str>) {}

    /// Does nothing to the headers.
    pub(crate) fn pass_on(&self, _: &mut HeaderMap) {}
}
