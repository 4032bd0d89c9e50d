//! The reference of all metrics as Markdown, generated from the table.

use std::fmt::Write as _;

use super::metrics::{Kind, Metric, SECTIONS, TABLE};

const HEAD: &str = "# Metrics

The metrics at `/metrics`, in Prometheus' text format. [OBSERVABILITY.md](OBSERVABILITY.md) has the expressions to alert on. Times are in
seconds, sizes in bytes. Counters start at 0 with the process. A metric with labels appears once it has a value. A histogram has the series
`…_bucket`, `…_sum` and `…_count`. No label contains an id, a path or anything that a client chose.

";

/// The reference of all metrics as Markdown: name, type, description and labels. The text of
/// `docs/METRICS.md`.
///
/// ```
/// let page = dotdo::commands::metrics_reference();
/// assert!(page.starts_with("# Metrics\n"));
/// assert!(page.contains("- **`dotdo_http_requests_total`** (counter): "));
/// ```
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

/// Whether the next metric belongs to another section.
fn is_last(metric: &Metric) -> bool {
    let next = TABLE.iter().skip_while(|other| other.name != metric.name).nth(1);
    next.is_some_and(|next| SECTIONS.iter().any(|(_, first)| *first == next.name))
}
