//! Handlers that leave their turn: who is served meanwhile, what happens once, and what is told to
//! whoever asks again.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use super::*;
use crate::idempotency::{IDEMPOTENCY_KEY_HEADER, IDEMPOTENCY_REPLAYED_HEADER};
use crate::object::{IntoResponse, Matcher, Turns};

/// What is outside of all objects.
#[derive(Default)]
struct Outside {
    /// How often it was reached.
    reached: AtomicU64,
    /// How often a turn has run, undone ones included.
    turns: AtomicU64,
    answers: Answers,
}

/// Opened once for each answer that may be given.
struct Answers(Semaphore);

impl Default for Answers {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

impl Outside {
    async fn answer(&self) {
        self.reached.fetch_add(1, Ordering::Relaxed);
        self.answers.0.acquire().await.expect("it is never closed").forget();
    }

    fn reached(&self) -> u64 {
        self.reached.load(Ordering::Relaxed)
    }
}

/// Notes what happens, and asks what is outside.
struct Notes(Arc<Outside>);

impl DurableObject for Notes {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&["CREATE TABLE notes (note TEXT NOT NULL)"])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.get("/all") {
            all(ctx)?.into_response()
        } else if let Some([text]) = on.post("/note/{text}") {
            note(ctx, &text)?;
            all(ctx)?.into_response()
        } else if let Some([]) = on.post("/ask") {
            note(ctx, "asked")?;
            let outside = self.0.clone();
            ctx.leave_turn(move |object: Turns<Self>| async move {
                outside.answer().await;
                object.turn(move |me, ctx| me.hear(ctx)).await?.into_response()
            })
        } else if let Some([]) = on.post("/held") {
            let own = ctx.turns::<Self>();
            own.turn(|_, ctx| note(ctx, "held")).await?.into_response()
        } else if let Some([]) = on.post("/behind") {
            let (own, outside) = (ctx.turns::<Self>(), self.0.clone());
            ctx.wait_until(async move {
                outside.answer().await;
                _ = own.turn(|_, ctx| note(ctx, &format!("by {}", kind_of_caller(ctx)))).await;
            });
            ().into_response()
        } else if let Some([other, depth]) = on.post("/through/{other}/{depth}") {
            let here = ctx.id().id().to_owned();
            let depth: u64 = depth.parse().unwrap_or_default();
            ctx.leave_turn(move |object: Turns<Self>| async move {
                let path = match depth {
                    0 => "/all".to_owned(),
                    _ => format!("/through/{here}/{}", depth - 1),
                };
                let request =
                    if depth == 0 { http::Request::get(path) } else { http::Request::post(path) };
                let answer =
                    object.object("Notes", &other)?.fetch(request.body(Body::empty())?).await?;
                object.turn(|_, ctx| note(ctx, "answered")).await?;
                Ok(answer)
            })
        } else if let Some([]) = on.post("/back") {
            ctx.leave_turn(|object: Turns<Self>| async move {
                let request = http::Request::get("/").body(Body::empty())?;
                object.object("Holder", "one")?.fetch(request).await
            })
        } else if let Some([]) = on.post("/half") {
            note(ctx, "first")?;
            ctx.leave_turn(|object: Turns<Self>| async move {
                object.turn(|_, ctx| note(ctx, "second")).await?;
                let third = |_: &mut Self, ctx: &mut Context| {
                    note(ctx, "third")?;
                    Err::<(), _>(Error::conflict("not this one"))
                };
                object.turn(third).await?;
                ().into_response()
            })
        } else if let Some([]) = on.post("/panic") {
            note(ctx, "first")?;
            ctx.leave_turn(|_: Turns<Self>| async move { panic!("planned: outside of a turn") })
        } else {
            on.otherwise()
        }
    }
}

impl Notes {
    fn hear(&mut self, ctx: &mut Context) -> Result<String> {
        self.0.turns.fetch_add(1, Ordering::Relaxed);
        note(ctx, "heard")?;
        all(ctx)
    }
}

fn kind_of_caller(ctx: &Context) -> &'static str {
    if ctx.caller() == &crate::object::Caller::of_object(ctx.id()) { "itself" } else { "a client" }
}

fn note(ctx: &mut Context, text: &str) -> Result<()> {
    ctx.sql().exec("INSERT INTO notes VALUES (?)", (text,)).map(drop)
}

