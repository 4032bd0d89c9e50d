//! The dashboard and the alarms of the documentation: their queries are queries, of metrics and
//! labels that there are.

use std::collections::BTreeSet;

use dotdo_tests::{code_blocks, selectors};
use serde_json::Value;

use super::metrics::documented;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Grafana puts an interval in its place.
const RATE_INTERVAL: &str = "$__rate_interval";
/// What Prometheus itself adds to each series, or a histogram has.
const GIVEN_LABELS: [&str; 3] = ["instance", "job", "le"];

fn dashboard() -> Value {
    let text = std::fs::read_to_string(format!("{ROOT}/deploy/grafana/dotdo.json"))
        .expect("the dashboard is there");
    serde_json::from_str(&text).expect("the dashboard is JSON")
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"]
        .as_array()
        .expect("panels")
        .iter()
        .filter(|panel| panel["type"] != "row")
        .collect()
}

/// The documented labels of all metrics.
fn labels() -> BTreeSet<String> {
    let text = dotdo::commands::metrics_reference();
    let named = text
        .lines()
        .filter_map(|line| line.strip_prefix("  - `")?.split_once('`'))
        .map(|(label, _)| label.to_owned());
    named.chain(GIVEN_LABELS.map(str::to_owned)).collect()
}

/// The metrics that queries ask for, all of which are documented.
fn asked(queries: &[String]) -> BTreeSet<String> {
    let (documented, labels) = (documented(), labels());
    let mut asked = BTreeSet::new();
    for (query, selectors) in queries.iter().zip(selectors(queries)) {
        assert!(!selectors.is_empty(), "{query} asks for nothing");
        for selector in selectors {
            let histogram = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| selector.name.strip_suffix(part));
            let histogram = histogram
                .filter(|name| documented.get(*name).is_some_and(|kind| kind == "histogram"));
            let name = histogram.unwrap_or(&selector.name).to_owned();
            let kind =
                documented.get(&name).unwrap_or_else(|| panic!("{query}: {name} is no metric"));
            assert_eq!(
                kind == "histogram",
                histogram.is_some(),
                "{query}: {} is a {kind}",
                selector.name
            );
            let unknown = selector.labels.iter().find(|label| !labels.contains(*label));
            assert_eq!(unknown, None, "{query}: a label that no metric has");
            asked.insert(name);
        }
    }
    asked
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard = dashboard();
    let targets = panels(&dashboard)
        .into_iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let queries = targets
        .map(|target| target["expr"].as_str().expect("a query").replace(RATE_INTERVAL, "5m"));
    assert_eq!(asked(&queries.collect::<Vec<_>>()), documented().into_keys().collect());
}

#[test]
fn the_dashboard_takes_its_data_from_the_source_that_is_chosen() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    assert!(
        variables
            .iter()
            .any(|variable| variable["name"] == "datasource" && variable["type"] == "datasource")
    );
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        let targets = panel["targets"].as_array().expect("targets");
        assert!(
            targets.iter().chain([panel]).all(|part| part["datasource"]["uid"] == "${datasource}"),
            "{panel}"
        );
        assert!(ids.insert(panel["id"].as_u64().expect("a number")), "{panel}");
        assert!(
            places.insert((panel["gridPos"]["x"].as_u64(), panel["gridPos"]["y"].as_u64())),
            "{panel}"
        );
        let refs: BTreeSet<&str> =
            targets.iter().filter_map(|target| target["refId"].as_str()).collect();
        assert_eq!(refs.len(), targets.len(), "{panel}");
    }
}

#[test]
fn the_alarms_of_the_documentation_are_queries_of_metrics_that_there_are() {
    let blocks =
        code_blocks("docs/OBSERVABILITY.md").into_iter().filter(|block| block.language == "promql");
    let alarms: Vec<String> = blocks.map(|block| block.text.trim().to_owned()).collect();
    assert!(asked(&alarms).len() > 5, "{alarms:?}");
    let comparison = |alarm: &String| alarm.contains(" > ");
    assert!(alarms.iter().all(comparison), "an alarm has a value only when it is time to look");
}
