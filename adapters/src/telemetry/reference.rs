//! The documentation of the metrics, written from the table.

use std::fmt::Write as _;

use super::table::{Kind, Metric, SECTIONS, TABLE};

const HEAD: &str = "# Metrics

What `/metrics` says, in Prometheus' text format; [OBSERVABILITY.md](OBSERVABILITY.md) says what to watch. Times are in seconds, sizes in
bytes. Counters begin at 0 when the process starts. A metric with labels is there as soon as it has a value. A histogram is the three
series `…_bucket`, `…_sum` and `…_count`. No label holds an id, a path or anything that a client chose.

";

/// All metrics of a server as Markdown: name, type, labels, what they tell. The text of
/// `docs/METRICS.md`.
pub fn metrics_reference() -> String {
    let mut out = HEAD.to_owned();
    for metric in TABLE {
        if let Some((title, _)) = SECTIONS.iter().find(|(_, first)| *first == metric.name) {
            let _ = write!(out, "## {title}\n\n");
        }
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(out, "- **`{}`** ({kind}): {}", metric.name, metric.about);
        for (label, values) in metric.labels {
            let _ = writeln!(out, "  - `{label}`: {values}.");
        }
        if is_last(metric) {
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Whether the next metric is below another heading.
fn is_last(metric: &Metric) -> bool {
    let next = TABLE.iter().skip_while(|other| other.name != metric.name).nth(1);
    next.is_some_and(|next| SECTIONS.iter().any(|(_, first)| *first == next.name))
}
