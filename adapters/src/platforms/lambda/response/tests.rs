use serde_json::{Value, json};

use super::*;

fn response(headers: &[(&'static str, &'static str)], body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    for (name, value) in headers {
        response.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    response
}

async fn answer(
    front: Front,
    headers: &[(&'static str, &'static str)],
    body: impl Into<Body>,
) -> Value {
    match whole(response(headers, body), front).await {
        Answer::Whole(document) => serde_json::from_str(document.get()).expect("JSON"),
        Answer::InPieces(_) => panic!("it was to be whole"),
    }
}

const MANY: [(&str, &str); 4] =
    [("x-a", "1"), ("x-a", "2"), ("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2")];

#[tokio::test]
async fn each_front_end_gets_repeated_headers_and_cookies_in_its_form() {
    let many = json!({ "x-a": ["1", "2"], "set-cookie": ["a=1; Path=/", "b=2"] });
    let rest = answer(Front::RestApi, &MANY, "text").await;
    assert_eq!(
        rest,
        json!({ "statusCode": 200, "multiValueHeaders": many, "isBase64Encoded": false, "body": "text" })
    );
    for front in [Front::HttpApi, Front::FunctionUrl] {
        let expected = json!({
            "statusCode": 200, "headers": { "x-a": "1, 2" }, "cookies": ["a=1; Path=/", "b=2"], "isBase64Encoded": false, "body": "text",
        });
        assert_eq!(answer(front, &MANY, "text").await, expected);
    }
    let balancer = answer(Front::LoadBalancer { has_many: true }, &MANY, "").await;
    assert_eq!(
        balancer,
        json!({ "statusCode": 200, "statusDescription": "200 OK", "multiValueHeaders": many, "isBase64Encoded": false, "body": "" })
    );
    assert_eq!(
        answer(Front::LoadBalancer { has_many: false }, &MANY[..2], "").await["headers"],
        json!({ "x-a": "1, 2" })
    );
}

#[tokio::test]
async fn what_is_not_plain_text_travels_as_base64() {
    for (headers, body, encoded) in [
        (&[][..], b"\xff\x00".to_vec(), Some("/wA=")),
        (&[("content-type", "text/plain")][..], b"\xe4".to_vec(), Some("5A==")),
        (&[][..], b"a\x00b".to_vec(), Some("YQBi")),
        (&[("content-encoding", "gzip")][..], b"plain".to_vec(), Some("cGxhaW4=")),
        (
            &[("content-type", "text/plain; charset=latin1")][..],
            "gr\u{fc}\u{df}e\r\n\t".into(),
            None,
        ),
    ] {
        let answer = answer(Front::RestApi, headers, body.clone()).await;
        let expected =
            encoded.map_or_else(|| String::from_utf8(body).expect("text"), str::to_owned);
        assert_eq!(
            (answer["isBase64Encoded"].as_bool(), answer["body"].as_str()),
            (Some(encoded.is_some()), Some(&*expected))
        );
    }
}

#[tokio::test]
async fn a_response_that_does_not_fit_is_an_error_that_says_so() {
    let id = [("x-request-id", "mine")];
    for (front, fits) in
        [(Front::RestApi, 6_000_000), (Front::LoadBalancer { has_many: true }, 1_000_000)]
    {
        let refused = answer(front, &id, "a".repeat(fits + 1)).await;
        let error: Value =
            serde_json::from_str(refused["body"].as_str().expect("text")).expect("JSON");
        assert_eq!(
            (&refused["statusCode"], &error["code"], &error["requestId"]),
            (&json!(500), &json!("RESPONSE_TOO_LARGE"), &json!("mine"))
        );
        assert_eq!(refused["multiValueHeaders"]["x-request-id"], json!(["mine"]));
        assert_eq!(answer(front, &id, "a".repeat(fits)).await["statusCode"], 200);
        assert_eq!(
            answer(front, &id, "\"".repeat(fits)).await["statusCode"],
            500,
            "JSON makes it longer"
        );
        for (binary, status) in [(fits / 4 * 3, 200), (fits / 4 * 3 + 1, 500)] {
            assert_eq!(
                answer(front, &id, vec![0; binary]).await["statusCode"],
                status,
                "base64 makes it longer"
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let broken = stream::iter([
        Ok(Frame::data(Bytes::from_static(b"half"))),
        Err(Error::conflict("the rest is missing")),
    ]);
    let answer = answer(Front::HttpApi, &[], Body::new(StreamBody::new(broken))).await;
    assert_eq!(answer["statusCode"], 409);
    assert!(
        answer["body"].as_str().is_some_and(|body| body.contains("the rest is missing")),
        "{answer}"
    );
}

fn pieces(response: Response, last: impl Future<Output = ()> + Send + 'static) -> Body {
    match in_pieces(response, last) {
        Answer::InPieces(body) => body,
        Answer::Whole(_) => panic!("it was to come in pieces"),
    }
}

async fn next(body: &mut Body) -> Option<Result<Bytes>> {
    Some(body.frame().await?.map(|frame| frame.into_data().expect("data")))
}

#[tokio::test]
async fn a_streamed_response_ends_after_its_last_future() {
    let (done, last) = tokio::sync::oneshot::channel();
    let mut body = pieces(response(&MANY, "body"), async { last.await.expect("it comes") });
    let head: Value =
        serde_json::from_slice(&next(&mut body).await.expect("a piece").expect("whole"))
            .expect("JSON");
    assert_eq!(
        head,
        json!({ "statusCode": 200, "headers": { "x-a": "1, 2" }, "cookies": ["a=1; Path=/", "b=2"] })
    );
    assert_eq!(next(&mut body).await.expect("a piece").expect("whole"), [0; 8][..]);
    assert_eq!(next(&mut body).await.expect("a piece").expect("whole"), "body");
    assert!(futures_util::poll!(body.frame()).is_pending());
    done.send(()).expect("it is waited for");
    assert!(next(&mut body).await.is_none());
}

#[tokio::test]
async fn a_streamed_response_is_cut_off_where_its_body_is() {
    let broken = stream::iter([
        Ok(Frame::data(Bytes::from_static(b"half"))),
        Err(Error::conflict("the rest is missing")),
    ]);
    let body = pieces(response(&[], Body::new(StreamBody::new(broken))), async {});
    assert_eq!(body.bytes().await.expect_err("it broke off").message(), "the rest is missing");
}
