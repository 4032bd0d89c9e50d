//! Pages of other origins that may use the server (CORS,
//! <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! tower-http writes the headers. Its layer sees only the headers of the protocol, so that this
//! module decides what a preflight is: tower-http treats every OPTIONS as one, but an object may
//! answer OPTIONS itself.

use std::time::Duration;

use dotdo_core::{OBJECT_HEADERS, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request};
use tower_http::cors;

use super::answered::{Answered, ask};
use super::vary;

/// Every origin.
const ANY: &str = "*";
/// The origin of pages without one. Any page can create such a page.
const NULL: &str = "null";

/// The request headers of the protocol.
const ASKED: [HeaderName; 3] =
    [header::ORIGIN, header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_REQUEST_HEADERS];

/// The response headers that only this module sets.
const ANSWERED: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// The pages of other origins that may use the server.
#[derive(Debug, Clone)]
pub(crate) struct CorsSettings {
    /// Their origins, or `*`; empty turns CORS off. Each passes [`is_origin`].
    pub(crate) origins: Vec<String>,
    /// Whether they may send the browser's credentials.
    pub(crate) credentials: bool,
    /// The methods that they may use.
    pub(crate) methods: Vec<String>,
    /// The request headers that they may send.
    pub(crate) headers: Vec<String>,
    /// The response headers that they may read.
    pub(crate) exposed_headers: Vec<String>,
    /// How long a browser may cache the permissions.
    pub(crate) max_age: Duration,
}

impl Default for CorsSettings {
    fn default() -> Self {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let objects = OBJECT_HEADERS.iter().map(|header| header.shown.to_owned());
        Self {
            origins: Vec::new(),
            credentials: false,
            methods: list("GET HEAD POST PUT PATCH DELETE"),
            headers: [
                list("Authorization Content-Type"),
                objects.collect(),
                list("Idempotency-Key X-Request-Id"),
            ]
            .concat(),
            exposed_headers: list(
                "X-Request-Id Location ETag Retry-After Idempotency-Replayed X-RateLimit-Limit X-RateLimit-Remaining X-RateLimit-Reset",
            ),
            max_age: Duration::from_secs(600),
        }
    }
}

impl CorsSettings {
    /// The error in these settings, if there is one.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let has = |origin: &str| self.origins.iter().any(|listed| listed == origin);
        let rules = [
            (
                has(ANY) && self.credentials,
                "cors.credentials: expected false because cors.origins is *, got true: every page on the web could act for its visitors; list the origins",
            ),
            (
                has(NULL) && self.credentials,
                "cors.credentials: expected false because cors.origins has null, got true: every page can make a frame whose origin is null; remove null",
            ),
            (
                has(ANY) && self.origins.len() > 1,
                "cors.origins: expected * alone or a list of origins, got both",
            ),
        ];
        rules.into_iter().find(|(is_wrong, _)| *is_wrong).map(|(_, why)| why)
    }
}

/// Whether `text` is `*`, `null`, or an origin such as `https://app.example.com` or
/// `http://localhost:3000`.
pub(crate) fn is_origin(text: &str) -> bool {
    text == ANY || text == NULL || canonical(text).is_some()
}

/// An origin in the form of RFC 6454 section 6.2: in lower case, without the default port of its
/// scheme.
fn canonical(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let named = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let scheme_is_one =
        named && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse::<u16>().ok()?)),
        _ => (rest, None),
    };
    let inside = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host_is_one = match inside {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    };
    let usual = matches!((scheme, port), ("http", Some(80)) | ("https", Some(443)));
    let port = port.filter(|_| !usual).map(|port| format!(":{port}")).unwrap_or_default();
    (scheme_is_one && host_is_one).then(|| format!("{scheme}://{host}{port}"))
}

/// Whether `text` is a method. `*` is refused, because browsers do not read it as a wildcard with
/// credentials.
pub(crate) fn is_method(text: &str) -> bool {
    text != ANY && Method::from_bytes(text.as_bytes()).is_ok()
}

/// Whether `text` is the name of a header. `*` is refused, because for browsers it does not include
/// `Authorization`.
pub(crate) fn is_header(text: &str) -> bool {
    text != ANY && text.parse::<HeaderName>().is_ok()
}

/// The CORS policy.
pub(super) struct Cors(cors::Cors<Answered<()>>);

impl Cors {
    /// The policy of the settings; `None` if CORS is off. Invalid items were refused before.
    pub(super) fn new(settings: &CorsSettings) -> Option<Self> {
        if settings.origins.is_empty() {
            return None;
        }
        let layer = cors::Cors::new(Answered(http::Response::new(())))
            .allow_methods(
                settings
                    .methods
                    .iter()
                    .filter_map(|name| Method::from_bytes(name.as_bytes()).ok())
                    .collect::<Vec<_>>(),
            )
            .allow_headers(names(&settings.headers))
            .expose_headers(names(&settings.exposed_headers))
            .max_age(settings.max_age);
        if settings.origins.iter().any(|origin| origin == ANY) {
            return Some(Self(layer.allow_origin(cors::Any)));
        }
        let canonical = |origin: &String| {
            if origin == NULL { Some(NULL.to_owned()) } else { canonical(origin) }
        };
        let allowed: Vec<String> = settings.origins.iter().filter_map(canonical).collect();
        let (listed, credentials) = (allowed.clone(), settings.credentials);
        let layer = layer.allow_credentials(cors::AllowCredentials::predicate(move |origin, _| {
            credentials && is_listed(&listed, origin)
        }));
        Some(Self(layer.allow_origin(cors::AllowOrigin::predicate(move |origin, _| {
            is_listed(&allowed, origin)
        }))))
    }

