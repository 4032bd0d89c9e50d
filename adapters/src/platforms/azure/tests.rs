//! Payloads as the documentation shows them, and as the host's source makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dotdo_core::{REQUEST_ID_HEADER, Response};
use http::{HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{request, response};

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
}

/// An invocation whose trigger has these headers and this body.
fn invocation(headers: Value, body: Option<&str>) -> Vec<u8> {
    let mut req = json!({
        "Url": "https://app.azurewebsites.net/do/Counter/a%20b/add?x=1&x=2&y=%2F", "Method": "POST", "Query": { "x": "1,2", "y": "/" },
        "Headers": headers, "Params": { "path": "do/Counter/a b/add" }, "Identities": [],
    });
    if let Some(body) = body {
        req["Body"] = body.into();
    }
    json!({ "Data": { "req": req }, "Metadata": { "sys": { "MethodName": "object" } } })
        .to_string()
        .into_bytes()
}

fn body_of(payload: &[u8]) -> Result<Vec<u8>, String> {
    let request = request::described(payload).map_err(|error| error.code().to_owned())?;
    Ok(run(request.into_body().collect())
        .expect("a body in memory does not fail")
        .to_bytes()
        .into())
}

#[test]
fn a_request_is_what_the_url_the_headers_and_the_body_say() {
    let headers = json!({ "Host": ["app.azurewebsites.net"], "X-Many": ["one", "two, three"], "Content-Length": ["5"], "Connection": ["keep-alive"] });
    let request = request::described(&invocation(headers, Some("héé"))).expect("a request");
    assert_eq!(
        (request.method(), &*request.uri().to_string()),
        (&Method::POST, "/do/Counter/a%20b/add?x=1&x=2&y=%2F")
    );
    let many: Vec<_> = request.headers().get_all("x-many").iter().collect();
    assert_eq!(many, ["one", "two, three"]);
    assert_eq!(
        (&request.headers()["host"], &request.headers()["content-length"]),
        (&"app.azurewebsites.net".parse().expect("a value"), &5.into())
    );
    assert!(!request.headers().contains_key("connection"));
}

#[test]
fn the_documented_sample_is_understood() {
    let sample = r#"{"Data":{"req":{"Url":"http://localhost:7071/api/order","Method":"POST","Query":"{}","Headers":{"Content-Type":["application/json"]},
        "Params":{},"Body":"{\"id\":1005,\"quantity\":2,\"color\":\"black\"}"}},"Metadata":{}}"#;
    let request = request::described(sample.as_bytes()).expect("a request");
    assert_eq!(request.uri(), "/api/order");
    assert_eq!(
        body_of(sample.as_bytes()).as_deref(),
        Ok(&br#"{"id":1005,"quantity":2,"color":"black"}"#[..])
    );
}

#[test]
fn a_body_that_the_host_damaged_is_refused() {
    let length = |bytes: usize| json!({ "Content-Length": [bytes.to_string()] });
    let refused = |code: &str| Err(code.to_owned());
    // One byte that is not UTF-8 has become a character of three; four bytes cut after the third,
    // one of as many.
    assert_eq!(body_of(&invocation(length(1), Some("\u{fffd}"))), refused("BODY_NOT_TEXT"));
    assert_eq!(body_of(&invocation(length(3), Some("\u{fffd}"))), refused("BODY_NOT_TEXT"));
    // UTF-16 has become UTF-8.
    assert_eq!(body_of(&invocation(length(6), Some("ab"))), refused("BODY_NOT_TEXT"));
    assert_eq!(body_of(&invocation(length(6), None)), refused("LENGTH_REQUIRED"));
    assert_eq!(
        body_of(&invocation(json!({ "Transfer-Encoding": ["chunked"] }), None)),
        refused("LENGTH_REQUIRED")
    );
    assert_eq!(body_of(&invocation(length(0), None)), Ok(Vec::new()));
    assert_eq!(body_of(&invocation(json!({}), None)), Ok(Vec::new()));
}

#[test]
fn what_is_no_invocation_is_refused() {
    for payload in [
        "",
        "{}",
        "[]",
        r#"{"Data":{}}"#,
        r#"{"Data":{"req":"text"}}"#,
        r#"{"Data":{"myQueueItem":"x"}}"#,
        r#"{"Data":{"req":{"Url":"/"}}}"#,
        r#"{"Data":{"req":{"Url":"/","Method":"G T"}}}"#,
        r#"{"Data":{"req":{"Url":"/ü ","Method":"GET"}}}"#,
        r#"{"Data":{"req":{"Url":"/","Method":"GET","Headers":{"a b":["c"]}}}}"#,
        r#"{"Data":{"req":{"Url":"/","Method":"GET","Headers":{"a":["c\r\nd"]}}}}"#,
    ] {
        assert_eq!(body_of(payload.as_bytes()), Err("BAD_INVOCATION".to_owned()), "{payload}");
    }
    let uri = |url: &str| {
        let payload = json!({ "Data": { "req": { "Url": url, "Method": "GET" } } }).to_string();
        request::described(payload.as_bytes()).expect("a request").uri().to_string()
    };
    assert_eq!(
        ["http://h", "http://h?a=b", "http://h/", "/p?q=http://x/y"].map(uri),
        ["/", "/?a=b", "/", "/p?q=http://x/y"]
    );
}

