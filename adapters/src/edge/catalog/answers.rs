//! The JSON of the catalog's answers.

use dotdo_core::{IcebergMetadata, Result};
use http::HeaderValue;
use serde_json::{Value, json};

use super::names::Namespace;

/// What clients may ask for. Those that read this don't try the rest.
const ENDPOINTS: [&str; 6] = [
    "GET /v1/{prefix}/namespaces",
    "GET /v1/{prefix}/namespaces/{namespace}",
    "HEAD /v1/{prefix}/namespaces/{namespace}",
    "GET /v1/{prefix}/namespaces/{namespace}/tables",
    "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
    "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
];

pub(super) fn config() -> Value {
    json!({ "defaults": {}, "overrides": {}, "endpoints": ENDPOINTS })
}

pub(super) fn namespaces(namespaces: Vec<Vec<String>>, next: Option<String>) -> Value {
    paged(json!({ "namespaces": namespaces }), next)
}

pub(super) fn namespace(namespace: &Namespace) -> Value {
    json!({ "namespace": namespace.levels(), "properties": {} })
}

pub(super) fn tables<'a>(namespace: &Namespace, names: impl Iterator<Item = &'a str>) -> Value {
    let levels = namespace.levels();
    let identifier = |name: &str| json!({ "namespace": levels, "name": name });
    json!({ "identifiers": names.map(identifier).collect::<Vec<_>>() })
}

/// A table's metadata, with all snapshots or with those that branches and tags name. The current one
/// is no younger than `latest_ms`, if that is given.
pub(super) fn table(
    found: &IcebergMetadata,
    refs_only: bool,
    latest_ms: Option<i64>,
) -> Result<Value> {
    let mut metadata: Value = serde_json::from_slice(&found.json)?;
    if let Some(latest_ms) = latest_ms {
        date_back(&mut metadata, latest_ms);
    }
    if refs_only {
        let named: Vec<Value> = metadata["refs"]
            .as_object()
            .into_iter()
            .flat_map(|refs| refs.values())
            .map(|reference| reference["snapshot-id"].clone())
            .collect();
        if let Some(snapshots) = metadata["snapshots"].as_array_mut() {
            snapshots.retain(|snapshot| named.contains(&snapshot["snapshot-id"]));
        }
    }
    Ok(json!({ "metadata-location": found.location, "metadata": metadata, "config": {} }))
}

/// Dates the current snapshot back to `latest_ms`, but after the one before it.
fn date_back(metadata: &mut Value, latest_ms: i64) {
    let current = metadata["current-snapshot-id"].clone();
    let is_current = |entry: &Value| entry["snapshot-id"] == current;
    let Some(snapshots) = metadata["snapshots"].as_array() else { return };
    let (this, others): (Vec<_>, Vec<_>) = snapshots.iter().partition(|one| is_current(one));
    let newest =
        |among: &[&Value]| among.iter().filter_map(|one| one["timestamp-ms"].as_i64()).max();
    let dated_ms = newest(&others).map_or(latest_ms, |before_ms| latest_ms.max(before_ms + 1));
    if newest(&this).is_none_or(|time_ms| time_ms <= dated_ms) {
        return;
    }
    for list in ["snapshots", "snapshot-log"] {
        for entry in metadata[list].as_array_mut().into_iter().flatten() {
            if is_current(entry) {
                entry["timestamp-ms"] = dated_ms.into();
            }
        }
    }
    metadata["last-updated-ms"] = dated_ms.into();
}

/// The tag of a table's state: what its metadata file is called, which no other one is.
pub(super) fn tag(found: &IcebergMetadata) -> HeaderValue {
    let name = found.location.rsplit('/').next().unwrap_or_default();
    HeaderValue::try_from(format!("\"{name}\"")).expect("the names of files are ASCII")
}

fn paged(mut answer: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        answer["next-page-token"] = next.into();
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_current_state_is_dated_back_but_never_before_the_one_before_it() {
        let metadata = |times_ms: &[i64]| {
            let entries: Vec<Value> = (1..)
                .zip(times_ms)
                .map(|(id, time_ms)| json!({ "snapshot-id": id, "timestamp-ms": time_ms }))
                .collect();
            json!({
                "current-snapshot-id": times_ms.len(),
                "last-updated-ms": times_ms.last(),
                "snapshots": entries,
                "snapshot-log": entries,
            })
        };
        for (times_ms, latest_ms, dated_ms) in [
            (&[5000][..], 4000, &[4000][..]),
            (&[5000], 6000, &[5000]),
            (&[3000, 5000], 4000, &[3000, 4000]),
            (&[4500, 5000], 4000, &[4500, 4501]),
            (&[], 4000, &[]),
        ] {
            let mut found = metadata(times_ms);
            date_back(&mut found, latest_ms);
            assert_eq!(found, metadata(dated_ms), "{times_ms:?} by {latest_ms}");
        }
    }
}
