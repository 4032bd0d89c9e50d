use percent_encoding::NON_ALPHANUMERIC;
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::id::ID_BYTES_MAX;

fn router() -> Router {
    Router::new(["DO", "Counter", "Room"], Some("DO"))
}

fn ask(path: &str, headers: &[(&str, &str)]) -> Result<Route> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::try_from(*name).expect("a name"),
            HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
        );
    }
    router().route(&Tenant::local(), &Method::GET, &path.parse().expect("a URI"), &map)
}

fn target(path: &str, headers: &[(&str, &str)]) -> (String, String, String) {
    match ask(path, headers) {
        Ok(Route::Object(target)) => (
            target.object.class().into(),
            target.object.id().into(),
            target.path_and_query.to_string(),
        ),
        other => panic!("{path} goes to {other:?}"),
    }
}

fn refusal(path: &str, headers: &[(&str, &str)]) -> Error {
    match ask(path, headers) {
        Err(error) => error,
        Ok(route) => panic!("{path} goes to {route:?}"),
    }
}

#[test]
fn paths_name_objects() {
    for (path, class, id, rest) in [
        ("/do/a", "DO", "a", "/"),
        ("/do/a/", "DO", "a", "/"),
        ("/do/a?x=1&y", "DO", "a", "/?x=1&y"),
        ("/do/a/b/c?x=/do/z", "DO", "a", "/b/c?x=/do/z"),
        ("/do/Counter", "DO", "Counter", "/"),
        ("/do/Counter/a", "Counter", "a", "/"),
        ("/do/Counter/a//b/", "Counter", "a", "//b/"),
        ("/do/counter/a", "DO", "counter", "/a"),
        ("/do/%43ounter/a", "DO", "Counter", "/a"),
        ("/do/Counter/Room/x", "Counter", "Room", "/x"),
        ("/do/a%2Fb/c%2Fd", "DO", "a/b", "/c%2Fd"),
        ("/do/%252e%252e/x", "DO", "%2e%2e", "/x"),
        ("/do/../x", "DO", "..", "/x"),
        ("/do/%00", "DO", "\0", "/"),
        ("/do/%F0%9F%A6%80", "DO", "🦀", "/"),
        ("/do/a+b", "DO", "a+b", "/"),
        ("http://example.com/do/a/b", "DO", "a", "/b"),
    ] {
        assert_eq!(target(path, &[]), (class.into(), id.into(), rest.into()), "{path}");
    }
}

#[test]
fn headers_win_and_leave_the_whole_path_to_the_object() {
    let whole =
        |class: &str, id: &str, rest: &str| (class.to_owned(), id.to_owned(), rest.to_owned());
    assert_eq!(target("/do/Counter/b?x", &[("x-do-id", "a")]), whole("DO", "a", "/do/Counter/b?x"));
    assert_eq!(
        target("/", &[("x-dotdo-id", "a%2Fb"), ("x-dotdo-type", "Room")]),
        whole("Room", "a/b", "/")
    );
    assert_eq!(target("/health", &[("x-do-id", "a")]), whole("DO", "a", "/health"));
    assert_eq!(target("/do/Counter/b", &[("x-do-type", "Room")]), whole("Room", "Counter", "/b"));
    assert_eq!(target("/", &[("x-do-id", "a"), ("x-dotdo-id", "a")]), whole("DO", "a", "/"));
    assert_eq!(target("/", &[("x-do-id", "é")]), whole("DO", "é", "/"));
}

