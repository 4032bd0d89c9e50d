//! The exporter of spans: a bounded queue, its own thread, and a count of outcomes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_core::{Error, Result};
use opentelemetry::Context;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor,
};

use super::{STUCK, TraceSettings};

/// Maximum number of queued spans; more are dropped.
const QUEUE_MAX: usize = 2048;

/// Maximum number of bytes that are read of a collector's response.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Starts to send spans to `endpoint`.
///
/// # Errors
///
/// `Invalid` when the endpoint or the headers are invalid, `Internal` when the system lacks
/// resources.
pub(super) fn start(endpoint: &str, settings: &TraceSettings) -> Result<Bounded> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new(settings.timeout)?)
        .with_headers(settings.headers()?)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(settings.timeout)
        .with_endpoint(endpoint)
        .build()
        .map_err(|cause| {
            Error::invalid(format!("cannot send traces to {endpoint}: {cause}"))
                .with_code("BAD_CONFIG")
        })?;
    let waiting = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        inner: exporter,
        waiting: Arc::clone(&waiting),
        is_failing: AtomicBool::new(false),
    };
    let config = BatchConfigBuilder::default().with_max_queue_size(QUEUE_MAX).build();
    Ok(Bounded {
        inner: BatchSpanProcessor::builder(counted).with_batch_config(config).build(),
        waiting,
    })
}

fn count(outcome: &'static str, spans: usize) {
    metrics::counter!("dotdo_spans_total", "outcome" => outcome).increment(spans as u64);
}

/// Accepts spans while there is space. The queue behind it has the same length and is never full.
#[derive(Debug)]
pub(super) struct Bounded {
    inner: BatchSpanProcessor,
    waiting: Arc<AtomicUsize>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let more = |waiting: usize| (waiting < QUEUE_MAX).then_some(waiting + 1);
        match self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => self.inner.on_end(span),
            Err(_) => count("dropped", 1),
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Counts exported and failed spans.
#[derive(Debug)]
struct Counted {
    inner: opentelemetry_otlp::SpanExporter,
    waiting: Arc<AtomicUsize>,
    is_failing: AtomicBool,
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.waiting.fetch_sub(spans, Ordering::AcqRel);
        let sent = self.inner.export(batch).await;
        count(if sent.is_ok() { "exported" } else { "failed" }, spans);
        if sent.is_ok() {
            STUCK.store(false, Ordering::Relaxed);
        }
        match &sent {
            Ok(()) if self.is_failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("traces are sent again")
            }
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "cannot send traces; requests continue without them");
            }
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// The HTTP client that the stores use as well. The exporting thread is outside of every runtime,
/// so the client has its own and shares no thread with requests.
struct Client {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Client {
    fn new(timeout: Duration) -> Result<Self> {
        let failed =
            |cause: &dyn fmt::Display| Error::internal(format!("cannot send traces: {cause}"));
        // Credentials for one collector must not reach another.
        let builder =
            reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none());
        let client = builder.build().map_err(|cause| failed(&cause))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| failed(&cause))?;
        Ok(Self { client, runtime })
    }

    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<Bytes>, HttpError> {
        let mut answer =
            self.client.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
        let mut body = Vec::new();
        while body.len() < ANSWER_BYTES_MAX
            && let Some(piece) = answer.chunk().await?
        {
            body.extend_from_slice(&piece);
        }
        Ok(http::Response::builder().status(answer.status()).body(body.into())?)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<Bytes>, HttpError> {
        self.runtime.block_on(self.send(request))
    }
}
