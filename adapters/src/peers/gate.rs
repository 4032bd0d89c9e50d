//! Requests of peers as they come in: who may speak as one, and what their requests are.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{Clock, Delivery, Error, ErrorKind, HOPS_MAX, Journey, ObjectId, REQUEST_ID_HEADER, Response, Result, Secret};
use http::{HeaderMap, HeaderValue, header, request};
use uuid::Uuid;

use super::fly;
use super::seen::Seen;
use super::token::{Keys, Kind, Mac, Token, VERSION};
use super::{CLOCK_SKEW_MAX, PEER_HEADER, headers};
use crate::edge::ClientAddress;

/// What a server does with requests that other servers, or proxies that know them, have passed on.
pub(crate) enum Gate {
    /// It takes none.
    Closed,
    /// It takes those of peers that prove who they are.
    Peers(Box<PeerGate>),
    /// Fly's proxy replays requests, and says where they have been.
    Fly,
}

/// Takes requests of peers.
pub(crate) struct PeerGate {
    keys: Keys,
    instance: Uuid,
    clock: Arc<dyn Clock>,
    /// Both clocks at the start: time goes on evenly from there, whoever sets the wall clock.
    started: (i64, Duration),
    seen: Seen,
}

/// A request of a peer.
pub(crate) struct Arrival {
    /// The object that it is for.
    pub(crate) object: ObjectId,
    /// Where it has been.
    pub(crate) journey: Journey,
    token: Token,
    mac: Mac,
}

impl Gate {
    /// A gate for peers with the same secret.
    pub(crate) fn of_peers(secret: &Secret, instance: Uuid, clock: Arc<dyn Clock>) -> Self {
        let started = (clock.wall_ms(), clock.monotonic());
        Self::Peers(Box::new(PeerGate { keys: Keys::new(secret), instance, clock, started, seen: Seen::default() }))
    }

    /// What the request is if it says that a peer sends it; `None` for any other.
    ///
    /// # Errors
    ///
    /// `Forbidden` when it does not prove that.
    pub(crate) fn arrival(&self, head: &request::Parts) -> Option<Result<Arrival>> {
        let mut values = head.headers.get_all(PEER_HEADER).iter();
        let value = values.next()?;
        Some(match self {
            Self::Peers(gate) if values.next().is_none() => gate.arrival(value, head).map_err(refused),
            Self::Peers(_) => Err(refused("it has two of these headers")),
            Self::Closed | Self::Fly => Err(refused("this server takes no requests of other servers")),
        })
    }

    /// Where a request has been that came the usual way.
    pub(crate) fn journey(&self, headers: &HeaderMap) -> Option<Journey> {
        match self {
            Self::Fly => fly::journey(headers),
            Self::Closed | Self::Peers(_) => None,
        }
    }

    /// The answer to a peer, with the proof that it is one's own.
    pub(crate) fn signed(&self, arrival: &Arrival, kind: Kind, mut response: Response) -> Response {
        response.headers_mut().remove(PEER_HEADER);
        if let Self::Peers(gate) = self {
            let proof = gate.keys.prove(&arrival.mac, response.status(), kind);
            response.headers_mut().insert(PEER_HEADER, proof);
        }
        response
    }
}

impl PeerGate {
    fn arrival(&self, value: &HeaderValue, head: &request::Parts) -> Result<Arrival, &'static str> {
        let (token, mac) = self.keys.open(value).ok_or("the header dotdo-peer was not made with this server's secret")?;
        let now = self.clock.monotonic();
        let wall_ms = self.started.0.saturating_add(i64::try_from((now - self.started.1).as_millis()).unwrap_or(i64::MAX));
        let id = head.headers.get(REQUEST_ID_HEADER).map(HeaderValue::as_bytes);
        let me = self.instance.to_string();
        let rules = [
            (token.version == VERSION, "its version is another"),
            (token.to == self.instance, "it is for another server"),
            (token.method == head.method.as_str(), "it was made for another method"),
            (token.request_id.as_deref() == id, "it was made for another request id"),
            (token.visited.len() <= HOPS_MAX && !token.visited.contains(&me), "the request goes in circles"),
            (wall_ms.abs_diff(token.time_ms) <= CLOCK_SKEW_MAX.as_millis() as u64, "the clocks of the two servers are too far apart"),
        ];
        if let Some((_, why)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(why);
        }
        // Last, so that only numbers of good requests are kept.
        if !self.seen.is_new(token.nonce, now) {
            return Err("it was sent before");
        }
        let named = |class: &str, id: &str| ObjectId::new(class, id).map_err(|_| "it names no object");
        let chain = token.chain.iter().map(|(class, id)| named(class, id)).collect::<Result<_, _>>()?;
        let delivery = match &token.delivery {
            Some((class, id, number)) => Some(Delivery { sender: named(class, id)?, number: *number }),
            None => None,
        };
        let journey = Journey { visited: token.visited.clone(), chain, delivery };
        Ok(Arrival { object: named(&token.object.0, &token.object.1)?, journey, token, mac })
    }
}

impl Arrival {
    /// The server that sends it.
    pub(crate) fn sender(&self) -> Uuid {
        self.token.from
    }

    /// The address of the client whose request it is, as far as it is known.
    pub(crate) fn client(&self) -> Option<IpAddr> {
        self.token.client
    }

    /// Makes the head what it was before it went from server to server.
    ///
    /// # Errors
    ///
    /// `Invalid` when the URI is none.
    pub(crate) fn restore(&self, head: &mut request::Parts) -> Result<()> {
        headers::strip(&mut head.headers);
        head.extensions.remove::<ClientAddress>();
        if let Some(client) = self.token.client {
            head.extensions.insert(ClientAddress(client));
        }
        let bad = |cause: &dyn std::fmt::Display| Error::invalid(format!("a peer sent a request that can't be one: {cause}"));
        head.uri = self.token.uri.parse().map_err(|cause| bad(&cause))?;
        head.headers.remove(header::HOST);
        if let Some(host) = &self.token.host {
            head.headers.insert(header::HOST, HeaderValue::from_bytes(host).map_err(|cause| bad(&cause))?);
        }
        if let Some(length) = self.token.length {
            head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(())
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::Forbidden, format!("this request claims to come from another server: {why}")).with_code("PEER_REFUSED")
}
