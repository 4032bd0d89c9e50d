//! What a well-behaved client meets.

use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;

use super::*;

const MULTI: &str = "the tests need a client and a server at the same time";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_reaches_its_object_with_the_server_s_names() {
    let server = Server::start().await;
    // With the class in a header the path names the id alone, even where it looks like a class.
    let answer = server
        .ask("GET /do/Counter/seen HTTP/1.1\r\nhost: x\r\nx-dotdo-type: Counter\r\n\r\n")
        .await;
    assert_eq!(answer.json()["object"], serde_json::json!(["Counter", "Counter"]));
    let answer =
        server.ask("GET /do/Counter/a%2Fb%20%25/seen?q=1 HTTP/1.1\r\nhost: e.com\r\nx-request-id: mine-1\r\nx-do-at: 7\r\n\r\n").await;
    let expected = serde_json::json!({
        "object": ["Counter", "a/b %"],
        "at": "Some(Sequence(7))",
        "uri": "/seen?q=1",
        "headers": { "x-do-id": "a/b%20%25", "x-do-type": "Counter", "x-dotdo-id": null, "x-request-id": "mine-1", "host": "e.com" },
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.headers["x-request-id"], "mine-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_has_one_shape() {
    let server = Server::start().await;
    let answer =
        server.ask("GET /do/a/refuse HTTP/1.1\r\nhost: x\r\nx-request-id: r\r\n\r\n").await;
    let body = serde_json::json!({
        "error": "another server owns it", "code": "BUSY", "status": 503, "details": { "owner": "b" }, "requestId": "r",
    });
    assert_eq!((answer.status, answer.json()), (503, body));
    assert_eq!(
        (&*answer.headers["cache-control"], &*answer.headers["content-type"]),
        ("no-store", "application/json")
    );
    assert_eq!(answer.headers["retry-after"], "1");

    let unknown =
        server.ask("GET /do/a/seen HTTP/1.1\r\nhost: x\r\nx-do-type: Nope\r\n\r\n").await.json();
    assert_eq!(
        (&unknown["code"], &unknown["details"]),
        (&"UNKNOWN_CLASS".into(), &serde_json::json!({ "availableTypes": ["Counter", "DO"] }))
    );
    assert_eq!(unknown["requestId"].as_str().map(str::len), Some(32));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_does_not_ask_the_store_and_ready_asks_it_once_a_second() {
    let server = Server::start().await;
    let health = server.ask("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!((health.status, health.text()), (200, r#"{"status":"ok"}"#));
    let (first, second) = tokio::join!(
        server.ask("GET /ready HTTP/1.1\r\nhost: x\r\n\r\n"),
        server.ask("GET /ready HTTP/1.1\r\nhost: x\r\n\r\n"),
    );
    // Two probes are possible on a machine so slow that the first answer was stale already.
    assert!(first.status == 200 || second.status == 200);
    assert_eq!(
        server.ask("POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.status,
        404
    );
    assert_eq!(
        server.ask("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.status,
        404,
        "this program has no exporter"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn head_has_the_headers_of_get_and_no_body() {
    let server = Server::start().await;
    for (path, length) in [
        ("/do/a/seen", None),
        ("/health", Some("15")),
        ("/nothing", None),
        ("/do/a/status/204", None),
    ] {
        let mut client = server.connect().await;
        client.send(format!("HEAD {path} HTTP/1.1\r\nhost: x\r\n\r\nGET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
        let head = client.head().await;
        if let Some(length) = length {
            assert_eq!(head.headers["content-length"], length, "{path}");
        }
        assert_eq!(
            client.answer().await.text(),
            r#"{"status":"ok"}"#,
            "nothing lies between the two answers, {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client
        .send(
            "POST /do/a/echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n",
        )
        .await;
    let head = client.head().await;
    assert_eq!(head.headers["transfer-encoding"], "chunked");
    assert_eq!(
        client.chunk().await.as_deref(),
        Some(&b"one"[..]),
        "the first part is back before the second is sent"
    );
    client.send("3\r\ntwo\r\n0\r\n\r\n").await;
    assert_eq!(client.chunk().await.as_deref(), Some(&b"two"[..]));
    assert_eq!(client.chunk().await, None);
    client.send("GET /do/a/stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.text(), "onetwo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_on_after_an_error_and_answers_pipelined_requests_in_order() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let requests = ["/nothing", "/do/a/seen", "/do/a/panic", "/do/%/x", "/health"];
    client
        .send(requests.map(|path| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).concat())
        .await;
    for (path, status) in requests.into_iter().zip([404, 200, 500, 400, 200]) {
        assert_eq!(client.answer().await.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_to_an_unread_body_says_connection_close() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    // What was read to its end, by whatever framing, leaves the connection as it is.
    for body in [
        "content-length: 100000\r\n\r\n".to_owned() + &"x".repeat(100_000),
        "transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".into(),
    ] {
        client.send(format!("POST /do/a/count HTTP/1.1\r\nhost: x\r\n{body}")).await;
        assert_eq!(client.answer().await.headers.get("connection"), None);
    }
    for (path, framing) in [
        ("/do/a/ignore", "content-length: 100000"),
        ("/do/a/refuse", "transfer-encoding: chunked"),
        ("/no", "content-length: 1"),
    ] {
        let mut client = server.connect().await;
        client.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n")).await;
        let answer = client.answer().await;
        assert_eq!(answer.headers.get("connection").map(String::as_str), Some("close"), "{path}");
        assert_eq!(client.rest().await, b"", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_100_continue_only_if_its_body_is_read() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send("PUT /do/a/count HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.head().await.status, 100);
    client.send("hello").await;
    assert_eq!(client.answer().await.text(), "5");
    client.send("PUT /do/a/count HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\nexpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 413, "without an invitation to send it");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_works_without_tls_and_gives_the_object_its_host() {
    let server = Server::start().await;
    let stream = TcpStream::connect(server.address).await.expect(MULTI);
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = http::Request::get("http://example.com/do/a/seen?x")
        .body(Full::<Bytes>::default())
        .expect("a request");
    let answer = sender
        .send_request(request)
        .await
        .expect("an answer")
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let seen: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!(
        (&seen["uri"], &seen["headers"]["host"]),
        (&"/seen?x".into(), &"example.com".into())
    );
    let request =
        http::Request::head("http://example.com/health").body(Full::default()).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    assert_eq!(answer.headers()["content-length"], "15");
    assert!(answer.into_body().collect().await.expect("no body").to_bytes().is_empty());
    let body = Full::from(vec![b'x'; 2 << 20]);
    let request =
        http::Request::post("http://example.com/do/a/count").body(body).expect("a request");
    assert_eq!(sender.send_request(request).await.expect("an answer").status(), 413);
}
