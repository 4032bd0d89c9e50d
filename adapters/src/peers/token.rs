//! What travels with a request in the header `dotdo-peer`: a text, and its keyed hash.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo_core::Secret;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version of the text. A server refuses others: the sender then waits for the lease, as if nothing could be forwarded.
pub(super) const VERSION: u32 = 1;

/// What the two keys are derived for. Never change them: change the version.
const REQUEST_CONTEXT: &str = "dotdo 2026-11 requests between servers";
const ANSWER_CONTEXT: &str = "dotdo 2026-11 answers between servers";

/// Everything about a forwarded request that its own lines do not say, and those lines that must not be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Token {
    pub(super) version: u32,
    /// The sender.
    pub(super) from: Uuid,
    /// The receiver.
    pub(super) to: Uuid,
    pub(super) method: String,
    /// Class and id of the object.
    pub(super) object: (String, String),
    /// The URI that the handler shall see.
    pub(super) uri: String,
    /// The handler shall see these headers as they came: they say something else between the servers.
    pub(super) host: Option<Vec<u8>>,
    pub(super) length: Option<u64>,
    pub(super) request_id: Option<Vec<u8>>,
    /// The address of the client whose request it is, as far as the first server knows it.
    pub(super) client: Option<IpAddr>,
    /// The servers that have had the request.
    pub(super) visited: Vec<String>,
    /// The objects whose handlers wait for it.
    pub(super) chain: Vec<(String, String)>,
    /// The message that it delivers: class and id of the sender, and its number.
    pub(super) delivery: Option<(String, String, u64)>,
    /// When it was sent, in milliseconds since 1970.
    pub(super) time_ms: i64,
    /// A number that no other request has.
    pub(super) nonce: Uuid,
}

/// The keyed hash of a request.
pub(super) type Mac = blake3::Hash;

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

/// What is derived from the servers' common secret.
pub(super) struct Keys {
    request: [u8; 32],
    answer: [u8; 32],
}

impl Keys {
    pub(super) fn new(secret: &Secret) -> Self {
        let derive = |context| blake3::derive_key(context, secret.reveal().as_bytes());
        Self { request: derive(REQUEST_CONTEXT), answer: derive(ANSWER_CONTEXT) }
    }

    /// The header's value, and the hash that the answer must know.
    pub(super) fn seal(&self, token: &Token) -> (HeaderValue, Mac) {
        let json = serde_json::to_vec(token).expect("a token has nothing that JSON can't say");
        let text = URL_SAFE_NO_PAD.encode(json);
        let mac = blake3::keyed_hash(&self.request, text.as_bytes());
        let value = HeaderValue::try_from(format!("{text}.{}", mac.to_hex())).expect("letters, digits and -_. are legal in a header");
        (value, mac)
    }

    /// The token of a header that was made with the same secret; `None` for any other.
    pub(super) fn open(&self, value: &HeaderValue) -> Option<(Token, Mac)> {
        let (text, hex) = value.to_str().ok()?.rsplit_once('.')?;
        let (theirs, mac) = (Mac::from_hex(hex).ok()?, blake3::keyed_hash(&self.request, text.as_bytes()));
        // Comparing two hashes takes the same time wherever they differ.
        if theirs != mac {
            return None;
        }
        let token = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        Some((token, mac))
    }

    /// The proof that an answer is a peer's.
    pub(super) fn prove(&self, request: &Mac, status: StatusCode, kind: Kind) -> HeaderValue {
        let value = format!("{}.{}", kind.name(), self.answer_mac(request, status, kind.name()).to_hex());
        HeaderValue::try_from(value).expect("letters, digits and -. are legal in a header")
    }

    /// What an answer is, if it proves that it is a peer's: the kind, and the name of the error.
    pub(super) fn check(&self, request: &Mac, status: StatusCode, value: Option<&HeaderValue>) -> Option<String> {
        let (name, hex) = value?.to_str().ok()?.rsplit_once('.')?;
        (Mac::from_hex(hex).ok()? == self.answer_mac(request, status, name)).then(|| name.to_owned())
    }

    fn answer_mac(&self, request: &Mac, status: StatusCode, name: &str) -> Mac {
        let mut hasher = blake3::Hasher::new_keyed(&self.answer);
        hasher.update(request.as_bytes()).update(&status.as_u16().to_le_bytes()).update(name.as_bytes());
        hasher.finalize()
    }
}

impl Kind {
    pub(super) const RESPONSE: &'static str = "response";
    pub(super) const NOT_OWNER: &'static str = "not-owner";

    fn name(self) -> &'static str {
        match self {
            Self::Response => Self::RESPONSE,
            Self::NotOwner => Self::NOT_OWNER,
            Self::Error(name) => name,
        }
    }
}
