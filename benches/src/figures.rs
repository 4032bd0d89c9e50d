//! Figures, and how they are printed: what was measured, what it is compared with, and the ratio.

use std::time::Duration;

/// One line of the report.
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What it is compared with.
    pub reference: String,
    /// What was seen.
    pub ours: String,
    /// Ours divided by the reference, where both are times, rates or sizes.
    pub ratio: Option<f64>,
}

/// The middle one of `times`, in milliseconds.
///
/// # Panics
///
/// When there are none.
pub fn median(times: &[Duration]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2].as_secs_f64() * 1e3
}

/// The `percent`th percentile of `times`, in milliseconds.
///
/// # Panics
///
/// When there are none.
pub fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent / 100).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1e3
}

/// The figures as a Markdown table.
pub fn report(figures: &[Figure]) -> String {
    let rows = figures.iter().map(|figure| {
        let ratio = figure.ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        format!("| {} | {} | {} | {ratio} |\n", figure.what, figure.reference, figure.ours)
    });
    format!("| what | reference | ours | ratio |\n|---|---|---|---|\n{}", rows.collect::<String>())
}