    /// Whether a request is a preflight.
    pub(super) fn is_preflight(head: &request::Parts) -> bool {
        head.method == Method::OPTIONS
            && ASKED[..2].iter().all(|name| head.headers.contains_key(name))
    }

    /// The response to a preflight. Its headers are added like those of every response.
    pub(super) fn preflight() -> Response {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    }

    /// Whether pages of this origin may use the server.
    pub(super) fn allows(&self, origin: &HeaderValue) -> bool {
        let mut told = HeaderMap::new();
        self.add_headers(&HeaderMap::from_iter([(header::ORIGIN, origin.clone())]), &mut told);
        told.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
    }

    /// Copies the request headers that [`Cors::add_headers`] needs.
    pub(super) fn note(head: &request::Parts, asked: &mut HeaderMap) {
        // These headers belong to preflights only.
        let names = if Self::is_preflight(head) { &ASKED[..] } else { &ASKED[..1] };
        for name in names {
            for value in head.headers.get_all(name) {
                asked.append(name.clone(), value.clone());
            }
        }
    }

    /// Adds the CORS headers for the request headers `asked` to a response.
    pub(super) fn add_headers(&self, asked: &HeaderMap, headers: &mut HeaderMap) {
        for name in ANSWERED {
            headers.remove(name);
        }
        let mut probe = http::Request::new(());
        // Two origins count as none.
        if asked.get_all(header::ORIGIN).iter().count() < 2 {
            *probe.headers_mut() = asked.clone();
        }
        if asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
            *probe.method_mut() = Method::OPTIONS;
        }
        let told = ask(self.0.clone(), probe);
        for (name, value) in told.headers() {
            if name == header::VARY {
                vary::add(headers, value);
            } else {
                headers.insert(name.clone(), value.clone());
            }
        }
    }
}

fn names(list: &[String]) -> Vec<HeaderName> {
    list.iter().filter_map(|name| name.parse().ok()).collect()
}

/// Whether a request's origin is in `allowed`, which has canonical origins.
fn is_listed(allowed: &[String], origin: &HeaderValue) -> bool {
    let Ok(text) = origin.to_str() else { return false };
    let theirs = if text == NULL { Some(NULL.to_owned()) } else { canonical(text) };
    theirs.is_some_and(|theirs| allowed.contains(&theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        let allowed = [
            "https://app.example.com".to_owned(),
            "http://localhost:3000".to_owned(),
            "http://[::1]:8080".to_owned(),
        ];
        let listed = |text: &str| {
            is_listed(&allowed, &HeaderValue::from_bytes(text.as_bytes()).expect("a value"))
        };
        for good in [
            "https://app.example.com",
            "HTTPS://App.Example.COM",
            "https://app.example.com:443",
            "http://localhost:3000",
            "http://[::1]:8080",
        ] {
            assert!(listed(good), "{good}");
        }
        for bad in [
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.com",
            "https://evil-app.example.com",
            "https://evil.com/https://app.example.com",
            "https://app.example.com@evil.com",
            "https://evil.com#https://app.example.com",
            "https://app.example.com/",
            "https://app.example.com\\.evil.com",
            "https:app.example.com",
            "https://app.example.com.",
            "https://app_example.com",
            "https://appXexample.com",
            "https://x.app.example.com",
            "http://localhost",
            "http://localhost:03000x",
            "null",
            "",
            "*",
        ] {
            assert!(!listed(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_no_origin_can_not_be_configured() {
        for good in [
            "*",
            "null",
            "https://a.example",
            "http://localhost:3000",
            "capacitor://localhost",
            "http://[::1]",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "https://a/",
            "a.example",
            "https://*.a.example",
            "https://a b",
            "https://",
            "://a",
            "https://a:x",
            "https://u@a",
            "1a://b",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn credentials_with_every_origin_are_refused() {
        let settings = |origins: &[&str], credentials| CorsSettings {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            credentials,
            ..CorsSettings::default()
        };
        assert!(
            settings(&["*"], true).mistake().is_some_and(|why| why.contains("list the origins"))
        );
        assert!(
            settings(&["https://a.example", "null"], true)
                .mistake()
                .is_some_and(|why| why.contains("null"))
        );
        assert!(settings(&["https://a.example", "*"], false).mistake().is_some());
        for good in [
            settings(&["*"], false),
            settings(&["null"], false),
            settings(&["https://a.example"], true),
            settings(&[], true),
        ] {
            assert_eq!(good.mistake(), None);
        }
    }
}
