//! The client address of a request, also through proxies.
//!
//! A header with an address is a claim of its sender. It is trusted only as far as trusted proxies
//! wrote it: each appends the address of its client to `X-Forwarded-For`, so the list is read from
//! its end, and everything before the first untrusted address is ignored. `Forwarded` (RFC 7239) is
//! not read, because a proxy that writes one of the two headers passes the other on unchanged.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The header that proxies write.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Maximum number of proxies in a row.
const HOPS_MAX: usize = 16;

/// The address that a request came from, according to the socket or the platform's event. A program
/// with its own server puts it into the extensions of each request that it passes to an
/// [`ObjectService`](crate::service::ObjectService).
///
/// ```
/// use std::net::SocketAddr;
///
/// use dotdo::http::Request;
/// use dotdo::service::ClientAddress;
///
/// /// A request that has arrived on a connection from `peer`.
/// fn arrived<B>(mut request: Request<B>, peer: SocketAddr) -> Request<B> {
///     request.extensions_mut().insert(ClientAddress(peer.ip()));
///     request
/// }
///
/// let request = arrived(Request::new(()), SocketAddr::from(([203, 0, 113, 7], 50321)));
/// assert!(request.extensions().get::<ClientAddress>().is_some());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The trusted proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TrustedProxies {
    /// Proxies with an address in one of these networks; none without networks.
    Networks(Vec<IpNet>),
    /// This number of proxies in a row, with any addresses.
    Hops(usize),
}

impl Default for TrustedProxies {
    fn default() -> Self {
        Self::Networks(Vec::new())
    }
}

/// Whether `text` is the address or network of a proxy, or a number of proxies.
pub(crate) fn is_proxy(text: &str) -> bool {
    hops(text).is_some() || network(text).is_some()
}

fn hops(text: &str) -> Option<usize> {
    text.parse().ok().filter(|hops| (1..=HOPS_MAX).contains(hops))
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
}

impl TrustedProxies {
    /// Parses the setting: networks, or one number. `None` for anything else.
    pub(crate) fn new(items: &[String]) -> Option<Self> {
        match items {
            [one] if hops(one).is_some() => hops(one).map(Self::Hops),
            _ => items.iter().map(|item| network(item)).collect::<Option<_>>().map(Self::Networks),
        }
    }

    /// Whether a connection from this address may be from a proxy.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        match self {
            Self::Networks(networks) => {
                networks.iter().any(|network| network.contains(&address.to_canonical()))
            }
            Self::Hops(_) => true,
        }
    }

    /// The address of the client whose request arrived from `sender`, as far as it is known.
    pub(super) fn client(&self, sender: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let sender = sender.map(|address| address.to_canonical());
        match self {
            Self::Networks(networks) => {
                let is_ours =
                    |address: &IpAddr| networks.iter().any(|network| network.contains(address));
                let mut client = sender?;
                for claim in claims(headers).take_while(Option::is_some).flatten() {
                    if !is_ours(&client) {
                        break;
                    }
                    client = claim;
                }
                Some(client)
            }
            Self::Hops(hops) => claims(headers).nth(hops - 1).flatten().or(sender),
        }
    }
}

/// A target for fuzzers: the lines of `X-Forwarded-For`.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    let sender = Some(IpAddr::from([127, 0, 0, 1]));
    let lines = data
        .split(|byte| *byte == b'\n')
        .filter_map(|line| http::HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap =
        lines.map(|line| (http::HeaderName::from_static(FORWARDED_FOR), line)).collect();
    for proxies in [&["127.0.0.0/8"][..], &["2"], &[]] {
        let items: Vec<String> = proxies.iter().map(|item| (*item).to_owned()).collect();
        let trusted = TrustedProxies::new(&items).expect("networks, or a number");
        let client = trusted.client(sender, &headers);
        assert!(!proxies.is_empty() || client == sender, "a stranger's header was believed");
    }
}

/// The addresses in `X-Forwarded-For`, the newest first; `None` for anything else.
fn claims(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    lines.flat_map(|line| {
        line.to_str().unwrap_or_default().rsplit(',').map(|item| address(item.trim()))
    })
}

/// An address, also one with a port or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], sender: &str, lines: &[&str]) -> String {
        let items: Vec<String> = trusted.iter().map(|item| (*item).to_owned()).collect();
        let trusted = TrustedProxies::new(&items).expect("a setting");
        let mut headers = HeaderMap::new();
        for line in lines {
            headers
                .append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).expect("a value"));
        }
        trusted
            .client(sender.parse().ok(), &headers)
            .map_or_else(String::new, |address| address.to_string())
    }

    #[test]
    fn without_proxies_of_ours_the_sender_is_the_client() {
        for lines in [&[][..], &["1.1.1.1"], &["127.0.0.1, 1.1.1.1"], &["unknown"]] {
            assert_eq!(client(&[], "9.9.9.9", lines), "9.9.9.9");
            assert_eq!(client(&["10.0.0.0/8"], "9.9.9.9", lines), "9.9.9.9");
        }
        assert_eq!(client(&[], "::ffff:9.9.9.9", &[]), "9.9.9.9");
    }

    #[test]
    fn the_list_is_read_from_its_end_to_the_first_stranger() {
        let ours = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"];
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["1.1.1.1"], "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),
            (&["10.0.0.9, 1.1.1.1"], "1.1.1.1"),
            (&["6.6.6.6", "1.1.1.1,10.0.0.2", "192.0.2.1"], "1.1.1.1"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["1.1.1.1:4711"], "1.1.1.1"),
            (&["[2001:db8::1]:80, [fd00::2]"], "2001:db8::1"),
            (&["1.1.1.1, unknown"], "10.0.0.1"),
            (&["1.1.1.1, , 10.0.0.2"], "10.0.0.2"),
            (&["1.1.1.1, é"], "10.0.0.1"),
            (&["::ffff:1.1.1.1"], "1.1.1.1"),
        ] {
            assert_eq!(client(&ours, "10.0.0.1", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_number_of_proxies_counts_from_the_end() {
        assert_eq!(client(&["1"], "10.0.0.1", &["6.6.6.6, 1.1.1.1"]), "1.1.1.1");
        assert_eq!(client(&["2"], "10.0.0.1", &["6.6.6.6, 1.1.1.1", "10.0.0.2"]), "1.1.1.1");
        // A client that bypasses the proxies is the sender itself.
        assert_eq!(client(&["2"], "9.9.9.9", &["1.1.1.1"]), "9.9.9.9");
        assert_eq!(client(&["1"], "9.9.9.9", &["nobody"]), "9.9.9.9");
        assert_eq!(client(&["1"], "", &["1.1.1.1"]), "1.1.1.1");
    }

    #[test]
    fn networks_and_a_number_do_not_mix() {
        let new = |items: &[&str]| {
            TrustedProxies::new(&items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(new(&["1", "10.0.0.0/8"]), None);
        for bad in ["0", "17", "10.0.0.0/33", "example.com", ""] {
            assert!(!is_proxy(bad), "{bad}");
        }
    }
}
