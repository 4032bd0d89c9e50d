//! Forwarding by Fly's proxy, which replays a request to the machine that a response names
//! (`fly-replay`).

use async_trait::async_trait;
use dotdo_core::{
    Error, ErrorKind, Forward, Forwarded, HOPS_MAX, NotTaken, Owner, PeerError, Peers, Request,
    RequestContext, Response,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;

/// The prefix of an owner's address on Fly, before the machine's id.
pub(super) const ADDRESS_PREFIX: &str = "fly-machine:";

const REPLAY: HeaderName = HeaderName::from_static("fly-replay");
const REPLAY_SOURCE: HeaderName = HeaderName::from_static("fly-replay-src");
const REPLAY_FAILED: HeaderName = HeaderName::from_static("fly-replay-failed");

/// Maximum body size that Fly can replay, in bytes.
const BODY_BYTES_MAX: u64 = 1_000_000;

/// Timeout of Fly's proxy to reach the owner, in seconds.
const TIMEOUT_SECONDS: u32 = 5;

/// The marker for a machine that Fly's proxy could not reach.
const FAILED: &str = "failed";

/// Answers with `fly-replay`.
pub(super) struct Replay {
    /// This machine.
    pub(super) machine: String,
}

#[async_trait]
impl Peers for Replay {
    async fn send(&self, owner: &Owner, forward: Forward) -> Result<Forwarded, PeerError> {
        let Forward { object, request, request_context } = forward;
        let not_taken = |request: Request, reason: &str| {
            Err(PeerError::NotTaken {
                request: Some(Box::new(request)),
                cause: NotTaken::NotReplayable,
                reason: reason.to_owned(),
            })
        };
        let Some(machine) =
            owner.address.strip_prefix(ADDRESS_PREFIX).filter(|machine| is_machine(machine))
        else {
            return not_taken(request, "its owner is not on Fly");
        };
        if !request_context.chain.is_empty()
            || request_context.hops > 0
            || request_context.delivery.is_some()
        {
            return not_taken(
                request,
                "Fly's proxy replays requests from clients only, but an object sent this one",
            );
        }
        if request_context.visited.len() >= HOPS_MAX
            || request_context.visited.iter().any(|known| known == machine || known == FAILED)
        {
            return not_taken(request, "it was already replayed to that server, or too often");
        }
        if request.body().size_hint().upper().is_none_or(|bytes| bytes > BODY_BYTES_MAX) {
            return not_taken(request, "its body is too large to be replayed");
        }
        let mut visited = request_context.visited;
        visited.push(self.machine.clone());
        let text = format!("another server owns {object}; Fly's proxy delivers the request to it");
        let mut response = Response::new(
            serde_json::json!({ "error": text, "code": "OWNED_BY_OTHER_INSTANCE", "status": 409 })
                .into(),
        );
        *response.status_mut() = StatusCode::CONFLICT;
        let replay = format!(
            "instance={machine};state={};timeout={TIMEOUT_SECONDS}s;fallback=force_self",
            visited.join("+")
        );
        let replay = HeaderValue::try_from(replay)
            .map_err(|cause| PeerError::Unknown { reason: cause.to_string() })?;
        response.headers_mut().insert(REPLAY, replay);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(Forwarded::Redirected(response))
    }
}

/// Whether this can be the id of a machine, so that it can be part of a header.
pub(super) fn is_machine(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The machines that a request has visited, according to Fly's proxy. A client that forges this
/// harms only itself: its request is not replayed.
pub(super) fn request_context(headers: &HeaderMap) -> Option<RequestContext> {
    let source = headers.get(REPLAY_SOURCE).map(|value| value.to_str().unwrap_or_default());
    let field = |name: &str| {
        source?.split(';').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let mut visited: Vec<String> =
        field("state").into_iter().flat_map(|state| state.split('+')).map(str::to_owned).collect();
    visited.extend(
        field("instance")
            .filter(|from| !visited.iter().any(|known| known == from))
            .map(str::to_owned),
    );
    if headers.contains_key(REPLAY_FAILED) {
        visited.push(FAILED.to_owned());
    }
    (!visited.is_empty()).then_some(RequestContext { visited, ..RequestContext::default() })
}

/// The error for an invalid machine id.
pub(super) fn no_machine(id: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format!("FLY_MACHINE_ID: expected the id of a machine, got {id:?}"),
    )
    .with_code("BAD_CONFIG")
}
