//! Services: bindings to entrypoints of the worker itself.

use std::collections::BTreeMap;

use dotdo::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};

/// A binding to an entrypoint of the worker, as `runtime/entrypoints.js` takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Service {
    /// What the worker exports; `None`: its default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entrypoint: Option<String>,
    /// What the entrypoint has as `ctx.props`.
    props: Map<String, Value>,
}

impl Service {
    /// The name of the export.
    pub(crate) fn export(&self) -> &str {
        self.entrypoint.as_deref().unwrap_or("default")
    }
}

/// The services by the names of their bindings. `own`: the name of the worker.
///
/// # Errors
///
/// `Invalid` for one of another worker, and for what is not here.
pub(super) fn of(setting: Option<&Value>, own: Option<&str>) -> Result<BTreeMap<String, Service>> {
    let listed = setting.and_then(Value::as_array).into_iter().flatten();
    listed.map(|service| one(service, own)).collect()
}

fn one(service: &Value, own: Option<&str>) -> Result<(String, Service)> {
    let wrong = |text: String| Error::invalid(format!("services: {text}"));
    let text = |key: &str| service.get(key).and_then(Value::as_str).map(str::to_owned);
    let (binding, name) = text("binding").zip(text("service")).ok_or_else(|| {
        wrong(format!("expected bindings with binding and service, got {service}"))
    })?;
    let known = ["binding", "service", "entrypoint", "environment", "props"];
    let unknown = service.as_object().and_then(|service| {
        service
            .iter()
            .find(|(key, value)| !known.contains(&key.as_str()) && !super::is_empty(value))
    });
    if let Some((key, _)) = unknown {
        return Err(wrong(format!("dotdo does not have {key} of {binding} yet; remove it")));
    }
    if own != Some(name.as_str()) {
        let own = own.map_or_else(|| "which has no name".to_owned(), |own| format!("{own:?}"));
        return Err(wrong(format!(
            "{binding} is of the worker {name:?}, expected one of this worker, {own}; put both into one worker, with an entrypoint for each (export class … extends WorkerEntrypoint), or serve {name:?} by itself and call it with fetch()"
        )));
    }
    let props = service.get("props").and_then(Value::as_object).cloned().unwrap_or_default();
    Ok((binding, Service { entrypoint: text("entrypoint"), props }))
}
