//! What is sent again to another server, and done once all the same.

use crate::limits::ATTEMPT_RESPONSE_BYTES_MAX;
use crate::object::Caller;
use crate::planted::{Bug, plant};

use super::*;

/// What a HEAD does, by its path: nothing, or something that its method does not tell.
pub(super) async fn look(request: Request, ctx: &mut Context) -> Result<Response> {
    let count = ctx.storage().get::<u64>("count")?.unwrap_or(0);
    match request.uri().path() {
        "/" => Ok(Response::new(count.to_string().into())),
        "/call" => {
            let other = ctx.object("Counter", "other")?;
            let said = other.fetch(post(Body::empty())).await?.into_body().text().await?;
            Ok(Response::new(format!("the other's {said}").into()))
        }
        path => {
            ctx.storage().put("count", &(count + 1))?;
            let text = "x".repeat(if path == "/long" { ATTEMPT_RESPONSE_BYTES_MAX + 1 } else { 1 });
            Ok(Response::new(if path == "/stream" {
                Body::new(Body::from(text))
            } else {
                text.into()
            }))
        }
    }
}

fn head(path: &'static str) -> Request {
    http::Request::head(path).body(Body::empty()).expect("a request")
}

/// The object at a server that owns it, and another server that knows that.
async fn owned(world: &World) -> (Engine, Engine) {
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    ask(&b, post(Body::empty())).await.expect("b finds a");
    (a, b)
}

async fn records(world: &World) -> usize {
    let all = world.bucket.list(&Key::new("local"), None, 1000).await.expect("memory lists");
    all.iter().filter(|entry| entry.key.as_str().contains("/log/")).count()
}

#[tokio::test]
async fn a_read_that_leaves_nothing_stores_nothing_and_is_repeated() {
    let world = World::new();
    let (_a, b) = owned(&world).await;
    let before = records(&world).await;
    assert_eq!(ask(&b, head("/")).await.expect("a answers"), "2");
    assert_eq!(records(&world).await, before);
    world.carrier.script([Fate::IsUnanswered]);
    assert_eq!(
        in_time(&world, ask(&b, head("/"))).await.expect("b answers when it has taken over"),
        "2"
    );
}

#[tokio::test]
async fn a_read_that_wrote_is_not_done_again_and_is_told_so_when_its_answer_is_gone() {
    for (path, answer) in [("/short", Some("x")), ("/long", None), ("/stream", None)] {
        let world = World::new();
        let (_a, b) = owned(&world).await;
        world.carrier.script([Fate::IsUnanswered]);
        match (in_time(&world, ask(&b, head(path))).await, answer) {
            (Ok(told), answer) => assert_eq!(Some(told.as_str()), answer, "{path}"),
            (Err(error), None) => assert_eq!(
                (error.kind(), error.code()),
                (ErrorKind::Unknown, "RESPONSE_LOST"),
                "{path}"
            ),
            (Err(error), Some(_)) => panic!("{path}: {error}"),
        }
        assert_eq!(ask(&b, head("/")).await.expect("b owns it"), "3", "{path}: it was done once");
    }
}

#[tokio::test]
async fn a_read_that_called_another_object_is_not_done_again() {
    let world = World::new();
    let (_a, b) = owned(&world).await;
    world.carrier.script([Fate::IsUnanswered]);
    assert_eq!(
        in_time(&world, ask(&b, head("/call"))).await.expect("its answer is stored"),
        "the other's 1"
    );
    let other = Tenant::local().object("Counter", "other").expect("a good id");
    let asked =
        in_time(&world, b.fetch(&other, None, post(Body::empty()))).await.expect("an answer");
    assert_eq!(asked.into_body().text().await.expect("text"), "2", "it was called once");
}

#[tokio::test]
async fn what_a_server_has_noted_for_itself_does_not_stay_long() {
    let world = World::new();
    let (a, b) = owned(&world).await;
    for _ in 0..3 {
        ask(&b, head("/short")).await.expect("a answers");
    }
    let entries = async || {
        let rows =
            http::Request::get("/").header("x-rows", "1").body(Body::empty()).expect("a request");
        ask(&b, rows).await.expect("a counts")
    };
    assert_eq!(entries().await, "3 rows");
    world.clock.advance(Duration::from_secs(3 * 3600));
    ask(&a, post(Body::empty())).await.expect("a owns it");
    ask(&b, head("/short")).await.expect("a answers");
    assert_eq!(entries().await, "1 rows");
}

#[tokio::test]
async fn whose_key_it_is_travels_from_server_to_server() {
    let world = World::new();
    let (_a, b) = owned(&world).await;
    let send = async |name: &str| {
        let mut request = post(Body::empty());
        request.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("k"));
        request.extensions_mut().insert(Caller::new(name));
        ask(&b, request).await.expect("a answers")
    };
    assert_eq!([send("one").await, send("two").await, send("one").await], ["3", "4", "3"]);
}

#[tokio::test]
async fn these_tests_would_see_what_is_done_again_and_what_goes_to_another() {
    let world = World::new();
    let (_a, b) = owned(&world).await;
    plant(Some(Bug::AttemptForgotten));
    world.carrier.script([Fate::IsUnanswered]);
    let told = in_time(&world, ask(&b, head("/short"))).await;
    plant(None);
    told.expect("it is done again");
    assert_eq!(ask(&b, head("/")).await.expect("b owns it"), "4", "twice");
    plant(Some(Bug::KeyOfAnybody));
    let mut told = Vec::new();
    for name in ["one", "two"] {
        let mut request = post(Body::empty());
        request.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("k"));
        request.extensions_mut().insert(Caller::new(name));
        told.push(ask(&b, request).await);
    }
    plant(None);
    assert!(told.iter().all(|told| told.as_ref().is_ok_and(|told| told == "5")), "{told:?}");
}
