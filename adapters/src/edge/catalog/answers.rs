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

/// A table's metadata, with all snapshots or with those that branches and tags name.
pub(super) fn table(found: &IcebergMetadata, refs_only: bool) -> Result<Value> {
    let mut metadata: Value = serde_json::from_slice(&found.json)?;
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