fn all(ctx: &mut Context) -> Result<String> {
    let notes: Vec<String> = ctx.sql().exec("SELECT note FROM notes ORDER BY rowid", ())?.rows()?;
    Ok(notes.join(" "))
}

fn world() -> (World, Arc<Outside>) {
    let outside = Arc::new(Outside::default());
    let made = outside.clone();
    let app = App::new().class("Notes", move || Notes(made.clone())).class("Holder", || Holder);
    (World::of(app), outside)
}

/// Keeps its turn while it asks an object that asks it.
struct Holder;

impl DurableObject for Holder {
    async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
        let request = http::Request::post("/back").body(Body::empty())?;
        ctx.object("Notes", "a")?.fetch(request).await
    }
}

fn notes(id: &str) -> ObjectId {
    Tenant::local().object("Notes", id).expect("a good id")
}

async fn send(engine: &Engine, id: &str, head: http::request::Builder) -> Result<Response> {
    engine.fetch(&notes(id), None, head.body(Body::empty())?).await
}

async fn text(answer: Result<Response>) -> Result<String> {
    answer?.into_body().text().await
}

async fn post(engine: &Engine, path: &str) -> Result<String> {
    text(send(engine, "a", http::Request::post(path)).await).await
}

/// A request that goes on by itself.
fn spawn(engine: &Engine, path: &'static str) -> tokio::task::JoinHandle<Result<String>> {
    let engine = engine.clone();
    tokio::spawn(async move { post(&engine, path).await })
}

#[tokio::test]
async fn others_are_served_while_a_handler_has_left_its_turn() {
    let (world, outside) = world();
    for engine in [world.server(1).await, world.function(2).await] {
        let before = post(&engine, "/note/before").await.expect("it notes");
        let asks = spawn(&engine, "/ask");
        run_ready().await;
        assert!(!asks.is_finished(), "it waits for what is outside");
        let meanwhile = post(&engine, "/note/meanwhile").await.expect("the turn is free");
        assert_eq!(meanwhile, format!("{before} asked meanwhile"));
        outside.answers.0.add_permits(1);
        let heard = asks.await.expect("it does not panic").expect("it is answered");
        assert_eq!(heard, format!("{meanwhile} heard"));
        engine.shutdown(Duration::from_secs(5)).await;
        world.clock.advance(LEASES_END);
    }
    assert_eq!((outside.reached(), outside.turns.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test]
async fn what_the_handler_did_is_in_the_bucket_before_anything_leaves() {
    for per_request in [false, true] {
        let (world, outside) = world();
        let engine = if per_request { world.function(1).await } else { world.server(1).await };
        assert_eq!(post(&engine, "/note/x").await.expect("it notes"), "x");
        let store = world.bucket.slowness();
        store.hold(|operation, key| {
            operation == Operation::Create && key.as_str().contains("/log/")
        });
        outside.answers.0.add_permits(1);
        let asks = spawn(&engine, "/ask");
        store.held().await;
        run_ready().await;
        assert_eq!(outside.reached(), 0, "its record is on its way");
        store.release();
        assert_eq!(asks.await.expect("it does not panic").expect("an answer"), "x asked heard");
        assert_eq!(outside.reached(), 1);
    }
}

#[tokio::test]
async fn a_slice_whose_slot_is_lost_runs_again_and_what_is_outside_is_reached_once() {
    let (world, outside) = world();
    let (one, other) = (world.function(1).await, world.function(2).await);
    let asks = spawn(&one, "/ask");
    run_ready().await;
    assert_eq!(outside.reached(), 1);
    // The memory of the first one does not know of it when its next turn begins.
    assert_eq!(post(&other, "/note/other").await.expect("nobody owns it"), "asked other");
    outside.answers.0.add_permits(1);
    let heard = asks.await.expect("it does not panic").expect("it is answered");
    assert_eq!(heard, "asked other heard");
    assert_eq!((outside.reached(), outside.turns.load(Ordering::Relaxed)), (1, 2));
}

#[tokio::test]
async fn the_turn_that_is_held_can_t_be_waited_for() {
    let (world, outside) = world();
    let engine = world.server(1).await;
    let error = post(&engine, "/held").await.expect_err("it would wait for itself");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "TURN_HELD"));
    assert_eq!(post(&engine, "/behind").await.expect("it answers"), "");
    outside.answers.0.add_permits(1);
    engine.finish_background().await;
    let left = text(send(&engine, "a", http::Request::get("/all")).await).await;
    assert_eq!(left.expect("it was noted"), "by itself");
}

