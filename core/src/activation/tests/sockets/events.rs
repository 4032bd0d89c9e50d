//! Event streams: what comes, and how they end.

use http_body_util::BodyExt;

use super::*;

#[tokio::test]
async fn an_event_stream_gets_what_is_sent_and_its_end_is_noticed() {
    let world = world();
    let engine = world.server(1).await;
    let request = http::Request::get("/events").body(Body::empty()).expect("a request");
    let response = engine.fetch(&object(), None, request).await.expect("a stream");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await.expect("more").expect("no error");
        String::from_utf8(frame.into_data().expect("data").into()).expect("UTF-8")
    };
    assert_eq!(next().await, ": \n\n");
    assert_eq!(next().await, "data: welcome\n\n");
    get(&engine, "/say").await.expect("it is said");
    assert_eq!(next().await, "data: 1\n\n");
    assert_eq!(get(&engine, "/there").await.expect("it is asked"), "events");
    drop(body);
    engine.finish_background().await;
    assert_eq!(get(&engine, "/left").await.expect("it is asked"), "events 1006");
}

#[tokio::test]
async fn an_event_stream_ends_after_its_time() {
    let world = world();
    let socket_time_max = Duration::from_secs(40);
    let settings = Settings { socket_time_max, ..Settings::default() };
    let engine = world.server_with(1, settings).await;
    let request = http::Request::get("/events").body(Body::empty()).expect("a request");
    let mut body = engine.fetch(&object(), None, request).await.expect("a stream").into_body();
    for _ in 0..2 {
        body.frame().await.expect("more").expect("no error");
    }
    for seconds in [15, 15, 10] {
        let time = async { world.clock.advance(Duration::from_secs(seconds)) };
        let (next, ()) = futures_util::future::join(body.frame(), time).await;
        assert_eq!(next.is_none(), seconds == 10, "comments, and in the end nothing");
    }
    drop(body);
    engine.finish_background().await;
    assert_eq!(get(&engine, "/left").await.expect("it is asked"), "events 1006");
}
