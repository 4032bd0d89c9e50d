//! Restores the client's request from the platform's.
//!
//! After a rewrite of everything to one function (`/(.*)` to `/api/object`) the function sees the
//! client's own path and query; the platform uses the destination only to find the function.
//! Headers that name another path (`x-matched-path`, `x-original-url` and similar) are ignored,
//! because a client could set them.

mod body;

use std::net::IpAddr;

use dotdo_core::{OBJECT_ID, REQUEST_ID_HEADER};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Request, Uri};

pub(super) use self::body::Inbound;
use crate::edge::ClientAddress;

/// Headers from the platform to the runtime only.
const INTERNAL: &str = "x-vercel-internal-";
/// The platform's id of a request in its logs.
const PLATFORM_ID: HeaderName = HeaderName::from_static("x-vercel-id");
/// The address of the platform's client. The platform always overwrites it.
const PLATFORM_CLIENT: HeaderName = HeaderName::from_static("x-vercel-forwarded-for");
/// The path prefix of functions.
const FUNCTIONS: &str = "/api/";
/// The path prefix of objects.
const OBJECTS: &str = "/do/";

/// The request as the client sent it, with the client's address, and with the platform's id unless
/// the client sent one.
///
/// An object can also be reached below the function's own address: `/api/object/do/{id}` is
/// `/do/{id}`. This gives clients nothing beyond the shorter path.
pub(super) fn original<B>(mut request: Request<B>) -> Request<B> {
    if let Some(address) = client(request.headers()) {
        request.extensions_mut().insert(address);
    }
    let headers = request.headers_mut();
    let internal: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(INTERNAL)).cloned().collect();
    for name in internal {
        headers.remove(name);
    }
    if !headers.contains_key(REQUEST_ID_HEADER)
        && let Some(id) = headers.get(PLATFORM_ID).cloned()
    {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    // With the header, the whole path is the object's.
    if !OBJECT_ID.is_in(headers)
        && let Some(short) = below_function(request.uri())
    {
        *request.uri_mut() = short;
    }
    request
}

/// The address of the platform's client.
fn client(headers: &HeaderMap) -> Option<ClientAddress> {
    let line = headers.get_all(PLATFORM_CLIENT).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next()?.trim().parse::<IpAddr>().ok().map(ClientAddress)
}

/// The path from `/do/` on, if a function's path precedes it.
fn below_function(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let function = path.strip_prefix(FUNCTIONS)?;
    let at = FUNCTIONS.len() + function.find(OBJECTS).filter(|length| *length > 0)?;
    let rest = &uri.path_and_query()?.as_str()[at..];
    rest.parse::<PathAndQuery>().ok().map(Uri::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(uri: &str, headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::get(uri).body(()).expect("a request");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a value"));
        }
        original(request)
    }

    #[test]
    fn a_path_stays_as_it_is_unless_the_functions_own_address_is_before_an_object() {
        for (path, expected) in [
            ("/do/a/b?c=%2F&c", "/do/a/b?c=%2F&c"),
            ("/api/object/do/a%2Fb/c?d=/do/e", "/do/a%2Fb/c?d=/do/e"),
            ("/api/nested/object/do/a/do/b", "/do/a/do/b"),
            ("/api/object", "/api/object"),
            ("/api/object/health", "/api/object/health"),
            ("/api/object?path=/do/a", "/api/object?path=/do/a"),
            ("/api/do/a", "/api/do/a"),
            ("/api//do/a", "/api//do/a"),
            ("/apis/object/do/a", "/apis/object/do/a"),
            ("/do/api/object/do/a", "/do/api/object/do/a"),
            ("/", "/"),
        ] {
            assert_eq!(seen(path, &[]).uri(), expected, "{path}");
        }
        for id in ["x-do-id", "X-DotDo-Id"] {
            assert_eq!(
                seen("/api/object/do/a", &[(id.to_lowercase().leak(), "b")]).uri(),
                "/api/object/do/a"
            );
        }
    }

    #[test]
    fn the_client_is_the_address_from_the_platform() {
        let address = |headers: &[(&'static str, &str)]| {
            seen("/do/a", headers).extensions().get::<ClientAddress>().map(|client| client.0)
        };
        let expected: IpAddr = "192.0.2.7".parse().expect("an address");
        assert_eq!(
            address(&[("x-vercel-forwarded-for", "192.0.2.7"), ("x-forwarded-for", "1.2.3.4")]),
            Some(expected)
        );
        assert_eq!(address(&[("x-vercel-forwarded-for", "1.2.3.4, 192.0.2.7")]), Some(expected));
        assert_eq!(
            address(&[
                ("x-vercel-forwarded-for", "1.2.3.4"),
                ("x-vercel-forwarded-for", "192.0.2.7")
            ]),
            Some(expected)
        );
        assert_eq!(address(&[("x-forwarded-for", "1.2.3.4"), ("x-real-ip", "1.2.3.4")]), None);
    }

    #[test]
    fn headers_name_no_path() {
        let spoofed = [
            ("x-matched-path", "/do/b"),
            ("x-original-url", "/do/b"),
            ("x-rewrite-url", "/do/b"),
            ("x-invoke-path", "/do/b"),
        ];
        let request = seen("/do/a", &spoofed);
        assert_eq!((request.uri().path(), request.headers().len()), ("/do/a", spoofed.len()));
    }

    #[test]
    fn what_is_between_the_platform_and_the_runtime_stays_there() {
        let internal = [
            ("x-vercel-internal-invocation-id", "i"),
            ("x-vercel-internal-request-id", "7"),
            ("x-vercel-internal-span-id", "s"),
        ];
        assert!(seen("/do/a", &internal).headers().is_empty());
    }

    #[test]
    fn the_platform_s_request_id_is_used_if_the_client_sends_none() {
        let platform = ("x-vercel-id", "dev1::dev1::abc-1795310651238-0123456789ab");
        assert_eq!(seen("/do/a", &[platform]).headers()[REQUEST_ID_HEADER], platform.1);
        assert_eq!(
            seen("/do/a", &[platform, ("x-request-id", "mine")]).headers()[REQUEST_ID_HEADER],
            "mine"
        );
    }
}
