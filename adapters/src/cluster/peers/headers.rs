//! Headers that concern one connection only, and so are not passed on (RFC 9110 section 7.6.1).
//!
//! What a message's own `Connection` names is passed on all the same. Two servers of one bucket are
//! one recipient: the handler shall see what it would have seen at the server that the client
//! reached, and a client that could name `x-do-id`, `x-request-id` or what a proxy says of it there
//! would take these headers away.

use http::{HeaderMap, HeaderName, header};

use super::PEER_HEADER;

/// Those that are always such. `Expect` is answered by the next server.
const OF_ONE_CONNECTION: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHORIZATION,
    header::EXPECT,
    PEER_HEADER,
];

/// Removes what concerns the connection that a message came on.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in OF_ONE_CONNECTION {
        headers.remove(name);
    }
}
