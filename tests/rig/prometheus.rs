//! What Prometheus would read: its text format and its queries, by parsers that other people wrote.

use std::collections::BTreeMap;
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::chores::scratch;
use crate::tools::{Tool, run};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rig/tools/prometheus.py");

/// One metric of a page.
#[derive(Debug, Clone, Deserialize)]
pub struct Family {
    /// Its name, `_total` included.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its description.
    pub help: String,
    /// Its values.
    pub samples: Vec<Sample>,
}

/// One value of a metric.
#[derive(Debug, Clone, Deserialize)]
pub struct Sample {
    /// The name of the series, such as `…_bucket`.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// What a query selects.
#[derive(Debug, Clone, Deserialize)]
pub struct Selector {
    /// The name of the series.
    pub name: String,
    /// The labels that it is narrowed by.
    pub labels: Vec<String>,
}

/// The metrics of a page in Prometheus' text format.
///
/// # Panics
///
/// When the parser refuses the page, with what it says.
pub fn families(page: &str) -> Vec<Family> {
    ask("metrics", page)
}

/// The selectors of each of `queries`.
///
/// # Panics
///
/// When the parser refuses one, with what it says.
pub fn selectors(queries: &[String]) -> Vec<Vec<Selector>> {
    ask("queries", &serde_json::to_string(queries).expect("texts are JSON"))
}

fn ask<T: DeserializeOwned>(what: &str, given: &str) -> T {
    let folder = scratch();
    let file = folder.path().join("given");
    std::fs::write(&file, given).expect("the build folder is writable");
    let file = std::fs::File::open(file).expect("it was written a moment ago");
    let mut command = Command::new(Tool::Prometheus.program("python"));
    let json = run(command.args([SCRIPT, what]).stdin(file), "text that Prometheus understands");
    serde_json::from_str(&json).expect("the script writes JSON")
}
