//! The input of a request that writes.

use dotdo::engine::REQUEST_ID_HEADER;
use dotdo::{Error, Result};
use http::HeaderMap;
use serde_json::Value;

use super::conditions::Conditions;
use super::fields::Object;
use super::query::Query;
use super::sentence::shown;

/// The input of a request that writes.
pub(super) struct Change {
    pub(super) query: Query,
    pub(super) origin: Origin,
    pub(super) conditions: Conditions,
    pub(super) body: Object,
}

/// A change and its author, for the action that records it.
#[derive(Debug, Default)]
pub(super) struct Origin {
    pub(super) actor: Option<String>,
    pub(super) session_id: Option<String>,
    pub(super) workflow_id: Option<String>,
    pub(super) request_id: Option<String>,
}

impl Origin {
    /// The parts of the request besides its body.
    pub(super) fn new(headers: &HeaderMap, query: &Query) -> Self {
        let request_id = headers.get(REQUEST_ID_HEADER).and_then(|value| value.to_str().ok());
        Self {
            actor: query.actor.clone(),
            session_id: query.session_id.clone(),
            workflow_id: query.workflow_id.clone(),
            request_id: request_id.map(str::to_owned),
        }
    }

    /// The same for a write of a batch, whose own query may name others.
    pub(super) fn for_query(&self, query: &Query) -> Self {
        let own = |own: &Option<String>, of_batch: &Option<String>| {
            own.clone().or_else(|| of_batch.clone())
        };
        Self {
            actor: own(&query.actor, &self.actor),
            session_id: own(&query.session_id, &self.session_id),
            workflow_id: own(&query.workflow_id, &self.workflow_id),
            request_id: self.request_id.clone(),
        }
    }

    /// Removes the fields of the action from the body of a thing.
    pub(super) fn take_from(&mut self, body: &mut Object) -> Result<()> {
        let places = [
            ("actor", &mut self.actor),
            ("session_id", &mut self.session_id),
            ("workflow_id", &mut self.workflow_id),
        ];
        for (name, place) in places {
            match body.remove(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => *place = Some(text),
                Some(other) => {
                    return Err(Error::invalid(format!(
                        "`{name}`: expected a text, got {}",
                        shown(&other)
                    )));
                }
            }
        }
        Ok(())
    }
}
