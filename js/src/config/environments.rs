//! Environments of a configuration (`env.<name>`).

use dotdo::{Error, Result};
use serde_json::{Map, Value};

/// What an environment does not have from above: Cloudflare's "non-inheritable keys".
const OWN: &[&str] = &[
    "ai",
    "analytics_engine_datasets",
    "browser",
    "d1_databases",
    "define",
    "dispatch_namespaces",
    "durable_objects",
    "hyperdrive",
    "images",
    "kv_namespaces",
    "mtls_certificates",
    "queues",
    "r2_buckets",
    "secrets",
    "secrets_store_secrets",
    "send_email",
    "services",
    "tail_consumers",
    "unsafe",
    "vars",
    "vectorize",
    "version_metadata",
    "workflows",
];

/// The settings of the environment `name`, or those without any.
///
/// # Errors
///
/// `Invalid` when there is none of this name.
pub(super) fn chosen(
    mut settings: Map<String, Value>,
    name: Option<&str>,
) -> Result<Map<String, Value>> {
    let environments = settings.remove("env");
    let Some(name) = name else { return Ok(settings) };
    let listed = environments.as_ref().and_then(Value::as_object);
    let own = listed.and_then(|listed| listed.get(name)).and_then(Value::as_object);
    let own = own.ok_or_else(|| {
        let names: Vec<&String> = listed.into_iter().flat_map(Map::keys).collect();
        Error::invalid(format!("expected an environment of {names:?}, got {name:?}"))
    })?;
    settings.retain(|key, _| !OWN.contains(&key.as_str()));
    settings.extend(own.clone());
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_environment_has_its_own_bindings_and_the_rest_from_above() {
        let Value::Object(settings) = json!({
            "main": "a.js",
            "vars": { "KIND": "usual", "MORE": "1" },
            "limits": { "cpu_ms": 5 },
            "env": { "staging": { "vars": { "KIND": "staging" } }, "other": { "main": "b.js" } }
        }) else {
            panic!("an object")
        };
        let of = |name| chosen(settings.clone(), name).map(Value::Object);
        let usual = json!({ "main": "a.js", "vars": { "KIND": "usual", "MORE": "1" }, "limits": { "cpu_ms": 5 } });
        assert_eq!(of(None).ok(), Some(usual));
        let staging =
            json!({ "main": "a.js", "vars": { "KIND": "staging" }, "limits": { "cpu_ms": 5 } });
        assert_eq!(of(Some("staging")).ok(), Some(staging));
        let other = json!({ "main": "b.js", "limits": { "cpu_ms": 5 } });
        assert_eq!(of(Some("other")).ok(), Some(other));
        let error = of(Some("stagign")).expect_err("a typo");
        assert_eq!(
            error.message(),
            "expected an environment of [\"other\", \"staging\"], got \"stagign\""
        );
    }
}
