//! The parsers of foreign bytes, each as a function of bytes: for fuzzers, and for the tests that
//! replay their findings.
//!
//! A target may refuse its input with an error. It fails with a panic: of the parser, or of the
//! assertion that a parsed value is written back unchanged. If a checksum would reject every
//! changed byte, the target writes a valid one, as an attacker with access to the bucket can.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::id::Tenant;
use crate::router::{Router, parse_at};
use crate::{cluster, image, log, rollup, snapshot, sockets, tenants};

/// A target: its name, which is also the name of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of the core.
pub const TARGETS: [Target; 12] = [
    ("record", log::fuzz::record),
    ("log_key", log::fuzz::key),
    ("snapshot", snapshot::fuzz::snapshot),
    ("position_deletes", snapshot::fuzz::position_deletes),
    ("hints", cluster::fuzz::hints),
    ("database_file", image::fuzz),
    ("object_key", object_key),
    ("tenant_key", tenants::fuzz),
    ("route", route),
    ("rollup_message", rollup::fuzz_message),
    ("socket_frames", sockets::fuzz_batch),
    ("socket_note", sockets::fuzz_note),
];

/// The key segments of an object, and ids.
fn object_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(object) = Tenant::local().object_at(text) {
        assert_eq!(object.key_segments(), text, "two keys lead to one object");
    }
    if let Ok(object) = Tenant::local().object("Class", text) {
        // The key of a long id ends with a hash, so the id can't be read from it.
        let found = object.tenant().object_at(&object.key_segments());
        assert!(found.is_none_or(|found| found == object), "a key leads to another object");
    }
}

/// A method, a target and headers, a line each: `name: value`.
fn route(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let (Some(method), Some(uri)) = (lines.next(), lines.next()) else { return };
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(uri)) else { return };
    let headers: HeaderMap = lines.filter_map(header).collect();
    if let Some(at) = headers.get(crate::router::AT_HEADER).and_then(|at| at.to_str().ok()) {
        let _ = parse_at(at);
    }
    let router = Router::new(["DO", "Counter"], Some("DO"));
    let tenant = Tenant::local();
    let Ok(crate::Route::Object(target)) = router.route(&tenant, &method, &uri, &headers) else {
        return;
    };
    let (mut head, ()) = http::Request::new(()).into_parts();
    (head.method, head.uri, head.headers) = (method.clone(), uri, headers);
    target.rewrite(&mut head, HeaderValue::from_static("request"));
    // The request that the object sees is routed to the same object.
    let again = router.route(&tenant, &method, &head.uri, &head.headers);
    assert_eq!(
        again.expect("it was routed before"),
        crate::Route::Object(target),
        "a request that was routed goes elsewhere the next time"
    );
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let at = line.iter().position(|byte| *byte == b':')?;
    Some((
        HeaderName::from_bytes(&line[..at]).ok()?,
        HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?,
    ))
}
