//! Traces over OTLP: the program's spans as OpenTelemetry's, sent as protobuf over HTTP.
//!
//! Promises: without an endpoint nothing of this runs; a slow or unavailable collector costs spans,
//! which are counted, but never delays a request; the collector's credentials are never logged.
//! Must not know: requests (but for their headers, in `context`), objects.

mod context;
mod exporter;
mod sdk;
mod settings;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Maximum time to send spans before a function is frozen.
pub(crate) const FLUSH_MAX: Duration = Duration::from_secs(1);

/// The tracer provider, once it was started.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Whether the last flush timed out, and nothing was sent since.
static STUCK: AtomicBool = AtomicBool::new(false);

/// Whether traces are sent.
pub(crate) fn is_on() -> bool {
    PROVIDER.get().is_some()
}

/// The layer that turns spans into traces; `None` without an endpoint, or if traces are off.
///
/// # Errors
///
/// `Invalid` for settings that can't be used.
pub(super) fn layer(
    settings: &TraceSettings,
) -> Result<Option<Box<dyn Layer<Registry> + Send + Sync>>> {
    let Some(endpoint) = settings.endpoint() else { return Ok(None) };
    let provider = SdkTracerProvider::builder()
        .with_resource(settings.resource())
        .with_sampler(settings.sampler())
        .with_span_processor(exporter::start(&endpoint, settings)?)
        .build();
    let tracer = provider.tracer("dotdo");
    let provider = PROVIDER.set(provider);
    debug_assert!(provider.is_ok(), "traces are started once");
    let layer =
        tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
    let layer = layer.with_target(false).with_level(false).with_tracked_inactivity(false);
    // Spans of libraries at `debug` are many and internal. Events go to the log.
    let spans = filter_fn(|meta| meta.is_span()).with_max_level_hint(LevelFilter::DEBUG);
    let ours = Targets::new()
        .with_default(Level::INFO)
        .with_target("dotdo", Level::DEBUG)
        .with_target("dotdo_core", Level::DEBUG);
    Ok(Some(layer.with_filter(ours.and(spans)).boxed()))
}

/// Sends queued spans, within `limit`. After a timeout, it does not wait again until the collector
/// has accepted something.
pub(crate) async fn flush(limit: Duration) {
    let Some(provider) = PROVIDER.get().filter(|_| !STUCK.load(Ordering::Relaxed)) else { return };
    let flushed = tokio::task::spawn_blocking(|| provider.force_flush());
    // Failures are counted in the metrics.
    if tokio::time::timeout(limit, flushed).await.is_err() {
        STUCK.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::telemetry::ask_every_subscriber;

    /// Answers one request, and tells its first line.
    fn collector() -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let endpoint =
            format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody connects");
            let mut head = [0; 64];
            stream.read_exact(&mut head).expect("a request");
            sender
                .send(String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned())
                .expect("the test waits");
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .expect("it listens");
        });
        (endpoint, receiver)
    }

    #[tokio::test]
    async fn what_is_waiting_is_sent_before_a_function_is_frozen() {
        let (endpoint, received) = collector();
        let settings = TraceSettings { endpoint: Some(endpoint), ..TraceSettings::default() };
        let layer = layer(&settings).expect("good settings").expect("there is an endpoint");
        ask_every_subscriber();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            drop(tracing::debug_span!("work").entered())
        });
        // Otherwise spans are batched for seconds.
        flush(Duration::from_secs(60)).await;
        assert_eq!(received.try_recv().as_deref(), Ok("POST /v1/traces HTTP/1.1"));
    }
}
