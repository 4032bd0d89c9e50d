//! The content of the header `dotdo-peer` in forwarded requests and their responses. Both are
//! trusted because their connection is authenticated ([`tls`](super::tls)), not because of their
//! content.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::SealedCaller;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The context of a forwarded request, and the headers with another meaning between servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Envelope {
    /// The sender.
    pub(super) from: Uuid,
    /// The receiver. Another server of the same bucket may use its address by now.
    pub(super) to: Uuid,
    /// Organisation and tenant of all objects in it, and of the caller.
    pub(super) tenant: (String, String),
    /// Class and id of the object.
    pub(super) object: (String, String),
    /// The URI for the handler.
    pub(super) uri: String,
    /// The original values of headers that have another meaning between servers.
    pub(super) host: Option<Vec<u8>>,
    pub(super) length: Option<u64>,
    /// The client's address, as far as the first server knows it.
    pub(super) client: Option<IpAddr>,
    /// The servers that the request has visited.
    pub(super) visited: Vec<String>,
    /// The objects whose handlers wait for the request.
    pub(super) chain: Vec<(String, String)>,
    /// The number of calls between these that keep no turn.
    #[serde(default)]
    pub(super) hops: usize,
    /// The message that it delivers: class and id of the sender, and its number.
    pub(super) delivery: Option<(String, String, u64)>,
    /// The caller, as the first server verified it.
    pub(super) caller: Option<SealedCaller>,
    /// The attempt number by which the object recognises a retry.
    pub(super) attempt: Option<Uuid>,
    /// What it says about a socket. Servers of before sockets refuse a request with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) socket: Option<String>,
}

impl Envelope {
    /// The header's value.
    pub(super) fn sealed(&self) -> HeaderValue {
        let json = serde_json::to_vec(self).expect("an envelope has nothing that JSON can't say");
        HeaderValue::try_from(URL_SAFE_NO_PAD.encode(json))
            .expect("letters, digits and -_ are legal in a header")
    }

    /// Parses a header value; `None` if it was not made by [`Envelope::sealed`].
    pub(super) fn opened(value: &HeaderValue) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value.as_bytes()).ok()?).ok()
    }
}

/// The kind of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The handler's response.
    Response,
    /// An error of the server, with the kind's name.
    Error(&'static str),
    /// The server does not own the object; nothing was done.
    NotOwner,
}

impl Kind {
    pub(super) const RESPONSE: &'static str = "response";
    pub(super) const NOT_OWNER: &'static str = "not-owner";

    /// The value of the response's header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Response => Self::RESPONSE,
            Self::NotOwner => Self::NOT_OWNER,
            Self::Error(name) => name,
        }
    }
}
