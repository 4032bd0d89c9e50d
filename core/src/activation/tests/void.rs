//! Panics and failures at every step: memory never shows what the log does not have, and nobody
//! waits for what has ended.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;

/// Panics after one of the next pieces of work that it is given.
#[derive(Default)]
struct Fuse(AtomicUsize);

impl Fuse {
    /// After the `count`th piece from now; 0: never.
    fn set(&self, count: usize) {
        self.0.store(count, Ordering::SeqCst);
    }
}

impl Executor for Fuse {
    fn run(&self, work: &mut dyn FnMut()) {
        work();
        let left = self.0.load(Ordering::SeqCst);
        self.set(left.saturating_sub(1));
        assert_ne!(left, 1, "the fuse burns through");
    }
}

/// Whatever step of a request panics, what the server shows afterwards is what others read in the
/// log.
async fn nothing_shows_that_is_not_in_the_log(ownership: Ownership) {
    let world = World::new();
    let fuse = Arc::new(Fuse::default());
    let settings = Settings { ownership, ..Settings::default() };
    let components = Components { executor: fuse.clone(), ..world.components(1) };
    let engine = world.server_of(components, settings).await;
    get(&engine, "/add").await.expect("it counts");
    run_ready().await;
    let mut panics = 0;
    for step in 1..=8 {
        fuse.set(step);
        let asked = tokio::spawn({
            let engine = engine.clone();
            async move { get(&engine, "/add").await }
        });
        let answer = asked.await;
        panics += usize::from(!matches!(answer, Ok(Ok(_))));
        fuse.set(0);
        run_ready().await;
        let shown = get(&engine, "/get").await.expect("the object lives");
        let logged = get(&world.function(100 + step as u128).await, "/get")
            .await
            .expect("it is read from the log");
        assert_eq!(shown, logged, "after a panic at step {step}");
        assert_eq!(
            get(&engine, "/add").await.expect("it counts on"),
            (shown.parse::<u64>().expect("a number") + 1).to_string()
        );
        run_ready().await;
    }
    assert!(panics > 1, "only {panics} requests panicked");
}

#[tokio::test]
async fn a_panic_at_any_step_of_a_request_leaves_no_memory_that_the_log_does_not_have() {
    nothing_shows_that_is_not_in_the_log(Ownership::Leased).await;
}

#[tokio::test]
async fn a_panic_at_any_step_of_a_batch_leaves_no_memory_that_the_log_does_not_have() {
    nothing_shows_that_is_not_in_the_log(Ownership::PerRequest).await;
}

#[tokio::test]
async fn a_committer_that_panics_lets_everybody_go_and_the_object_goes_on() {
    let world = World::new();
    let engine = world.server(1).await;
    get(&engine, "/add").await.expect("it counts");
    let mut first = true;
    world
        .bucket
        .before_commits(move |_| assert!(!std::mem::replace(&mut first, false), "on purpose"));
    assert_eq!(kind(get(&engine, "/add").await), ErrorKind::Unknown);
    assert_eq!(get(&engine, "/add").await.expect("it counts on"), "2");
}

#[tokio::test]
async fn a_database_that_can_not_begin_is_restored_by_the_next_request() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::new();
        let engine = world.server_with(1, Settings { ownership, ..Settings::default() }).await;
        get(&engine, "/add").await.expect("it counts");
        assert_eq!(kind(get(&engine, "/break").await), ErrorKind::Internal);
        assert_eq!(get(&engine, "/add").await.expect("it is restored"), "2");
    }
}

/// Writes; `/wait` writes, and answers when the test lets it.
struct Waiter(Arc<Notify>);

impl DurableObject for Waiter {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match request.uri().path() {
            "/get" => return Ok(Response::new(Body::from("read"))),
            "/wait" => self.0.notified().await,
            _ => {}
        }
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS n (value INTEGER)", ())?;
        ctx.sql().exec("INSERT INTO n VALUES (1)", ())?;
        Ok(Response::new(Body::from("written")))
    }
}

/// A handler runs while the record that renews the lease of its object is under way; `fail` lets
/// that record fail. Returns what the handler's request is answered with, and what a write after it
/// is.
async fn while_a_record_fails(
    commit_deadline: Duration,
    fail: impl AsyncFnOnce(&World),
) -> (Error, Result<String>) {
    let answers = Arc::new(Notify::new());
    let waiter = answers.clone();
    let world = World::of(App::new().class("Counter", move || Waiter(waiter.clone())));
    let slow = Arc::new(SlowBucket::around(world.bucket.clone(), world.clock.clone()));
    let components =
        Components { buckets: Arc::new(SharedBucket(slow.clone())), ..world.components(1) };
    let settings = Settings { commit_deadline, ..Settings::default() };
    let engine = world.server_of(components, settings).await;
    get(&engine, "/add").await.expect("it is written");
    world.clock.advance(Settings::default().lease_duration / 2 + Duration::from_millis(1));
    slow.hold(|operation, key| operation == Operation::Create && key.as_str().contains("/log/"));
    get(&engine, "/get").await.expect("the lease holds, and is renewed in the background");
    slow.held().await;
    let asked = tokio::spawn({
        let engine = engine.clone();
        async move { get(&engine, "/wait").await }
    });
    run_ready().await;
    fail(&world).await;
    slow.release();
    run_ready().await;
    answers.notify_one();
    let error = asked.await.expect("no panic").expect_err("its memory is void");
    (error, world.drive(get(&engine, "/add")).await)
}

#[tokio::test]
async fn a_request_on_memory_that_an_outage_made_void_is_told_of_the_store() {
    let deadline = Duration::from_secs(2);
    let (error, then) = while_a_record_fails(deadline, async |world| {
        world.bucket.fail_next_commits([Fault::NotApplied]);
        world.clock.advance(deadline);
    })
    .await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unavailable, "STORE_UNAVAILABLE"));
    assert!(error.retry_after().is_some(), "{error}");
    assert_eq!(then.expect("it was rolled back, and the store is back"), "written");
}

#[tokio::test]
async fn a_request_on_memory_that_another_server_made_void_is_fenced() {
    let (error, _) = while_a_record_fails(LEASES_END, async |world| {
        let other = world.server(2).await;
        world.drive(get(&other, "/add")).await.expect("the lease ends");
    })
    .await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Fenced, "FENCED"));
}
