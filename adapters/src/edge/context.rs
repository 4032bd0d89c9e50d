//! The context of a request in flight.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use dotdo_core::{Account, CATALOG, names_object};
use http::{HeaderMap, StatusCode, Version, request};

use super::access::Line;
use super::cors::Cors;
use super::metrics::InFlight;
use super::rate::Quota;
use super::{ClientAddress, Edge, Objects, compress};
use crate::telemetry::TracedRequest;

/// The context of a request until its response is sent.
pub(super) struct RequestContext {
    pub(super) line: Line,
    /// The client's headers that determine the form of the response; `None` for another server,
    /// which gets it unchanged.
    pub(super) asked: Option<HeaderMap>,
    /// The account that is charged for the request and its response, if memory is counted.
    pub(super) account: Option<Account>,
    /// Whether its connection carries concurrent requests.
    pub(super) is_multiplexed: bool,
    /// The client's remaining quota, if it is limited.
    pub(super) quota: Option<Quota>,
    pub(super) trace: TracedRequest,
    /// Whether a page of another site can have sent it.
    pub(super) is_cross_site: bool,
    /// Whether its errors have the form of Iceberg's catalogs.
    pub(super) is_catalog: bool,
    pub(super) _in_flight: InFlight,
}

impl<O: Objects> Edge<O> {
    /// The context of a new request.
    pub(super) fn context(&self, head: &request::Parts) -> RequestContext {
        let sender = head.extensions.get::<ClientAddress>().map(|client| client.0);
        let id = self.request_ids.of(&head.headers);
        let trace = TracedRequest::begin(head, id.to_str().unwrap_or_default());
        let line = Line {
            method: head.method.clone(),
            uri: head.uri.clone(),
            object: None,
            id,
            trace_id: None,
            started: Instant::now(),
            client: self.proxies.client(sender, &head.headers),
            peer: None,
            caller: None,
            bytes_in: Arc::new(AtomicU64::new(0)),
            status: StatusCode::OK,
            error: None,
        };
        RequestContext {
            line,
            asked: None,
            account: None,
            is_multiplexed: head.version == Version::HTTP_2,
            quota: None,
            trace,
            is_cross_site: false,
            is_catalog: head.uri.path().starts_with(CATALOG) && !names_object(&head.headers),
            _in_flight: self.metrics.begin(),
        }
    }

    /// The client's headers that determine the form of the response.
    pub(super) fn asked(&self, head: &request::Parts) -> HeaderMap {
        let mut asked = HeaderMap::new();
        if self.cors.is_some() {
            Cors::note(head, &mut asked);
        }
        if self.settings.compression.is_on {
            compress::note(&head.headers, &mut asked);
        }
        asked
    }
}
