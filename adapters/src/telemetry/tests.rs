//! The table of metrics against its documentation and against the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::metrics::{Kind, SECTIONS, TABLE};
use super::metrics_reference;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_documentation_of_metrics_is_the_table() {
    let written = fs::read_to_string(format!("{ROOT}/docs/METRICS.md")).unwrap_or_default();
    let expected = metrics_reference();
    if written != expected {
        let path = std::env::temp_dir().join("METRICS.md");
        fs::write(&path, expected).expect("the folder for temporary files can be written");
        panic!("docs/METRICS.md is not what the table says; copy {} there", path.display());
    }
}

#[test]
fn names_follow_the_rules_of_prometheus() {
    let mut seen = BTreeSet::new();
    for metric in TABLE {
        let name = metric.name;
        assert!(seen.insert(name), "{name} is there twice");
        assert!(
            name.starts_with("dotdo_")
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        assert_eq!(
            name.ends_with("_seconds"),
            metric.kind == Kind::Histogram,
            "{name}: every histogram is of times"
        );
        assert!(metric.about.ends_with('.'), "{name}");
    }
    assert!(SECTIONS.iter().all(|(_, first)| seen.contains(first)));
}

/// The metrics that the source records: the first text in each use of a recording macro, with its
/// kind.
fn recorded(folder: &Path, found: &mut BTreeSet<(String, &'static str)>) {
    for entry in fs::read_dir(folder).expect("a folder of the source") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            recorded(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            for (needle, kind) in
                [("counter!(\"", "Counter"), ("gauge!(\"", "Gauge"), ("histogram!(\"", "Histogram")]
            {
                let uses = text.match_indices(needle).map(|(at, _)| &text[at + needle.len()..]);
                found.extend(
                    uses.filter_map(|rest| Some((rest.split_once('"')?.0.to_owned(), kind))),
                );
            }
        }
    }
}

#[test]
fn what_is_recorded_is_in_the_table_and_what_is_in_the_table_is_recorded() {
    let mut found = BTreeSet::new();
    for folder in ["core/src", "adapters/src"] {
        recorded(&Path::new(ROOT).join(folder), &mut found);
    }
    let named = TABLE.iter().map(|metric| {
        (
            metric.name.to_owned(),
            match metric.kind {
                Kind::Counter => "Counter",
                Kind::Gauge => "Gauge",
                Kind::Histogram => "Histogram",
            },
        )
    });
    assert_eq!(found, named.collect());
}
