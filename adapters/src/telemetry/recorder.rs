//! Recording metrics, and rendering them for Prometheus.

use std::time::Duration;

use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::metrics::{Kind, Metric, TABLE};

/// Upper bounds of the buckets of all histograms of seconds.
const SECONDS: [f64; 15] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0,
    60.0,
];
/// Interval at which recorded values are folded into buckets; until then each takes memory.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Starts to record metrics. `None` if the program has its own recorder.
pub(crate) fn start_metrics() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS);
    let exporter = builder.expect("the list of buckets is not empty").install_recorder().ok();
    TABLE.iter().for_each(describe);
    metrics::gauge!("dotdo_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    exporter
}

/// Describes a metric. A metric without labels exists from the start, because an alert on its
/// growth needs the initial zero.
fn describe(metric: &Metric) {
    let (name, about, unit) = (metric.name, metric.about, unit(metric.name));
    match metric.kind {
        Kind::Counter => metrics::describe_counter!(name, unit, about),
        Kind::Gauge => metrics::describe_gauge!(name, unit, about),
        Kind::Histogram => metrics::describe_histogram!(name, unit, about),
    }
    if metric.labels.is_empty() {
        match metric.kind {
            Kind::Counter => metrics::counter!(name).increment(0),
            Kind::Gauge => metrics::gauge!(name).increment(0.0),
            Kind::Histogram => _ = metrics::histogram!(name),
        }
    }
}

fn unit(name: &str) -> Unit {
    match name {
        name if name.ends_with("_seconds") => Unit::Seconds,
        name if name.ends_with("_bytes") || name.ends_with("_bytes_total") => Unit::Bytes,
        _ => Unit::Count,
    }
}

/// Folds recorded values regularly while it is polled.
pub(crate) async fn keep_metrics(exporter: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        ticks.tick().await;
        exporter.run_upkeep();
    }
}