#[test]
fn reserved_paths_are_exact() {
    assert_eq!(ask("/health", &[]).expect("a route"), Route::Health);
    assert_eq!(ask("/ready?x", &[]).expect("a route"), Route::Ready);
    assert_eq!(ask("/metrics", &[]).expect("a route"), Route::Metrics);
    for path in ["/", "/healthz", "/health/", "/do", "/do/", "/DO/a", "//do/a"] {
        let error = refusal(path, &[]);
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NO_OBJECT"), "{path}");
    }
    for (method, path) in [
        (&Method::POST, "/health"),
        (&Method::GET, "/tenant"),
        (&Method::POST, "/tenants/acme/shop"),
        (&Method::DELETE, "/tenants"),
        (&Method::DELETE, "/tenants/acme"),
        (&Method::DELETE, "/tenants/acme/shop/x"),
    ] {
        let error = router()
            .route(&Tenant::local(), method, &Uri::from_static(path), &HeaderMap::new())
            .expect_err(path);
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "NO_OBJECT"), "{path}");
    }
}

#[test]
fn the_end_of_a_tenant_is_asked_for_by_its_path() {
    let own = Tenant::new("acme", "shop").expect("a tenant");
    let delete = |path: &'static str| {
        router().route(&own, &Method::DELETE, &Uri::from_static(path), &HeaderMap::new())
    };
    assert_eq!(delete("/tenant").expect("a route"), Route::Tenant(own.clone()));
    let other = Tenant::new("eu:acme", "a/b").expect("a tenant");
    for path in ["/tenants/eu:acme/a%2Fb", "/tenants/eu%3Aacme/a%2fb"] {
        assert_eq!(delete(path).expect("a route"), Route::Tenant(other.clone()), "{path}");
    }
    for path in ["/tenants//shop", "/tenants/acme/", "/tenants/%/shop"] {
        assert_eq!(delete(path).expect_err(path).kind(), ErrorKind::Invalid, "{path}");
    }
}

#[test]
fn bad_ids_are_refused() {
    for path in [
        "/do//x",
        "/do/Counter/",
        "/do/Counter//x",
        "/do/%",
        "/do/%4",
        "/do/%zz",
        "/do/%+1",
        "/do/%FF",
        "/do/%C3%28",
    ] {
        let error = refusal(path, &[]);
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "BAD_ID"), "{path}");
    }
    assert_eq!(refusal("/", &[("x-do-id", "")]).code(), "BAD_ID");
    assert_eq!(refusal("/", &[("x-do-id", "50%")]).code(), "BAD_ID");
    assert_eq!(refusal(&format!("/do/{}", "a".repeat(ID_BYTES_MAX + 1)), &[]).code(), "BAD_ID");
    assert_eq!(target(&format!("/do/{}", "%41".repeat(ID_BYTES_MAX)), &[]).1.len(), ID_BYTES_MAX);
}

#[test]
fn contradicting_headers_are_refused() {
    for headers in [
        [("x-do-id", "a"), ("x-dotdo-id", "b")],
        [("x-do-id", "a"), ("x-do-id", "b")],
        [("x-do-type", "Room"), ("x-dotdo-type", "Counter")],
        [("x-do-at", "1"), ("x-do-at", "2")],
    ] {
        assert_eq!(refusal("/do/x", &headers).code(), "CONFLICTING_HEADERS", "{headers:?}");
    }
    let mut headers = HeaderMap::new();
    headers.insert(ID_HEADER, HeaderValue::from_bytes(b"\xff").expect("a legal value"));
    let error = router()
        .route(&Tenant::local(), &Method::GET, &Uri::from_static("/"), &headers)
        .expect_err("not UTF-8");
    assert_eq!(error.code(), "BAD_HEADER");
}

#[test]
fn an_unknown_class_is_told_with_the_known_ones() {
    let error = refusal("/do/x", &[("x-do-type", "Nope")]);
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "UNKNOWN_CLASS"));
    assert_eq!(
        error.details(),
        Some(&serde_json::json!({ "availableTypes": ["Counter", "DO", "Room"] }))
    );
    assert!(refusal("/do/x", &[("x-do-type", &"N".repeat(10_000))]).message().len() < 100);
    let nothing = Router::default()
        .route(&Tenant::local(), &Method::GET, &Uri::from_static("/do/x"), &HeaderMap::new())
        .expect_err("no class");
    assert_eq!(nothing.code(), "UNKNOWN_CLASS");
}

