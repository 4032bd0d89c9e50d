//! Headers of a single connection, which are not forwarded (RFC 9110 section 7.6.1).
//!
//! Headers that a message names in `Connection` are forwarded nevertheless. Two servers of a bucket
//! are one recipient: the handler must see the same as on the server that the client reached, and a
//! client could otherwise remove `x-do-id`, `x-request-id` or a proxy's headers by naming them.

use http::{HeaderMap, HeaderName, header};

use super::PEER_HEADER;

/// The headers that are never forwarded. The next server answers `Expect`.
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

/// Removes the headers of a message's connection.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in OF_ONE_CONNECTION {
        headers.remove(name);
    }
}
