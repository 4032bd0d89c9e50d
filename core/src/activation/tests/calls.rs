//! Objects that call each other at the same time, each in a request of its own.

use futures_util::FutureExt;
use tokio::sync::Barrier;

use super::*;
use crate::cluster::forwarding_tests::World as Servers;

/// Waits until all have their turns, then calls the object that it is told to; a call that is
/// refused is undone, and told.
struct Caller(Arc<Barrier>);

impl DurableObject for Caller {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let Some(other) = request.uri().query() else {
            ctx.storage().put("called", &true)?;
            return Ok(Response::new("called".into()));
        };
        self.0.wait().await;
        ctx.object("Caller", other)?.fetch(http::Request::get("/").body(Body::empty())?).await
    }
}

fn callers(count: usize) -> App {
    let barrier = Arc::new(Barrier::new(count));
    App::new().class("Caller", move || Caller(barrier.clone()))
}

async fn call(engine: &Engine, from: &str, to: &str) -> Result<String> {
    let request = http::Request::get(format!("/?{to}")).body(Body::empty())?;
    engine
        .fetch(&Tenant::local().object("Caller", from)?, None, request)
        .await?
        .into_body()
        .text()
        .await
}

/// What becomes of `calls` without any time passing: exactly one was refused, and the others went
/// on.
async fn one_is_refused(calls: impl Future<Output = Vec<Result<String>>>) {
    futures_util::pin_mut!(calls);
    for _ in 0..10_000 {
        if let Some(answers) = (&mut calls).now_or_never() {
            let (called, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
            assert!(called.into_iter().all(|answer| answer.expect("an answer") == "called"));
            let refused: Vec<_> =
                refused.into_iter().map(|answer| answer.expect_err("refused")).collect();
            assert_eq!(
                refused.iter().map(|error| (error.kind(), error.code())).collect::<Vec<_>>(),
                [(ErrorKind::Busy, "CALL_DEADLOCK")]
            );
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("they wait for each other");
}

#[tokio::test]
async fn two_objects_that_call_each_other_in_two_requests_do_not_wait_for_each_other() {
    let world = World::of(callers(2));
    for engine in [world.server(1).await, world.function(2).await] {
        one_is_refused(join_all([call(&engine, "a", "b"), call(&engine, "b", "a")])).await;
        world.clock.advance(Duration::from_secs(60));
    }
}

#[tokio::test]
async fn three_objects_in_a_ring_do_not_wait_for_each_other() {
    let world = World::of(callers(3));
    let engine = world.server(1).await;
    one_is_refused(join_all([
        call(&engine, "a", "b"),
        call(&engine, "b", "c"),
        call(&engine, "c", "a"),
    ]))
    .await;
}

#[tokio::test]
async fn two_objects_of_two_servers_do_not_wait_for_each_other() {
    let world = Servers::of(callers(2));
    let (first, second) = (world.server("first").await, world.server("second").await);
    for (engine, other, id) in [(&first, &second, "a"), (&second, &first, "b")] {
        let take = |engine: &Engine| {
            let (engine, object) =
                (engine.clone(), Tenant::local().object("Caller", id).expect("a good id"));
            async move {
                engine
                    .fetch(
                        &object,
                        None,
                        http::Request::put("/").body(Body::empty()).expect("a request"),
                    )
                    .await
            }
        };
        take(engine).await.expect("it owns it");
        take(other).await.expect("it finds the owner");
    }
    assert_eq!(world.carrier.asked(), ["first", "second"]);
    one_is_refused(join_all([call(&first, "a", "b"), call(&second, "b", "a")])).await;
}

#[tokio::test]
async fn objects_call_each_other_but_not_in_a_circle() {
    let world = World::new();
    let engine = world.server(1).await;
    assert_eq!(get(&engine, "/call?other").await.expect("the other counts"), "1");
    let circle = get(&engine, "/call?a").await.expect_err("it would wait for itself");
    assert_eq!(circle.code(), "CALL_CYCLE");
}
