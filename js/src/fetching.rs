//! Requests to other servers: `fetch` of workers and objects, behind the gate.
//!
//! Promises: unless the machine says otherwise, no request reaches an address that is not public,
//! whatever a name resolves to and wherever a response redirects; what is read is bounded.

mod upgrade;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use dotdo::{Body, Error, Result};
use http::HeaderMap;
use http_body_util::BodyExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use url::Host;

use crate::bodies::Arrived;
use crate::calls::Called;
use crate::event::{Answer, Failed, Fetch, Head};
use crate::limits::{FETCH_CONNECT_MAX, FETCH_TIME_MAX, REDIRECTS_MAX};
use crate::wire;

/// Sends requests to other servers.
pub(crate) struct Fetcher {
    private_networks: bool,
    /// Made when they are needed: one that does not follow redirects, one that does, and one for
    /// WebSockets, which are opened in HTTP/1.1.
    clients: [OnceLock<Client>; 3],
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(String);

impl Fetcher {
    pub(crate) fn new(private_networks: bool) -> Self {
        Self { private_networks, clients: Default::default() }
    }

    /// Sends a request: the answer of the operation `id`, with its body or its WebSocket.
    pub(crate) async fn fetch(&self, id: u64, fetch: Fetch) -> Called {
        let answered = match fetch.upgrades {
            true => self.upgrade(fetch).await,
            false => self.answer(fetch).await,
        };
        let mut called = answered.unwrap_or_else(|error| {
            let failed = Failed {
                name: "TypeError".to_owned(),
                message: error.message().to_owned(),
                code: Some(error.code().to_owned()),
                ..Failed::default()
            };
            let answer = Answer { error: Some(failed), ..Answer::default() };
            Called { answer, ..Called::default() }
        });
        called.answer.call = id;
        called
    }

    async fn answer(&self, Fetch { head, follows, body, .. }: Fetch) -> Result<Called> {
        let (url, method) = self.asked(&head)?;
        let asked = url.clone();
        let client = self.client(if follows { Kind::Following } else { Kind::Plain })?;
        let mut request = client.request(method, url);
        request = request.headers(sent(wire::headers_of(&head.headers)?));
        if let Some(body) = body {
            request = request.body(body);
        }
        let failed = failure(&asked);
        let response = request.send().await.map_err(&failed)?;
        answered(response, &asked, failed).await
    }

    /// The URL and the method of a request, if they are allowed.
    fn asked(&self, head: &Head) -> Result<(Url, reqwest::Method)> {
        let failed = |text: String| Error::invalid(text).with_code("FETCH_REFUSED");
        let url = Url::parse(&head.url)
            .map_err(|cause| failed(format!("cannot fetch {}: {cause}", head.url)))?;
        self.allow(&url).map_err(|refused| failed(refused.to_string()))?;
        let method = reqwest::Method::from_bytes(head.method.as_bytes())
            .map_err(|_| failed(format!("{:?} is no method", head.method)))?;
        Ok((url, method))
    }

    /// Whether a URL may be asked for, as far as it says itself.
    fn allow(&self, url: &Url) -> std::result::Result<(), Refused> {
        allow(url, self.private_networks)
    }

    fn client(&self, kind: Kind) -> Result<&Client> {
        let place = &self.clients[kind as usize];
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let private_networks = self.private_networks;
        let policy = Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTS_MAX {
                return attempt.error(Refused("there are too many redirects".to_owned()));
            }
            match allow(attempt.url(), private_networks) {
                Ok(()) => attempt.follow(),
                Err(refused) => attempt.error(refused),
            }
        });
        let mut client = Client::builder()
            .redirect(if kind == Kind::Following { policy } else { Policy::none() })
            .connect_timeout(FETCH_CONNECT_MAX)
            .read_timeout(FETCH_TIME_MAX)
            .referer(false);
        if !self.private_networks {
            // A proxy would resolve names itself.
            client = client.no_proxy().dns_resolver(Arc::new(Public));
        }
        if kind == Kind::Upgrading {
            client = client.http1_only();
        }
        let client = client
            .build()
            .map_err(|cause| Error::internal(format!("cannot make a client of HTTP: {cause}")))?;
        Ok(place.get_or_init(|| client))
    }
}

