//! Traces over OTLP: the program's spans as OpenTelemetry's, sent as protobuf over HTTP.
//!
//! Promises: without an endpoint nothing of this runs; a collector that is slow or away costs spans, which are counted, and never a
//! request; what authenticates to the collector is never logged.
//! Must not know: requests (but for their headers, in `context`), objects.

mod context;
mod exporter;
mod settings;

use std::sync::OnceLock;
use std::time::Duration;

use dotdo_core::Result;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::{Layer, Registry};

pub(crate) use self::context::{TracedRequest, pass_on};
pub(crate) use self::settings::{SAMPLERS, TraceSettings, is_sampler_arg};

/// How long spans may take to be sent before a function is frozen.
pub(crate) const FLUSH_MAX: Duration = Duration::from_secs(1);

/// What makes and sends spans, once it was started.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Whether traces are sent.
pub(crate) fn is_on() -> bool {
    PROVIDER.get().is_some()
}

/// The layer that turns spans into traces; `None` when no endpoint is set, or all is switched off.
///
/// # Errors
///
/// `Invalid` for settings that can't be used.
pub(super) fn layer(settings: &TraceSettings) -> Result<Option<Box<dyn Layer<Registry> + Send + Sync>>> {
    let Some(endpoint) = settings.endpoint() else { return Ok(None) };
    let provider = SdkTracerProvider::builder()
        .with_resource(settings.resource())
        .with_sampler(settings.sampler())
        .with_span_processor(exporter::start(&endpoint, settings)?)
        .build();
    let tracer = provider.tracer("dotdo");
    let provider = PROVIDER.set(provider);
    debug_assert!(provider.is_ok(), "traces are started once");
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
    let layer = layer.with_target(false).with_level(false).with_tracked_inactivity(false);
    // Libraries' spans at `debug` are many and about themselves. Events are the log's.
    let spans = filter_fn(|meta| meta.is_span()).with_max_level_hint(LevelFilter::DEBUG);
    let ours = Targets::new().with_default(Level::INFO).with_target("dotdo", Level::DEBUG).with_target("dotdo_core", Level::DEBUG);
    Ok(Some(layer.with_filter(ours.and(spans)).boxed()))
}

/// Sends what is waiting, within `limit`.
pub(crate) async fn flush(limit: Duration) {
    if let Some(provider) = PROVIDER.get() {
        let flushed = tokio::task::spawn_blocking(|| provider.force_flush());
        // What could not be sent is in the metrics.
        let _ = tokio::time::timeout(limit, flushed).await;
    }
}
