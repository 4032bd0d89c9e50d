//! Bodies that are whole: what is in them, that they may be empty, and how large they may be.

use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;

use crate::host::{Body, Broken};
use crate::message::{full, get, post, request, with};
use crate::pattern::pattern;
use crate::stage::{Stage, fresh};

/// What the server takes, unless it is told otherwise.
const BYTES_MAX: u64 = 32 << 20;

/// A body that does not say how long it is.
fn unannounced(parts: Vec<Bytes>) -> Body {
    let frames = parts.into_iter().map(|part| Ok::<_, Broken>(Frame::data(part)));
    BodyExt::boxed_unsync(StreamBody::new(futures_util::stream::iter(frames)))
}

fn bytes(count: u64) -> Bytes {
    pattern(usize::try_from(count).expect("it fits into memory"))
}

pub(crate) async fn every_byte_arrives(on: &Stage) {
    let path = format!("/do/{}/echo", fresh("every"));
    let every: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    for body in [
        every,
        b"plain text".to_vec(),
        "ä 世界 \u{0}".as_bytes().to_vec(),
        vec![0],
        b"\r\n\r\n0\r\n\r\n".to_vec(),
    ] {
        for kind in [
            None,
            Some("application/octet-stream"),
            Some("text/plain; charset=latin1"),
            Some("application/json"),
            Some("image/png"),
        ] {
            let request = kind.iter().fold(post(&path, body.clone()), |request, kind| {
                with(request, "content-type", kind.as_bytes())
            });
            let answer = on.ask(request).await;
            assert_eq!((answer.status, &*answer.body), (200, &*body), "{kind:?}");
            assert_eq!(
                answer.values("content-type"),
                kind.iter().map(|kind| kind.as_bytes()).collect::<Vec<_>>()
            );
        }
    }
}

pub(crate) async fn empty_bodies_are_empty(on: &Stage) {
    let path = format!("/do/{}", fresh("empty"));
    for body in [full(""), unannounced(Vec::new())] {
        let request = Request::post(format!("{path}/here")).body(body).expect("a request");
        assert_eq!(on.ask(request).await.json()["bytes"], 0);
    }
    let answer = on.ask(post(&format!("{path}/echo"), "")).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(on.ask(get(&format!("{path}/here"))).await.json()["bytes"], 0);
}

pub(crate) async fn head_has_no_body_and_the_length_of_one(on: &Stage) {
    let answer = on
        .ask(request(Method::HEAD, &format!("/do/{}/pattern?bytes=5000", fresh("head")), ""))
        .await;
    assert_eq!(
        (answer.status, answer.body.len(), answer.values("content-length")),
        (200, 0, vec![&b"5000"[..]])
    );
    let refused = on.ask(request(Method::HEAD, "/nothing", "")).await;
    assert_eq!((refused.status, refused.body.len()), (404, 0));
}

pub(crate) async fn statuses_without_a_body_have_none(on: &Stage) {
    let path = format!("/do/{}/say", fresh("bodiless"));
    for (status, body) in [(204, ""), (304, ""), (204, "which HTTP forbids")] {
        let wish = json!({ "status": status, "body": body, "headers": [["etag", "\"1\""]] });
        let answer = on.ask(post(&path, wish.to_string())).await;
        assert_eq!(
            (answer.status, answer.body.len(), answer.values("etag")),
            (status, 0, vec![&b"\"1\""[..]])
        );
    }
    let again = on.ask(get(&format!("/do/{}/pattern?bytes=3", fresh("bodiless")))).await;
    assert_eq!(
        (again.status, again.body),
        (200, bytes(3)),
        "nothing is left over for the next answer"
    );
}

pub(crate) async fn large_requests_arrive(on: &Stage) {
    let path = format!("/do/{}/check", fresh("large"));
    let most = on.abilities().request_bytes_max.map_or(BYTES_MAX, |max| max.min(BYTES_MAX));
    for count in [64 << 10, (64 << 10) + 1, 1 << 20, most] {
        let answer = on.ask(post(&path, bytes(count))).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "bytes": count, "right": true })));
    }
    let all = bytes(most);
    let parts = all.chunks(1 << 20).map(Bytes::copy_from_slice).collect();
    let answer = on.ask(Request::put(&path).body(unannounced(parts)).expect("a request")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "bytes": most, "right": true })),
        "its length was not announced"
    );
}

pub(crate) async fn large_answers_arrive(on: &Stage) {
    let path = |count: u64| format!("/do/{}/pattern?bytes={count}", fresh("large"));
    let most = on.abilities().response_bytes_max.map_or(BYTES_MAX, |max| max.min(BYTES_MAX));
    for count in [(64 << 10) + 1, most] {
        let answer = on.ask(get(&path(count))).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body == bytes(count), "{} bytes of {count}", answer.body.len());
    }
    if let Some(max) = on.abilities().response_bytes_max {
        let refused = on.ask(get(&path(max + 1))).await;
        assert!(
            refused.status >= 400 && refused.error()["status"] == refused.status,
            "{refused:?}"
        );
    }
}

pub(crate) async fn a_body_that_is_too_large_is_refused(on: &Stage) {
    let path = format!("/do/{}/check", fresh("too-large"));
    let most = on.abilities().request_bytes_max.map_or(BYTES_MAX, |max| max.min(BYTES_MAX));
    let refused = on.ask(post(&path, bytes(most + 1))).await;
    assert_eq!((refused.status, refused.error()["code"].as_str()), (413, Some("TOO_LARGE")));
    let answer = on.ask(post(&path, bytes(1))).await;
    assert_eq!(answer.json(), json!({ "bytes": 1, "right": true }), "and the next is taken");
}
