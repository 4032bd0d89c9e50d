//! Which answers become smaller, and for whom.

use std::io::Write as _;

use super::client::Answer;
use super::*;
use crate::edge::CompressionSettings;

async fn server() -> Server {
    let compression = CompressionSettings { is_on: true, bytes_min: 1024 };
    Server::with(server_settings(), EdgeSettings { compression, ..edge_settings() }).await
}

fn request(method: &str, path: &str, accept: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\naccept-encoding: {accept}\r\n\r\n")
}

fn encoding(answer: &Answer) -> Option<&str> {
    answer.headers.get("content-encoding").map(String::as_str)
}

/// What is in compressed bytes, which need not be all of them.
fn plain(encoding: Option<&str>, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        Some("gzip") => {
            let mut decoder = flate2::write::GzDecoder::new(&mut out);
            decoder.write_all(bytes).and_then(|()| decoder.flush()).expect("gzip");
        }
        Some("zstd") => {
            let mut decoder = zstd::stream::write::Decoder::new(&mut out).expect("a decoder");
            decoder.write_all(bytes).and_then(|()| decoder.flush()).expect("zstd");
        }
        other => panic!("{other:?}"),
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_the_encoding_that_it_likes_best() {
    let server = server().await;
    for (accept, expected) in [
        ("gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("gzip, zstd", Some("zstd")),
        ("gzip;q=1.0, zstd;q=0.5", Some("gzip")),
        ("GZIP", Some("gzip")),
        ("zstd;q=0, gzip;q=0.1", Some("gzip")),
        ("*", Some("zstd")),
        ("br", None),
        ("identity", None),
        ("gzip;q=0", None),
        ("", None),
        ("gzip;q=x", None),
        // Who takes nothing at all gets what there is: the object has done its work.
        ("identity;q=0", None),
        ("*;q=0", None),
    ] {
        let answer = server.ask(&request("GET", "/do/a/with?etag=%22v1%22", accept)).await;
        assert_eq!(
            (answer.status, encoding(&answer), &*answer.headers["vary"]),
            (200, expected, "accept-encoding"),
            "{accept}"
        );
        let (body, tag) = match expected {
            Some(_) => (plain(expected, &answer.body), "W/\"v1\""),
            None => (answer.body.clone(), "\"v1\""),
        };
        assert_eq!((body.len(), &*answer.headers["etag"]), (4096, tag), "{accept}");
        assert!(expected.is_none() || answer.body.len() < 200, "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_become_smaller_or_must_stay_is_sent_as_it_is() {
    let server = server().await;
    for headers in [
        "content-type=image/png",
        "content-type=text/event-stream",
        "content-type=application/octet-stream",
        "content-encoding=br",
        "cache-control=private,%20No-Transform",
        "content-range=bytes%200-4095/9999",
    ] {
        let answer =
            server.ask(&request("GET", &format!("/do/a/with?{headers}"), "gzip, zstd")).await;
        assert_eq!(
            (answer.body.len(), encoding(&answer)),
            (4096, headers.strip_prefix("content-encoding=")),
            "{headers}"
        );
    }
    for path in ["/health", "/do/a/ignore", "/nothing", "/do/a/status/204"] {
        assert_eq!(
            encoding(&server.ask(&request("GET", path, "gzip")).await),
            None,
            "{path} is short"
        );
    }
    let off = Server::start().await;
    let answer = off.ask(&request("GET", "/do/a/with", "gzip")).await;
    assert_eq!(
        (encoding(&answer), answer.headers.get("vary"), answer.body.len()),
        (None, None, 4096)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_piece_by_piece() {
    let server = server().await;
    for wanted in ["gzip", "zstd"] {
        let mut client = server.connect().await;
        let head = format!(
            "POST /do/a/talk HTTP/1.1\r\nhost: x\r\naccept-encoding: {wanted}\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        client.send(head + "3\r\none\r\n").await;
        assert_eq!(encoding(&client.head().await), Some(wanted));
        let mut bytes = Vec::new();
        while plain(Some(wanted), &bytes) != b"one" {
            bytes.extend(
                client.chunk().await.expect("the first part comes before the second is sent"),
            );
        }
        client.send("3\r\ntwo\r\n0\r\n\r\n").await;
        while let Some(chunk) = client.chunk().await {
            bytes.extend(chunk);
        }
        assert_eq!(plain(Some(wanted), &bytes), b"onetwo");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_says_what_get_would_and_a_body_that_breaks_off_looks_broken() {
    let server = server().await;
    let mut client = server.connect().await;
    client.send(request("HEAD", "/do/a/with", "gzip") + &request("GET", "/health", "")).await;
    let head = client.head().await;
    assert_eq!((encoding(&head), head.headers.get("content-length")), (Some("gzip"), None));
    assert_eq!(
        client.answer().await.text(),
        r#"{"status":"ok"}"#,
        "nothing lies between the two answers"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_request_body_reaches_the_object_unchanged() {
    let server = server().await;
    let body = [0x1f, 0x8b, 8, 0, 0xff];
    let mut client = server.connect().await;
    client.send("POST /do/a/echo HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\n").await;
    client.send(body).await;
    assert_eq!(client.answer().await.body, body);
}