#[test]
fn a_version_is_a_number_or_a_time() {
    for (text, at) in [
        ("0", At::Sequence(0)),
        ("18446744073709551615", At::Sequence(u64::MAX)),
        ("1970-01-01T00:00:01Z", At::TimeMs(1000)),
        ("1970-01-01T01:00:01.5+01:00", At::TimeMs(1500)),
    ] {
        assert_eq!(parse_at(text).expect("a version"), at, "{text}");
    }
    for text in [
        "",
        "-1",
        "+1",
        "18446744073709551616",
        "yesterday",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "0x10",
    ] {
        assert_eq!(refusal("/do/x", &[("x-do-at", text)]).code(), "BAD_AT", "{text}");
    }
    let mut headers = HeaderMap::new();
    headers.insert(AT_HEADER, HeaderValue::from_static("1"));
    let error = router()
        .route(&Tenant::local(), &Method::PUT, &Uri::from_static("/do/x"), &headers)
        .expect_err("reading only");
    assert_eq!(error.code(), "BAD_AT");
}

#[test]
fn an_object_sees_its_own_name_and_not_the_client_s() {
    let uri = "http://example.com/do/Counter/a%20%25/rest?q=1";
    let request =
        http::Request::get(uri).header("x-dotdo-type", "Counter").header("x-request-id", "theirs");
    let (mut head, ()) = request.body(()).expect("a request").into_parts();
    head.headers.remove("x-dotdo-type");
    let Ok(Route::Object(target)) =
        router().route(&Tenant::local(), &head.method, &head.uri, &head.headers)
    else {
        panic!("an object")
    };
    head.headers.insert("x-dotdo-id", HeaderValue::from_static("forged"));
    head.headers.append("x-do-type", HeaderValue::from_static("forged"));
    target.rewrite(&mut head, HeaderValue::from_static("ours"));
    assert_eq!(head.uri, "/rest?q=1");
    let headers: Vec<_> = ["x-do-id", "x-do-type", "x-request-id", "host"]
        .iter()
        .map(|name| head.headers[*name].as_bytes())
        .collect();
    assert_eq!(headers, [&b"a%20%25"[..], b"Counter", b"ours", b"example.com"]);
    assert_eq!(head.headers.len(), 4);
}

proptest! {
    #[test]
    fn an_encoded_id_arrives_whole_by_path_and_by_header(id in any::<String>(), rest in "(/[a-z.%2]{0,5}){0,3}", query in "(\\?[a-z=&/]{0,9})?") {
        prop_assume!((1..=ID_BYTES_MAX).contains(&id.len()));
        let path = format!("/do/Room/{}{rest}{query}", utf8_percent_encode(&id, NON_ALPHANUMERIC));
        let below = format!("{}{query}", if rest.is_empty() { "/" } else { &rest });
        prop_assert_eq!(target(&path, &[]), ("Room".into(), id.clone(), below));
        let value = id_value(&id);
        let text = value.to_str().expect("visible ASCII");
        prop_assert_eq!(target("/x", &[("x-do-id", text)]), ("DO".into(), id.clone(), "/x".into()));
    }

    #[test]
    fn no_path_makes_the_router_panic_or_leave_the_rules(path in "/(do/)?[A-Za-z0-9%/.~+!]{0,40}(\\?[ -~&&[^#<>\" ]]{0,10})?") {
        let Ok(uri) = path.parse::<Uri>() else { return Ok(()) };
        match router().route(&Tenant::local(), &Method::GET, &uri, &HeaderMap::new()) {
            Ok(Route::Object(target)) => {
                prop_assert!(target.path_and_query.as_str().starts_with('/'));
                prop_assert_eq!(target.path_and_query.query(), uri.query());
            }
            Ok(_) => prop_assert!(["/health", "/ready", "/metrics"].contains(&uri.path())),
            Err(error) => prop_assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound)),
        }
    }
}
