//! Protection of servers without authentication from pages of other sites, which reach the server
//! through a browser on its machine or network.
//!
//! A page can send some requests anywhere (a form, a `text/plain` POST), and a page that makes its
//! own name point to this machine (DNS rebinding) can also read the responses. The first has its
//! origin in `Origin` and `Sec-Fetch-Site`, the second its own site in `Host`; a page can forge
//! neither. Other programs send none of these headers, or the address that they use.

use std::net::IpAddr;

use dotdo_core::{Error, ErrorKind, Result, names_object};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request};

use super::cors::Cors;
use super::settings::{EdgeSettings, Reach};
use crate::cluster::peers::Proven;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// The header for the client's `Host` behind a proxy. A page can't send it to another origin
/// without a preflight.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Maximum number of characters of a host name in an error.
const SHOWN_CHARS_MAX: usize = 80;

/// Whether `text` can be a host name as in `Host`, without a port.
pub(crate) fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || (!text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)))
}

/// Refuses requests of other sites' pages.
pub(super) struct CrossSite {
    reach: Reach,
    /// Allowed host names, besides the machine's own.
    names: Vec<String>,
}

impl CrossSite {
    /// The protection for the settings; `None` with authentication, and if requests come from
    /// everywhere anyway.
    pub(super) fn new(settings: &EdgeSettings) -> Option<Self> {
        let is_needed = !settings.auth.is_on() && settings.reach != Reach::Everywhere;
        let names = settings.allowed_hosts.iter().map(|name| name.to_ascii_lowercase()).collect();
        is_needed.then_some(Self { reach: settings.reach, names })
    }

    /// # Errors
    ///
    /// `Forbidden` for a request that a page of another site may have sent.
    pub(super) fn check(&self, head: &request::Parts, cors: Option<&Cors>) -> Result<()> {
        if head.extensions.get::<Proven>().is_some() {
            return Ok(());
        }
        let hosts: Vec<String> = hosts(head).collect();
        if let Some(strange) = hosts.iter().find(|host| !self.knows(host)) {
            let shown: String = strange.chars().take(SHOWN_CHARS_MAX).collect();
            return Err(refused(
                "HOST_NOT_ALLOWED",
                format!(
                    "expected a host that this server accepts without authentication, got {shown:?}; set DOTDO_ALLOWED_HOSTS to the names that clients use, or DOTDO_AUTH_TOKENS"
                ),
            ));
        }
        match origin(&head.headers, &hosts) {
            Origin::Own => Ok(()),
            Origin::Unsaid if !is_of_another_site(&head.method, &head.headers) => Ok(()),
            Origin::Other(origin) if cors.is_some_and(|cors| cors.allows(origin)) => Ok(()),
            Origin::Unsaid | Origin::Other(_) => Err(refused(
                "ORIGIN_NOT_ALLOWED",
                "the request comes from a page of another site, which may not use this server without authentication; set DOTDO_CORS_ORIGINS to the allowed origins, or DOTDO_AUTH_TOKENS"
                    .to_owned(),
            )),
        }
    }

    /// Whether a host, with or without a port, is this server.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        if self.names.contains(&name) {
            return true;
        }
        match self.reach {
            Reach::Everywhere | Reach::Network => self.names.is_empty() || is_loopback(&name),
            Reach::Machine => is_loopback(&name),
        }
    }
}

/// Whether a request is a health check, which may use any host name and gets public information
/// only.
pub(super) fn is_probe(head: &request::Parts) -> bool {
    matches!(head.uri.path(), "/health" | "/ready") && !names_object(&head.headers)
}

/// The origin of a request according to its headers.
enum Origin<'a> {
    Unsaid,
    Own,
    Other(&'a HeaderValue),
}

