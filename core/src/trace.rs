//! Spans around the parts of a request. Must not know: how they are collected.
//!
//! They are at the level `debug`, so that they cost one comparison where they are switched off.
//! They don't contain ids of objects, which are often people's names or addresses, because traces
//! go to third parties. The field `otel.status_code` is the name by which OpenTelemetry's layer for
//! `tracing` understands that a span failed.

use std::future::Future;

use futures_util::TryFutureExt;
use tracing::{Instrument, Span};

use crate::error::Result;

/// A span with the fields that [`failed`] fills.
macro_rules! span {
    ($($given:tt)*) => {
        tracing::debug_span!($($given)*, error.type = tracing::field::Empty, otel.status_code = tracing::field::Empty)
    };
}

pub(crate) use span;

/// Runs `work` in a span, and notes its error there.
///
/// # Errors
///
/// Those of the work.
// An `async fn` would store the work twice: as its argument and as the running future.
pub(crate) fn traced<T>(
    span: Span,
    work: impl Future<Output = Result<T>>,
) -> impl Future<Output = Result<T>> {
    let noted = span.clone();
    work.instrument(span).inspect_err(move |error| failed(&noted, error.code()))
}

/// Notes in a span that its work failed.
pub(crate) fn failed(span: &Span, code: &str) {
    span.record("error.type", code);
    span.record("otel.status_code", "ERROR");
}

/// The span of the current request, if it is traced.
pub(crate) fn cause() -> Option<Span> {
    Some(Span::current()).filter(|span| !span.is_none())
}

/// The span of a record that is written for all of `causes`: a part of the first one's trace, and
/// linked to the others.
pub(crate) fn commit(causes: &[Span]) -> Span {
    let Some(first) = causes.first() else { return Span::none() };
    let span = span!(parent: first, "commit", dotdo.requests = causes.len());
    causes.iter().skip(1).for_each(|cause| _ = span.follows_from(cause));
    span
}
