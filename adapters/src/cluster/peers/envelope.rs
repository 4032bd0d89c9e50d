//! What travels with a request in the header `dotdo-peer`, and what an answer says of itself there.
//! Both are believed because of the connection on which they come ([`tls`](super::tls)), not
//! because of what they are.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Everything about a forwarded request that its own lines do not say, and those lines that mean
/// something else between servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Envelope {
    /// The sender.
    pub(super) from: Uuid,
    /// The receiver. Another server of the same bucket may have come to have its address.
    pub(super) to: Uuid,
    /// Class and id of the object.
    pub(super) object: (String, String),
    /// The URI that the handler shall see.
    pub(super) uri: String,
    /// The handler shall see these headers as they came: they say something else between the
    /// servers.
    pub(super) host: Option<Vec<u8>>,
    pub(super) length: Option<u64>,
    /// The address of the client whose request it is, as far as the first server knows it.
    pub(super) client: Option<IpAddr>,
    /// The servers that have had the request.
    pub(super) visited: Vec<String>,
    /// The objects whose handlers wait for it.
    pub(super) chain: Vec<(String, String)>,
    /// The message that it delivers: class and id of the sender, and its number.
    pub(super) delivery: Option<(String, String, u64)>,
    /// Who sends it, as the first server has found out: a hash, in hexadecimal digits.
    pub(super) identity: Option<String>,
    /// By what the object knows it again.
    pub(super) attempt: Option<Uuid>,
}

impl Envelope {
    /// The header's value.
    pub(super) fn sealed(&self) -> HeaderValue {
        let json = serde_json::to_vec(self).expect("an envelope has nothing that JSON can't say");
        HeaderValue::try_from(URL_SAFE_NO_PAD.encode(json))
            .expect("letters, digits and -_ are legal in a header")
    }

    /// What a header's value says; `None` when it was not made by [`Envelope::sealed`].
    pub(super) fn opened(value: &HeaderValue) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value.as_bytes()).ok()?).ok()
    }
}

/// What an answer is.
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

    /// What the answer's header says.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Response => Self::RESPONSE,
            Self::NotOwner => Self::NOT_OWNER,
            Self::Error(name) => name,
        }
    }
}