#[tokio::test]
async fn a_turn_that_fails_is_rolled_back_and_those_before_remain() {
    let (world, _) = world();
    for engine in [world.server(1).await, world.function(2).await] {
        let error = post(&engine, "/half").await.expect_err("the third turn fails");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let left = text(send(&engine, "a", http::Request::get("/all")).await).await;
        assert!(left.expect("it reads").ends_with("first second"));
        engine.shutdown(Duration::from_secs(5)).await;
        world.clock.advance(LEASES_END);
    }
}

#[tokio::test]
async fn a_panic_outside_of_a_turn_is_an_error_and_the_object_goes_on() {
    let (world, _) = world();
    let engine = world.server(1).await;
    let error = post(&engine, "/panic").await.expect_err("it panics");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unknown, "PARTLY_DONE"));
    assert!(error.message().contains("panicked"), "{error}");
    assert_eq!(post(&engine, "/note/on").await.expect("it goes on"), "first on");
}

#[tokio::test]
async fn a_request_with_a_key_that_has_left_its_turn_begins_once() {
    let (world, outside) = world();
    let engine = world.server(1).await;
    let keyed = || http::Request::post("/ask").header(IDEMPOTENCY_KEY_HEADER, "\"k\"");
    let asks = tokio::spawn({
        let engine = engine.clone();
        async move { text(send(&engine, "a", keyed()).await).await }
    });
    run_ready().await;
    let error = send(&engine, "a", keyed()).await.expect_err("it is under way");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unknown, "REQUEST_BEGUN"));
    outside.answers.0.add_permits(1);
    let heard = asks.await.expect("it does not panic").expect("it is answered");
    assert_eq!(heard, "asked heard");
    let again = send(&engine, "a", keyed()).await.expect("it is stored");
    assert!(again.headers().contains_key(IDEMPOTENCY_REPLAYED_HEADER));
    assert_eq!(text(Ok(again)).await.expect("it is stored"), "asked heard");
    assert_eq!(outside.reached(), 1);
}

#[tokio::test]
async fn a_request_with_a_key_whose_server_has_gone_does_not_begin_again() {
    let (world, outside) = world();
    let first = world.server(1).await;
    let keyed = || http::Request::post("/ask").header(IDEMPOTENCY_KEY_HEADER, "\"k\"");
    let asks = tokio::spawn(async move { send(&first, "a", keyed()).await });
    run_ready().await;
    asks.abort();
    world.clock.advance(LEASES_END);
    let second = world.server(2).await;
    let error = send(&second, "a", keyed()).await.expect_err("nobody knows its end");
    assert_eq!(error.code(), "REQUEST_BEGUN");
    let left = text(send(&second, "a", http::Request::get("/all")).await).await;
    assert_eq!((left.expect("it reads").as_str(), outside.reached()), ("asked", 1));
}

#[tokio::test]
async fn objects_that_have_left_their_turns_may_call_each_other_and_not_without_end() {
    let (world, _) = world();
    let engine = world.server(1).await;
    // From a to b to a to b, each of which waits for the next.
    let seen = post(&engine, "/through/b/2").await.expect("nobody has a turn meanwhile");
    assert_eq!(seen, "");
    let left = text(send(&engine, "a", http::Request::get("/all")).await).await;
    assert_eq!(left.expect("it reads"), "answered answered");
    let error = post(&engine, "/through/b/100").await.expect_err("it has an end");
    assert_eq!(error.code(), "CALL_DEPTH");
}

#[tokio::test]
async fn a_call_back_to_whoever_waits_with_its_turn_is_a_cycle() {
    let (world, _) = world();
    let engine = world.server(1).await;
    let holder = Tenant::local().object("Holder", "one").expect("a good id");
    let answer = engine.fetch(&holder, None, http::Request::new(Body::empty())).await;
    let error = text(answer).await.expect_err("it waits for itself");
    assert_eq!(error.code(), "CALL_CYCLE");
}

#[tokio::test]
async fn a_former_state_has_no_turn_to_leave() {
    let (world, _) = world();
    let engine = world.server(1).await;
    post(&engine, "/note/x").await.expect("it notes");
    let at = Some(crate::router::At::Sequence(1));
    let request = http::Request::post("/through/b/0").body(Body::empty()).expect("a request");
    let error = engine.fetch(&notes("a"), at, request).await.expect_err("it is read-only");
    assert_eq!(error.code(), "READ_ONLY");
}
