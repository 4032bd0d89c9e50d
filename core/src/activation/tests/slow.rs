//! Senders that take their time.

use futures_util::FutureExt;

use super::*;

/// A body that never ends, and of which nothing comes.
fn never() -> Body {
    Body::new(http_body_util::StreamBody::new(futures_util::stream::pending::<
        Result<http_body::Frame<bytes::Bytes>>,
    >()))
}

#[tokio::test]
async fn a_body_that_does_not_come_holds_nobody_up() {
    let world = World::new();
    for engine in [world.server(1).await, world.function(2).await] {
        for path in ["/add", "/get"] {
            let request = http::Request::post(path).body(never()).expect("a request");
            let object = object();
            let slow = engine.fetch(&object, None, request);
            futures_util::pin_mut!(slow);
            run_ready().await;
            assert!((&mut slow).now_or_never().is_none(), "its sender has not sent it");
            get(&engine, "/add").await.expect("another's request is answered meanwhile");
        }
        engine.shutdown(Duration::from_secs(1)).await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_holds_no_place_among_reads_of_the_past() {
    let world = World::new();
    let engine = world.server(1).await;
    get(&engine, "/add").await.expect("it counts");
    let at = || Some(crate::router::At::Sequence(1));
    let object = object();
    let mut slow: Vec<_> = (0..20)
        .map(|_| {
            engine
                .fetch(&object, at(), http::Request::get("/get").body(never()).expect("a request"))
                .boxed()
        })
        .collect();
    for slow in &mut slow {
        assert!(slow.now_or_never().is_none());
    }
    run_ready().await;
    let read = engine
        .fetch(&object, at(), http::Request::get("/get").body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(read.expect("there is a place").into_body().text().await.expect("text"), "1");
}
