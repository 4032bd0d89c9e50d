//! Metrics of requests. Handles are created once; counting takes no lock and does not allocate.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use metrics::{Counter, Gauge, Histogram};

/// The statuses that a response can have: 100 to 999.
const STATUSES: usize = 900;

/// The metrics of all requests, by class.
pub(super) struct RequestMetrics {
    classes: BTreeMap<String, ClassMetrics>,
    /// Requests that reached no object.
    none: ClassMetrics,
    in_flight: Gauge,
}

/// A request in flight; dropping it ends it, too.
pub(super) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

struct ClassMetrics {
    class: String,
    seconds: Histogram,
    statuses: Box<[OnceLock<Counter>]>,
}

impl RequestMetrics {
    /// Metrics for the classes of an app. Classes are few and chosen by the program, so they can be
    /// labels.
    pub(super) fn new<'a>(classes: impl IntoIterator<Item = &'a str>) -> Self {
        let classes = classes.into_iter().map(|class| (class.to_owned(), ClassMetrics::new(class)));
        Self {
            classes: classes.collect(),
            none: ClassMetrics::new(""),
            in_flight: metrics::gauge!("dotdo_http_requests_in_flight"),
        }
    }

    /// Counts a new request as in flight.
    pub(super) fn begin(&self) -> InFlight {
        self.in_flight.increment(1.0);
        InFlight(self.in_flight.clone())
    }

    /// Counts an answered request.
    pub(super) fn count(&self, class: Option<&str>, status: StatusCode, took: Duration) {
        let metrics = class.and_then(|class| self.classes.get(class)).unwrap_or(&self.none);
        metrics.seconds.record(took.as_secs_f64());
        let slot = usize::from(status.as_u16()) - 100;
        metrics.statuses[slot].get_or_init(|| metrics.counter(status)).increment(1);
    }
}

impl ClassMetrics {
    fn new(class: &str) -> Self {
        let seconds =
            metrics::histogram!("dotdo_http_request_seconds", "class" => class.to_owned());
        Self {
            class: class.to_owned(),
            seconds,
            statuses: std::iter::repeat_with(OnceLock::new).take(STATUSES).collect(),
        }
    }

    fn counter(&self, status: StatusCode) -> Counter {
        metrics::counter!("dotdo_http_requests_total", "status" => status.as_str().to_owned(), "class" => self.class.clone())
    }
}
