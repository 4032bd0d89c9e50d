//! Traces in a program that was built without the feature `otlp`: there are none, and whoever sets
//! where to send them is told so at the start (`config/features.rs`).

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

/// A request, which is a part of no trace.
pub(crate) struct TracedRequest;

impl TracedRequest {
    /// The request with this head.
    pub(crate) fn begin(_: &request::Parts, _: &str) -> Self {
        Self
    }

    /// No span.
    pub(crate) fn span(&self) -> Span {
        Span::none()
    }

    /// The trace's id: there is none.
    pub(crate) fn id(&self) -> Option<String> {
        None
    }

    /// What became of the request is told by nobody.
    pub(crate) fn end(&self, _: &Method, _: Option<&str>, _: StatusCode, _: Option<&str>) {}

    /// The headers stay as they are.
    pub(crate) fn pass_on(&self, _: &mut HeaderMap) {}
}