fn origin<'a>(headers: &'a HeaderMap, hosts: &[String]) -> Origin<'a> {
    let mut said = headers.get_all(header::ORIGIN).iter();
    let Some(value) = said.next() else { return Origin::Unsaid };
    let own = value.to_str().ok().and_then(authority).is_some_and(|theirs| {
        let forwarded = headers
            .get_all(FORWARDED_HOST)
            .iter()
            .filter_map(|host| host.to_str().ok())
            .map(str::to_owned);
        hosts.iter().cloned().chain(forwarded).any(|ours| plain(&ours) == theirs)
    });
    if own && said.next().is_none() { Origin::Own } else { Origin::Other(value) }
}

/// The host and port of an origin, without the default port of its scheme.
fn authority(origin: &str) -> Option<String> {
    origin.split_once("://").map(|(_, authority)| plain(authority))
}

fn plain(host: &str) -> String {
    let host = host.trim().to_ascii_lowercase();
    let bare = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443"));
    bare.map(str::to_owned).unwrap_or(host)
}

/// Whether a browser marks the request as coming from another site's page, other than by following
/// a link.
fn is_of_another_site(method: &Method, headers: &HeaderMap) -> bool {
    let says = |name: &HeaderName, value: &str| headers.get(name).is_some_and(|said| said == value);
    let is_clicked = matches!(*method, Method::GET | Method::HEAD)
        && says(&FETCH_MODE, "navigate")
        && says(&FETCH_DEST, "document");
    (says(&FETCH_SITE, "cross-site") || says(&FETCH_SITE, "same-site")) && !is_clicked
}

/// The hosts of a request: of its URI and of its headers.
fn hosts(head: &request::Parts) -> impl Iterator<Item = String> {
    let of_uri = head.uri.authority().map(|authority| authority.as_str().to_owned());
    let lines = head
        .headers
        .get_all(header::HOST)
        .iter()
        .map(|host| String::from_utf8_lossy(host.as_bytes()).trim().to_owned());
    of_uri.into_iter().chain(lines)
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, _)) => inside,
        None => host
            .rsplit_once(':')
            .filter(|(name, _)| !name.contains(':'))
            .map_or(host, |(name, _)| name),
    }
}