/// What the host is told to send.
fn output(answer: Response, method: &Method) -> Value {
    let payload: Value =
        serde_json::from_str(&run(response::payload(answer, method))).expect("JSON");
    assert_eq!((&payload["Logs"], &payload["ReturnValue"]), (&json!([]), &Value::Null));
    payload["Outputs"]["res"].clone()
}

fn answer(status: u16, headers: &[(&'static str, &[u8])], body: &[u8]) -> Response {
    let mut answer = Response::new(body.to_vec().into());
    *answer.status_mut() = status.try_into().expect("a status");
    answer.headers_mut().insert(REQUEST_ID_HEADER, HeaderValue::from_static("r1"));
    for (name, value) in headers {
        answer.headers_mut().append(
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value).expect("a legal value"),
        );
    }
    answer
}

#[test]
fn an_answer_becomes_the_output_res() {
    let headers: [(&str, &[u8]); 4] = [
        ("x-many", b"one"),
        ("x-many", b"two"),
        ("content-type", b"text/plain"),
        ("set-cookie", b"a=b; Path=/"),
    ];
    let expected = json!({
        "statusCode": "201", "body": "grüße",
        "headers": { "x-request-id": "r1", "x-many": "one, two", "content-type": "text/plain", "set-cookie": "a=b; Path=/" },
    });
    assert_eq!(output(answer(201, &headers, "grüße".as_bytes()), &Method::GET), expected);
    assert_eq!(output(answer(204, &[], b"which HTTP forbids"), &Method::GET)["body"], "");
    let head = answer(200, &[("content-length", b"5000")], b"");
    assert_eq!(output(head, &Method::HEAD)["headers"]["content-length"], "5000");
}

#[test]
fn a_response_that_a_payload_can_not_hold_is_an_error_with_the_request_s_id() {
    let cookies: [(&str, &[u8]); 2] = [("set-cookie", b"a=b"), ("set-cookie", b"c=d")];
    for (answer, why) in [
        (answer(200, &[], b"\xff"), "its body is not UTF-8 text"),
        (answer(200, &[("x-bytes", b"\xff")], b""), "its header x-bytes is not UTF-8 text"),
        (answer(200, &cookies, b""), "several cookies"),
    ] {
        let output = output(answer, &Method::GET);
        assert_eq!(
            (&output["statusCode"], &output["headers"]["x-request-id"]),
            (&json!("500"), &json!("r1"))
        );
        let error: Value =
            serde_json::from_str(output["body"].as_str().unwrap_or_default()).expect("JSON");
        assert_eq!(
            (&error["code"], &error["requestId"]),
            (&json!("UNSENDABLE_RESPONSE"), &json!("r1"))
        );
        assert!(
            error["error"].as_str().is_some_and(
                |text| text.contains(why) && text.starts_with("the request was executed")
            ),
            "{error}"
        );
    }
}

proptest! {
    #[test]
    fn a_body_arrives_as_it_was_sent_or_not_at_all(bytes in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)], kind in 0..4_usize) {
        let kind = ["application/octet-stream", "Multipart/form-data; boundary=x", "text/plain", "image/png"][kind];
        let is_binary = kind.starts_with("app") || kind.starts_with("Multi");
        let text = if is_binary { STANDARD.encode(&bytes) } else { String::from_utf8_lossy(&bytes).into_owned() };
        let headers = json!({ "Content-Type": [kind], "Content-Length": [bytes.len().to_string()] });
        let arrived = body_of(&invocation(headers, Some(&text).filter(|_| !bytes.is_empty()).map(String::as_str)));
        if is_binary || (std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains('\u{fffd}'))) {
            prop_assert_eq!(arrived, Ok(bytes));
        } else {
            prop_assert_eq!(arrived, Err("BODY_NOT_TEXT".to_owned()));
        }
    }

    #[test]
    fn no_payload_makes_it_panic(payload in any::<Vec<u8>>(), url in any::<String>(), method in any::<String>(), name in any::<String>(), value in any::<String>()) {
        let _ = request::described(&payload);
        let payload = json!({ "Data": { "req": { "Url": url, "Method": method, "Headers": { name: [value] } } } });
        let _ = request::described(payload.to_string().as_bytes());
    }
}
