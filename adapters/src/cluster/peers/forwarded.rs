//! Requests from peers: authentication and parsing.

use std::net::IpAddr;

use dotdo_core::{
    Caller, Delivery, Error, ErrorKind, HOPS_MAX, ObjectId, RequestContext, Response, Result,
    SocketPart, Tenant,
};
use http::{HeaderMap, HeaderValue, header, request};
use uuid::Uuid;

use super::envelope::{Envelope, Kind};
use super::fly;
use super::{PEER_HEADER, headers};
use crate::edge::ClientAddress;

/// Marks, in a request's extensions, that its connection is authenticated as a server of the same
/// bucket. Only the code that verifies this sets it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proven;

/// How a server accepts requests from other servers or their proxies.
pub(crate) enum ForwardedRequests {
    /// It accepts none.
    Closed,
    /// It accepts requests from authenticated peers for the process with this id.
    Peers(Uuid),
    /// It accepts requests that Fly's proxy replays.
    Fly,
}

/// A request of a peer.
pub(crate) struct ForwardedRequest {
    /// The object that it is for.
    pub(crate) object: ObjectId,
    /// The servers that it has visited.
    pub(crate) request_context: RequestContext,
    envelope: Envelope,
}

impl ForwardedRequests {
    /// Parses a request that claims to be from a peer; `None` for any other.
    ///
    /// # Errors
    ///
    /// `Forbidden` when its connection is not authenticated, or it is for another process.
    pub(crate) fn arrival(&self, head: &request::Parts) -> Option<Result<ForwardedRequest>> {
        let mut values = head.headers.get_all(PEER_HEADER).iter();
        let value = values.next()?;
        let is_proven = head.extensions.get::<Proven>().is_some();
        Some(match self {
            Self::Peers(_) if !is_proven => Err(refused("its connection does not prove that")),
            Self::Peers(me) if values.next().is_none() => arrival(*me, value).map_err(refused),
            Self::Peers(_) => Err(refused("it has two of these headers")),
            Self::Closed | Self::Fly => {
                Err(refused("this server does not accept requests from other servers"))
            }
        })
    }

    /// The context of a request that is not from a peer.
    pub(crate) fn request_context(&self, headers: &HeaderMap) -> Option<RequestContext> {
        match self {
            Self::Fly => fly::request_context(headers),
            Self::Closed | Self::Peers(_) => None,
        }
    }

    /// The response to a peer, with its kind.
    pub(crate) fn marked(&self, kind: Kind, mut response: Response) -> Response {
        response.headers_mut().insert(PEER_HEADER, HeaderValue::from_static(kind.name()));
        response
    }
}

fn arrival(me: Uuid, value: &HeaderValue) -> Result<ForwardedRequest, &'static str> {
    let envelope = Envelope::opened(value).ok_or("cannot parse the header dotdo-peer")?;
    if envelope.to != me {
        return Err("it is for another server");
    }
    if envelope.visited.len() > HOPS_MAX || envelope.visited.contains(&me.to_string()) {
        return Err("the request goes in circles");
    }
    let tenant =
        Tenant::new(&envelope.tenant.0, &envelope.tenant.1).map_err(|_| "it names no tenant")?;
    let named = |class: &str, id: &str| tenant.object(class, id).map_err(|_| "it names no object");
    let chain =
        envelope.chain.iter().map(|(class, id)| named(class, id)).collect::<Result<_, _>>()?;
    let delivery = match &envelope.delivery {
        Some((class, id, number)) => Some(Delivery { sender: named(class, id)?, number: *number }),
        None => None,
    };
    let caller = match &envelope.caller {
        Some(sealed) => Some(sealed.opened(&tenant).ok_or("it names no caller")?),
        None => None,
    };
    let socket = match &envelope.socket {
        Some(text) => Some(SocketPart::opened(text).ok_or("it says nothing about a socket")?),
        None => None,
    };
    let request_context = RequestContext {
        visited: envelope.visited.clone(),
        chain,
        hops: envelope.hops,
        delivery,
        caller,
        attempt: envelope.attempt,
        socket,
    };
    Ok(ForwardedRequest {
        object: named(&envelope.object.0, &envelope.object.1)?,
        request_context,
        envelope,
    })
}

impl ForwardedRequest {
    /// Whether it is for this server, whoever owns the object.
    pub(crate) fn is_for_the_server(&self) -> bool {
        self.request_context.socket.as_ref().is_some_and(SocketPart::is_for_the_server)
    }

    /// The server that sends it.
    pub(crate) fn sender(&self) -> Uuid {
        self.envelope.from
    }

    /// The caller, if the first server verified it.
    pub(crate) fn caller(&self) -> Option<Caller> {
        self.request_context.caller.clone().filter(|caller| !caller.is_anonymous())
    }

    /// The client's address, as far as it is known.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        self.envelope.client
    }

    /// Restores the head as it was before forwarding.
    ///
    /// # Errors
    ///
    /// `Invalid` when the URI is invalid.
    pub(crate) fn restore(&self, head: &mut request::Parts) -> Result<()> {
        headers::strip(&mut head.headers);
        head.extensions.remove::<ClientAddress>();
        if let Some(client) = self.envelope.client {
            head.extensions.insert(ClientAddress(client));
        }
        let bad = |cause: &dyn std::fmt::Display| {
            Error::invalid(format!("a peer sent an invalid request: {cause}"))
        };
        head.uri = self.envelope.uri.parse().map_err(|cause| bad(&cause))?;
        head.headers.remove(header::HOST);
        if let Some(host) = &self.envelope.host {
            head.headers
                .insert(header::HOST, HeaderValue::from_bytes(host).map_err(|cause| bad(&cause))?);
        }
        if let Some(length) = self.envelope.length {
            head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(())
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(
        ErrorKind::Forbidden,
        format!("this request claims to come from another server: {why}"),
    )
    .with_code("PEER_REFUSED")
}