/// Whether a name always means this machine. `localhost` and names below it never leave the machine
/// (RFC 6761 section 6.3).
fn is_loopback(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn refused(code: &'static str, message: String) -> Error {
    Error::new(ErrorKind::Forbidden, message).with_code(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::CorsSettings;

    fn guard(reach: Reach, names: &[&str]) -> CrossSite {
        let allowed_hosts = names.iter().map(|name| (*name).to_owned()).collect();
        CrossSite::new(&EdgeSettings { reach, allowed_hosts, ..EdgeSettings::default() })
            .expect("nobody proves anything")
    }

    /// The error code for a request with these headers, if it is refused.
    fn checked(
        guard: &CrossSite,
        cors: Option<&Cors>,
        method: Method,
        headers: &[(&str, &str)],
    ) -> &'static str {
        let mut request = http::Request::builder().method(method).uri("/do/a");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).expect("a request").into_parts();
        guard.check(&head, cors).map_or_else(|error| error.code(), |()| "")
    }

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        let machine = guard(Reach::Machine, &["Example.COM", "10.0.0.7"]);
        for good in [
            "localhost",
            "LOCALHOST:8787",
            "a.localhost:1",
            "127.0.0.1",
            "127.0.0.1:8787",
            "127.9.9.9",
            "[::1]",
            "[::1]:8787",
            "[::ffff:127.0.0.1]:1",
            "example.com",
            "example.com:80",
            "10.0.0.7:8787",
        ] {
            assert!(machine.knows(good), "{good}");
        }
        for bad in [
            "evil.example",
            "evil.example:8787",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "0.0.0.0",
            "10.0.0.8",
            "[::2]",
            "",
            "127.0.0.1@evil.example",
            "evil.example:127.0.0.1",
            "www.example.com",
            "2130706433",
        ] {
            assert!(!machine.knows(bad), "{bad}");
        }
        assert!(guard(Reach::Network, &[]).knows("anything"), "its names can't be known");
        assert!(!guard(Reach::Network, &["known"]).knows("anything"));
    }

    const HOST: (&str, &str) = ("host", "localhost:8787");
    const OWN: (&str, &str) = ("origin", "http://localhost:8787");
    const EVIL: (&str, &str) = ("origin", "http://evil.example");
    const CROSS: (&str, &str) = ("sec-fetch-site", "cross-site");
    const CLICKED: [(&str, &str); 2] =
        [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];

    #[test]
    fn requests_of_programs_and_own_pages_are_accepted() {
        let machine = guard(Reach::Machine, &[]);
        for (method, headers) in [
            (Method::POST, &[HOST][..]),
            (Method::GET, &[]),
            (Method::POST, &[HOST, OWN]),
            (Method::GET, &[HOST, CROSS, CLICKED[0], CLICKED[1]]),
            (Method::GET, &[HOST, ("sec-fetch-site", "same-origin")]),
            (Method::GET, &[HOST, ("sec-fetch-site", "none")]),
        ] {
            assert_eq!(
                checked(&machine, None, method.clone(), headers),
                "",
                "{method} {headers:?}"
            );
        }
    }

    #[test]
    fn a_request_of_another_site_s_page_is_refused() {
        let machine = guard(Reach::Machine, &[]);
        for (method, headers) in [
            (Method::POST, &[HOST, EVIL][..]),
            (Method::GET, &[HOST, EVIL]),
            (Method::POST, &[HOST, ("origin", "null")]),
            (Method::POST, &[HOST, ("origin", "http://localhost:3000")]),
            (Method::POST, &[HOST, OWN, EVIL]),
            (Method::GET, &[HOST, CROSS]),
            (Method::GET, &[HOST, ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")]),
            (Method::GET, &[HOST, CROSS, CLICKED[0], ("sec-fetch-dest", "iframe")]),
            (Method::POST, &[HOST, CROSS, CLICKED[0], CLICKED[1]]),
        ] {
            let code = checked(&machine, None, method.clone(), headers);
            assert_eq!(code, "ORIGIN_NOT_ALLOWED", "{method} {headers:?}");
        }
        for (method, headers) in [
            (Method::POST, &[("host", "evil.example"), EVIL][..]),
            (Method::GET, &[("host", "evil.example")]),
            (Method::GET, &[HOST, ("host", "evil.example")]),
        ] {
            let code = checked(&machine, None, method.clone(), headers);
            assert_eq!(code, "HOST_NOT_ALLOWED", "{method} {headers:?}");
        }
    }

    #[test]
    fn behind_a_proxy_the_page_s_own_host_is_the_one_that_the_proxy_says() {
        let network = guard(Reach::Network, &[]);
        let page = ("origin", "https://app.example");
        let forwarded = [("host", "upstream:8787"), ("x-forwarded-host", "app.example"), page];
        assert_eq!(checked(&network, None, Method::POST, &forwarded), "");
        let unsaid = [("host", "upstream"), page];
        assert_eq!(checked(&network, None, Method::POST, &unsaid), "ORIGIN_NOT_ALLOWED");
    }

    #[test]
    fn the_origins_of_cors_may_use_it() {
        let origins = vec!["https://app.example".to_owned()];
        let cors = Cors::new(&CorsSettings { origins, ..CorsSettings::default() });
        let machine = guard(Reach::Machine, &[]);
        let from = |origin| {
            checked(
                &machine,
                cors.as_ref(),
                Method::POST,
                &[("host", "localhost"), ("origin", origin), ("sec-fetch-site", "cross-site")],
            )
        };
        assert_eq!(
            (from("https://app.example"), from("https://evil.example")),
            ("", "ORIGIN_NOT_ALLOWED")
        );
    }
}
