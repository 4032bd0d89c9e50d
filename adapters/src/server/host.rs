//! Every request must name exactly one host (RFC 9112, section 3.2; RFC 9113, section 8.3.1), so
//! that proxies in front see the same one.

use dotdo_core::{Error, Response};
use http::{HeaderValue, Request, Version, header};

use super::websocket::{SocketSettings, Upgrading};
use crate::cluster::peers::Proven;
use crate::edge::refusal as refuse;

/// The error for a request that does not name exactly one host.
pub(crate) fn refusal<B>(request: &Request<B>) -> Option<Response> {
    let hosts: Vec<&HeaderValue> = request.headers().get_all(header::HOST).iter().collect();
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let problem = match (request.version(), hosts.as_slice(), authority) {
        (_, [_, _, ..], _) => format!("expected one host header, got {}", hosts.len()),
        (Version::HTTP_11, [], _) => "expected one host header, got none".to_owned(),
        (Version::HTTP_2, [], None) => {
            "expected :authority or a host header, got neither".to_owned()
        }
        (Version::HTTP_2, [host], Some(authority))
            if !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) =>
        {
            "expected the same host in :authority and in the host header, got two".to_owned()
        }
        _ => return None,
    };
    Some(refuse(&Error::invalid(problem).with_code("BAD_HOST"), &HeaderValue::from_static("none")))
}

/// Looks at the head of a request before it is answered: the handshake that it is, if it is one.
///
/// # Errors
///
/// The response to a request that is wrong.
pub(super) fn look<B>(
    request: &mut Request<B>,
    proven: Option<Proven>,
    sockets: &SocketSettings,
) -> Result<Option<Upgrading>, Box<Response>> {
    if proven.is_some() {
        // Other servers forward their clients' requests, and have checked them.
        return Ok(None);
    }
    match refusal(request) {
        Some(refusal) => Err(Box::new(refusal)),
        None if sockets.are_held => Upgrading::of(request, sockets).transpose().map_err(Box::new),
        None => Ok(None),
    }
}
