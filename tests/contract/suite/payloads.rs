//! What payloads of text can't carry is refused with a sentence, in both directions; what they can
//! arrives.

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;

use super::headers::{joined, seen};
use crate::host::Broken;
use crate::message::{get, post, with};
use crate::pattern::pattern;
use crate::stage::{Stage, fresh};

pub(crate) async fn text_goes_both_ways_and_bytes_come_in_as_octets(on: &Stage) {
    let path = format!("/do/{}", fresh("octets"));
    for text in ["plain", "ä 世界 \u{0}\u{1}\"\\ \r\n", ""] {
        let answer = on
            .ask(with(
                post(&format!("{path}/echo"), text),
                "content-type",
                b"text/plain; charset=utf-8",
            ))
            .await;
        assert_eq!((answer.status, answer.text()), (200, text));
    }
    for count in [256, 1 << 20, 32 << 20] {
        let request = with(
            post(&format!("{path}/check"), pattern(count)),
            "content-type",
            b"application/octet-stream",
        );
        assert_eq!(on.ask(request).await.json(), json!({ "bytes": count, "right": true }));
    }
    let request = with(
        post(&format!("{path}/check"), pattern((32 << 20) + 1)),
        "content-type",
        b"application/octet-stream",
    );
    assert_eq!(on.ask(request).await.error()["code"], "TOO_LARGE");
}

pub(crate) async fn long_texts_and_the_cookies_of_requests_arrive(on: &Stage) {
    let path = format!("/do/{}", fresh("texts"));
    let text = "\u{e4} \"text\"\n".repeat((32 << 20) / 11);
    let answer = on
        .ask(with(
            post(&format!("{path}/echo"), text.clone()),
            "content-type",
            b"text/plain; charset=utf-8",
        ))
        .await;
    assert!(
        answer.status == 200 && answer.text() == text,
        "{} of {} bytes",
        answer.body.len(),
        text.len()
    );
    let cookies =
        with(with(get(&format!("{path}/here")), "cookie", b"a=1; b=\"two\""), "cookie", b"c=%203");
    assert_eq!(
        joined(&seen(&on.ask(cookies).await, "cookie"), b';'),
        [&b"a=1"[..], b"b=\"two\"", b"c=%203"]
    );
    assert_eq!(
        on.ask(post(&format!("{path}/here"), "")).await.json()["bytes"],
        0,
        "an empty body is empty"
    );
}

pub(crate) async fn bodies_that_the_host_treated_as_text_are_refused(on: &Stage) {
    let path = format!("/do/{}/check", fresh("damaged"));
    let refused = on.ask(with(post(&path, pattern(256)), "content-type", b"image/png")).await;
    assert_eq!((refused.status, refused.error()["code"].as_str()), (400, Some("BODY_NOT_TEXT")));
    let part = StreamBody::new(futures_util::stream::iter([Ok::<_, Broken>(Frame::data(
        Bytes::from_static(b"parts"),
    ))]));
    let refused =
        on.ask(Request::post(&path).body(BodyExt::boxed_unsync(part)).expect("a request")).await;
    assert_eq!((refused.status, refused.error()["code"].as_str()), (400, Some("LENGTH_REQUIRED")));
}

pub(crate) async fn responses_that_a_payload_would_alter_are_errors(on: &Stage) {
    let path = format!("/do/{}", fresh("unsendable"));
    let cookies = json!({ "headers": [["set-cookie", "a=b"], ["set-cookie", "c=d"]] }).to_string();
    for request in
        [get(&format!("{path}/pattern?bytes=256")), post(&format!("{path}/say"), cookies)]
    {
        let refused = on.ask(with(request, "x-request-id", b"mine")).await;
        let error = refused.error();
        assert_eq!(
            (refused.status, &error["code"], &error["requestId"]),
            (500, &json!("UNSENDABLE_RESPONSE"), &json!("mine"))
        );
    }
    let one = json!({ "headers": [["set-cookie", "a=b; Path=/"]] }).to_string();
    assert_eq!(
        on.ask(post(&format!("{path}/say"), one)).await.values("set-cookie"),
        [b"a=b; Path=/"]
    );
}

pub(crate) async fn a_client_s_own_invocation_is_a_body_like_any_other(on: &Stage) {
    let id = fresh("chosen");
    let inner =
        json!({ "Data": { "req": { "Url": format!("http://h/do/Counter/{id}/add"), "Method": "POST", "Headers": {} } }, "Metadata": {} })
            .to_string();
    let answer = on
        .ask(with(
            post(&format!("/do/{id}/echo"), inner.clone()),
            "content-type",
            b"application/json",
        ))
        .await;
    assert_eq!((answer.status, answer.text()), (200, &*inner));
    assert_eq!(
        on.ask(get(&format!("/do/Counter/{id}/count"))).await.json(),
        json!({ "count": 0 }),
        "what it described was not done"
    );
    assert_eq!(
        on.ask(post("/object", inner)).await.error()["code"],
        "NO_OBJECT",
        "the path of the function is a path like any other"
    );
}
