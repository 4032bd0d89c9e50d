//! Whose key it is: the caller's who sent it, and nobody else's.

use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};

use super::*;
use crate::object::Caller;

/// A request with the key `k` and these headers, by whoever is said to send it.
async fn sent_by(
    engine: &Engine,
    who: Option<&str>,
    headers: &[(http::HeaderName, &'static str)],
) -> Result<Response> {
    let mut request =
        http::Request::post("/").header("Idempotency-Key", "k").body("body".into())?;
    for (name, value) in headers {
        request.headers_mut().insert(name, http::HeaderValue::from_static(value));
    }
    if let Some(who) = who {
        request.extensions_mut().insert(Caller::new(who));
    }
    engine.fetch(&Tenant::local().object("Till", "a").expect("a good id"), None, request).await
}

async fn body_of(response: Result<Response>) -> String {
    response.expect("an answer").into_body().text().await.expect("text")
}

#[tokio::test]
async fn a_key_is_its_callers_own() {
    let world = tills();
    let engine = world.server(1).await;
    for (who, run) in [
        (Some("one"), "run 1"),
        (Some("two"), "run 2"),
        (None, "run 3"),
        (Some("two"), "run 2"),
        (None, "run 3"),
    ] {
        assert_eq!(body_of(sent_by(&engine, who, &[]).await).await, run, "{who:?}");
    }
    let renewed = sent_by(&engine, Some("one"), &[(AUTHORIZATION, "Bearer renewed")]).await;
    assert_eq!(body_of(renewed).await, "run 1", "a token may be renewed between two attempts");
    assert_eq!(
        post(&engine, "/other", "-/k").await.expect("another key").body,
        "run 4",
        "no key gets into what is another's"
    );
}

#[tokio::test]
async fn a_key_with_other_credentials_is_refused_where_the_class_may_go_by_them() {
    let api_key = http::HeaderName::from_static("x-api-key");
    let nobody = [(AUTHORIZATION, "Bearer a"), (COOKIE, "session=a"), (api_key.clone(), "a")];
    for (who, headers) in
        [(None, nobody.as_slice()), (Some("one"), &[(COOKIE, "session=a"), (api_key, "a")])]
    {
        let world = tills();
        let engine = world.server(1).await;
        assert_eq!(body_of(sent_by(&engine, who, headers).await).await, "run 1");
        assert_eq!(body_of(sent_by(&engine, who, headers).await).await, "run 1");
        for left_out in 0..headers.len() {
            let mut fewer = headers.to_vec();
            fewer.remove(left_out);
            let error =
                sent_by(&engine, who, &fewer).await.expect_err("somebody else may have sent it");
            assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::KeyReused, "IDEMPOTENCY_KEY_REUSED")
            );
        }
    }
}

#[tokio::test]
async fn the_secrets_of_a_session_are_not_stored() {
    struct Login;
    impl DurableObject for Login {
        async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
            Ok(http::Response::builder()
                .header(SET_COOKIE, "session=secret")
                .header("x-kept", "1")
                .body("in".into())?)
        }
    }
    let world = World::of(App::new().class("Till", || Login));
    let engine = world.server(1).await;
    for replayed in [false, true] {
        let response = sent_by(&engine, None, &[]).await.expect("an answer");
        assert_eq!(response.headers().contains_key("idempotency-replayed"), replayed);
        assert_eq!(response.headers().contains_key(SET_COOKIE), !replayed);
        assert!(response.headers().contains_key("x-kept"));
    }
}

#[tokio::test]
async fn an_object_that_passes_a_request_on_does_so_for_its_caller() {
    struct Front;
    impl DurableObject for Front {
        async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
            let own = request.uri().path() == "/own";
            let request = if own {
                http::Request::post("/").header("Idempotency-Key", "k").body("body".into())?
            } else {
                request
            };
            ctx.object("Till", "a")?.fetch(request).await
        }
    }
    let world = World::of(App::new().class("Till", || Till).class("Front", || Front));
    let engine = world.server(1).await;
    let send = async |front: &str, path: &'static str, who: &str| {
        let mut request = http::Request::post(path).body("body".into()).expect("a request");
        if path == "/" {
            request.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("k"));
        }
        request.extensions_mut().insert(Caller::new(who));
        body_of(
            engine
                .fetch(&Tenant::local().object("Front", front).expect("a good id"), None, request)
                .await,
        )
        .await
    };
    assert_eq!(
        [send("x", "/", "one").await, send("x", "/", "two").await, send("y", "/", "one").await],
        ["run 1", "run 2", "run 3"]
    );
    // What an object asks for by itself is its own, whoever has made it ask.
    assert_eq!(
        [
            send("x", "/own", "one").await,
            send("x", "/own", "two").await,
            send("y", "/own", "one").await
        ],
        ["run 4", "run 4", "run 5"]
    );
}
