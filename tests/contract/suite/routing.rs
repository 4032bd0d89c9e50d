//! Which object a request reaches, and what the object sees of its method, path and query.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::message::{Answer, get, request, with};
use crate::stage::{Stage, fresh};

/// Every way to write a query that a client may mean something by.
const QUERY: &str = "a=1&b=2&a=3&empty=&flag&plus=a+b&encoded=%2B%20%26%3d&%C3%A4=%c3%a4&path=/x/../y&semicolon=a;b&json={%22c%22:[1]}&=&&";

pub(crate) async fn the_path_names_the_object(on: &Stage) {
    let id = fresh("path");
    let seen = on.ask(get(&format!("/do/{id}/some/where"))).await.json();
    assert_eq!(
        (&seen["class"], &seen["id"], &seen["uri"]),
        (&json!("Mirror"), &json!(id), &json!("/some/where")),
        "the default class"
    );
    let seen = on.ask(get(&format!("/do/Mirror/{id}/some/"))).await.json();
    assert_eq!(
        (&seen["class"], &seen["id"], &seen["uri"]),
        (&json!("Mirror"), &json!(id), &json!("/some/"))
    );
    let seen = on.ask(get(&format!("/do/Mirror/{id}"))).await.json();
    assert_eq!((&seen["id"], &seen["uri"]), (&json!(id), &json!("/")));
    let answer = on.ask(get(&format!("/do/Counter/{id}/count"))).await;
    assert_eq!(answer.json(), json!({ "count": 0 }), "another class");
}

pub(crate) async fn headers_win_over_the_path(on: &Stage) {
    let id = fresh("header");
    for (id_header, type_header) in [("x-do-id", "x-do-type"), ("x-dotdo-id", "x-dotdo-type")] {
        let seen =
            on.ask(with(get("/do/Counter/other/count"), id_header, id.as_bytes())).await.json();
        assert_eq!(
            (&seen["class"], &seen["id"], &seen["uri"]),
            (&json!("Mirror"), &json!(id), &json!("/do/Counter/other/count"))
        );
        let both = with(with(get("/count?x"), id_header, id.as_bytes()), type_header, b"Counter");
        assert_eq!(on.ask(both).await.json(), json!({ "count": 0 }));
        let class = on.ask(with(get(&format!("/do/{id}/count")), type_header, b"Counter")).await;
        assert_eq!(
            class.json(),
            json!({ "count": 0 }),
            "the header names the class, the path the id"
        );
    }
}

pub(crate) async fn ids_are_decoded_once(on: &Stage) {
    let tail = fresh("id");
    for (written, meant) in [
        ("%C3%A4%20%2B+", "ä ++"),
        ("%25C3", "%C3"),
        ("..%2F..%2Fup", "../../up"),
        ("a%3Fb%23c", "a?b#c"),
        ("~!*'()", "~!*'()"),
    ] {
        let (written, meant) = (format!("{written}-{tail}"), format!("{meant}-{tail}"));
        let seen = on.ask(with(get("/here"), "x-do-id", written.as_bytes())).await.json();
        assert_eq!(
            (&seen["id"], &seen["uri"]),
            (&json!(meant), &json!("/here")),
            "{written} in a header"
        );
        if on.abilities().keeps_encoded_paths {
            let seen = on.ask(get(&format!("/do/Mirror/{written}/here"))).await.json();
            assert_eq!(
                (&seen["id"], &seen["uri"]),
                (&json!(meant), &json!("/here")),
                "{written} in a path"
            );
        }
    }
}

pub(crate) async fn what_names_no_object_is_refused(on: &Stage) {
    let refused = |answer: &Answer, status: u16, code: &str| {
        assert_eq!((answer.status, &answer.error()["code"]), (status, &json!(code)));
    };
    let unknown = on.ask(with(get("/do/a/b"), "x-do-type", b"Nothing")).await;
    refused(&unknown, 404, "UNKNOWN_CLASS");
    assert_eq!(unknown.error()["details"]["availableTypes"], json!(["Counter", "Mirror"]));
    refused(&on.ask(get("/nothing/here")).await, 404, "NO_OBJECT");
    for bad in ["%ff", "%zz", "%", &"x".repeat(513)] {
        refused(&on.ask(with(get("/here"), "x-do-id", bad.as_bytes())).await, 400, "BAD_ID");
    }
    refused(&on.ask(get(&format!("/do/Mirror/{}/here", "x".repeat(513)))).await, 400, "BAD_ID");
    if on.abilities().keeps_encoded_paths {
        refused(&on.ask(get("/do/Mirror/%ff/here")).await, 400, "BAD_ID");
    }
    let torn = with(with(get("/here"), "x-do-id", b"one"), "x-dotdo-id", b"two");
    refused(&on.ask(torn).await, 400, "CONFLICTING_HEADERS");
}

pub(crate) async fn methods_arrive_as_they_are(on: &Stage) {
    let id = fresh("methods");
    for (method, body) in [
        (Method::GET, ""),
        (Method::POST, "with a body"),
        (Method::PUT, "with a body"),
        (Method::PATCH, "with a body"),
        (Method::DELETE, ""),
        (Method::DELETE, "with a body"),
        (Method::OPTIONS, ""),
    ] {
        let answer = on.ask(request(method.clone(), &format!("/do/Mirror/{id}/here"), body)).await;
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        let seen = answer.json();
        assert_eq!(
            (&seen["method"], &seen["bytes"]),
            (&json!(method.as_str()), &json!(body.len()))
        );
    }
}

pub(crate) async fn the_query_arrives_as_it_was_sent(on: &Stage) {
    let id = fresh("query");
    let seen = on.ask(get(&format!("/do/Mirror/{id}/here?{QUERY}"))).await.json();
    same(&seen, QUERY, "/here", on.abilities().keeps_encoded_queries);
    let path = "/a%2Fb%20c/%C3%A4/+";
    let seen = on.ask(get(&format!("/do/Mirror/{id}{path}?x=%2F"))).await.json();
    if on.abilities().keeps_encoded_paths {
        same(&seen, "x=%2F", path, on.abilities().keeps_encoded_queries);
    } else {
        let uri = seen["uri"].as_str().unwrap_or_default();
        assert_eq!(decoded(uri.split('?').next().unwrap_or_default()), decoded(path));
    }
}

/// That an object sees this path and query: as they were written, or at least with the same pairs
/// of the same meaning.
fn same(seen: &Value, query: &str, path: &str, exactly: bool) {
    let uri = seen["uri"].as_str().expect("a URI");
    if exactly {
        return assert_eq!(uri, format!("{path}?{query}"));
    }
    let (seen_path, seen_query) = uri.split_once('?').unwrap_or((uri, ""));
    let pairs = |query: &str| {
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut pairs: Vec<_> = pairs
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        pairs.sort_by(|one, other| one.0.cmp(&other.0));
        pairs
    };
    assert_eq!((seen_path, pairs(seen_query)), (path, pairs(query)));
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().expect("UTF-8").into_owned()
}
