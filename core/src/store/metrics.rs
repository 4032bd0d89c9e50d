//! Metrics of a bucket: requests with outcome and duration, and bytes written and read.
//!
//! It sits below the retries, so every request counts.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::{Bucket, Entry, Key, Names, Part, StoreError, Stored};
use crate::clock::Clock;
use crate::trace::{cause, failed, span};

/// A bucket whose requests are counted.
pub(super) struct Metered<B> {
    inner: B,
    clock: Arc<dyn Clock>,
}

impl<B: Bucket> Metered<B> {
    pub(super) fn new(inner: B, clock: Arc<dyn Clock>) -> Self {
        Self { inner, clock }
    }

    async fn counted<T>(
        &self,
        operation: &'static str,
        ask: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let begin = self.clock.monotonic();
        // Background work is not in a trace.
        let span = cause().map_or_else(Span::none, |_| {
            span!("store", dotdo.operation = operation, otel.kind = "client")
        });
        let answer = ask.instrument(span.clone()).await;
        let seconds = self.clock.monotonic().saturating_sub(begin).as_secs_f64();
        let outcome = answer.as_ref().err().map_or("ok", outcome);
        if answer.is_err() {
            failed(&span, outcome);
        }
        metrics::histogram!("dotdo_store_request_seconds", "operation" => operation)
            .record(seconds);
        metrics::counter!("dotdo_store_requests_total", "operation" => operation, "outcome" => outcome).increment(1);
        answer
    }
}

fn count_bytes(operation: &'static str, bytes: usize) {
    metrics::counter!("dotdo_store_bytes_total", "operation" => operation).increment(bytes as u64);
}

fn outcome(error: &StoreError) -> &'static str {
    match error {
        StoreError::Exists { .. } => "exists",
        StoreError::Unavailable { .. } => "unavailable",
        StoreError::Refused { .. } => "refused",
        StoreError::TooLarge { .. } => "too_large",
    }
}

#[async_trait]
impl<B: Bucket> Bucket for Metered<B> {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let length = bytes.len();
        self.counted("create", self.inner.create(key, bytes))
            .await
            .inspect(|()| count_bytes("create", length))
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let length = bytes.len();
        self.counted("put", self.inner.put(key, bytes))
            .await
            .inspect(|()| count_bytes("put", length))
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        let got = self.counted("get", self.inner.get_within(key, bytes_max)).await?;
        Ok(got.inspect(|stored| count_bytes("get", stored.bytes.len())))
    }

    async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        let got = self.counted("get", self.inner.get_range(key, range)).await?;
        Ok(got.inspect(|bytes| count_bytes("get", bytes.len())))
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.counted("list", self.inner.list(prefix, after, limit)).await
    }

    async fn list_folders(
        &self,
        prefix: &Key,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.counted("list", self.inner.list_folders(prefix, names, limit)).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        self.counted("delete", self.inner.delete(keys)).await
    }

    fn store_time_ms(&self, of: Part) -> Option<i64> {
        self.inner.store_time_ms(of)
    }

    fn store_time_error(&self) -> Duration {
        self.inner.store_time_error()
    }

    fn is_gone(&self, instance: Uuid) -> bool {
        self.inner.is_gone(instance)
    }

    fn location(&self) -> &str {
        self.inner.location()
    }
}