/// What a client is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Following,
    Upgrading,
}

/// What becomes of an error of a request to `url`.
fn failure(url: &Url) -> impl Fn(reqwest::Error) -> Error + Clone + Send + Sync + 'static {
    let host = url.host_str().unwrap_or("it").to_owned();
    move |cause: reqwest::Error| {
        let (refused, cause) = (is_refused(&cause), causes(&cause.without_url()));
        let code = if refused { "FETCH_REFUSED" } else { "FETCH_FAILED" };
        Error::invalid(format!("cannot fetch from {host}: {cause}")).with_code(code)
    }
}

/// What a response says; `asked` is the URL that it was first asked for.
async fn answered(
    response: reqwest::Response,
    asked: &Url,
    failed: impl Fn(reqwest::Error) -> Error + Send + Sync + 'static,
) -> Result<Called> {
    let mut headers = response.headers().clone();
    wire::strip(&mut headers);
    let answer = Answer {
        status: response.status().as_u16(),
        headers: wire::texts(&headers),
        redirected: response.url() != asked,
        url: Some(response.url().to_string()),
        ..Answer::default()
    };
    let body: reqwest::Body = http::Response::from(response).into_body();
    let body = Some(Arrived::of(Body::new(body.map_err(failed))).await?);
    Ok(Called { answer, body, ..Called::default() })
}

/// The headers that code may determine: what belongs to the connection, it may not.
fn sent(mut headers: HeaderMap) -> HeaderMap {
    for name in [
        http::header::HOST,
        http::header::CONTENT_LENGTH,
        http::header::CONNECTION,
        http::header::TRANSFER_ENCODING,
        http::header::UPGRADE,
    ] {
        headers.remove(name);
    }
    headers
}

fn allow(url: &Url, private_networks: bool) -> std::result::Result<(), Refused> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused(format!("expected an http or https URL, got {}:", url.scheme())));
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        _ => None,
    };
    match address.filter(|address| !private_networks && !is_public(*address)) {
        Some(address) => Err(not_public(&address.to_string())),
        None => Ok(()),
    }
}

fn not_public(what: &str) -> Refused {
    Refused(format!(
        "{what} is not a public address; fetch.private_networks allows requests to others"
    ))
}

/// Resolves names to public addresses only.
struct Public;

impl Resolve for Public {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(not_public(name.as_str()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public Internet (RFC 6890, and the registries of IANA for special
/// addresses). Addresses that stand for one of IPv4 are as that one is.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network; carrier-grade NAT; protocol assignments; 6to4 relays; benchmarks; reserved.
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [240..=255, ..] => true,
        [100, second, ..] => second & 0xc0 == 64,
        _ => false,
    };
    !(special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // Mapped and translated addresses of IPv4 (RFC 4291, RFC 6052), and 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0x2002, high, low, ..] => embedded(high, low),
        // Protocol assignments with Teredo, and documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Everything else that is global unicast is here (RFC 4291, section 2.4).
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Whether we have refused it, and not somebody else.
fn is_refused(error: &reqwest::Error) -> bool {
    std::iter::successors(std::error::Error::source(error), |cause| cause.source())
        .any(|cause| cause.is::<Refused>())
}

/// The innermost cause, which says most.
fn causes(error: &reqwest::Error) -> String {
    let causes =
        std::iter::successors(Some(error as &dyn std::error::Error), |cause| cause.source());
    causes.last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert!(is_public(public.parse().expect(public)), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().expect(private)), "{private}");
        }
    }

    #[test]
    fn urls_that_name_other_addresses_are_refused() {
        for bad in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:7f00:1]:80/",
            "http://169.254.169.254/latest/meta-data/",
            "file:///etc/passwd",
            "ftp://example.com/",
            "data:text/plain,x",
        ] {
            let url = Url::parse(bad).expect(bad);
            assert!(allow(&url, false).is_err(), "{bad}");
            assert_eq!(allow(&url, true).is_ok(), bad.starts_with("http"), "{bad}");
        }
        for good in ["http://example.com/", "https://1.1.1.1/"] {
            assert!(allow(&Url::parse(good).expect(good), false).is_ok(), "{good}");
        }
    }
}
