//! Headers that concern one connection only, and so are not passed on (RFC 9110 section 7.6.1).

use http::{HeaderMap, HeaderName, header};

use super::PEER_HEADER;

/// Those that are always such; others are named by `Connection`. `Expect` is answered by the next server.
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
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named = values.flat_map(|value| value.split(',')).filter_map(|name| name.trim().parse::<HeaderName>().ok());
    for name in named.collect::<Vec<_>>().into_iter().chain(OF_ONE_CONNECTION) {
        headers.remove(name);
    }
}
