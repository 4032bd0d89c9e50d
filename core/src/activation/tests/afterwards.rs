//! What handlers leave to be done after their commit: when it is done, and what becomes of it when
//! it panics, takes long, or its record is lost.

use std::sync::{Mutex, mpsc};

use super::*;
use crate::object::ListOptions;

/// What was done, and what the slow piece waits for.
#[derive(Default)]
struct Done {
    seen: Mutex<Vec<String>>,
    slow: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Done {
    fn saw(&self, what: String) {
        self.seen.lock().expect("no panics").push(what);
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no panics").clone()
    }
}

/// Leaves work that says what its request saw.
struct Leaver(Arc<Done>);

impl DurableObject for Leaver {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let path = request.uri().path().to_owned();
        if path != "/read" {
            ctx.storage().put(&path, &true)?;
        }
        let rows = ctx.storage().list::<bool>(&ListOptions::default())?.len();
        let (done, says) = (self.0.clone(), format!("{path} {rows}"));
        ctx.after_commit(move || {
            if path == "/slow" {
                let until = done.slow.lock().expect("no panics").take().expect("it is slow once");
                until.recv().expect("the test says when");
            }
            assert_ne!(path, "/panic", "on purpose");
            done.saw(says);
        });
        Ok(Response::new(rows.to_string().into()))
    }
}

fn world(done: &Arc<Done>) -> World {
    let done = done.clone();
    World::of(App::new().class("Counter", move || Leaver(done.clone())))
}

#[tokio::test]
async fn what_a_read_leaves_to_be_done_waits_for_the_records_that_it_could_have_seen() {
    let done = Arc::new(Done::default());
    let world = world(&done);
    let slow = Arc::new(SlowBucket::around(world.bucket.clone(), world.clock.clone()));
    slow.hold(Operation::is_commit);
    let components =
        Components { buckets: Arc::new(SharedBucket(slow.clone())), ..world.components(1) };
    let engine = world.server_of(components, Settings::default()).await;
    let ask = |path| {
        let engine = engine.clone();
        tokio::spawn(async move { get(&engine, path).await })
    };
    let (write, read) = (ask("/a"), ask("/read"));
    slow.held().await;
    run_ready().await;
    assert_eq!(done.seen(), [""; 0], "nothing is in the bucket");
    slow.release();
    assert_eq!(write.await.expect("no panic").expect("it is written"), "1");
    assert_eq!(read.await.expect("no panic").expect("it is read"), "1");
    run_ready().await;
    assert_eq!(done.seen(), ["/a 1", "/read 1"]);
}

#[tokio::test]
async fn what_a_read_leaves_to_be_done_is_not_done_when_what_it_saw_is_lost() {
    let done = Arc::new(Done::default());
    let world = world(&done);
    let engine = world.server(1).await;
    world.bucket.slowness().give_way(Operation::is_commit);
    world.bucket.fail_next_commits([Fault::Refused]);
    let answers = join_all([get(&engine, "/a"), get(&engine, "/read")]).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    run_ready().await;
    assert_eq!(done.seen(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_after_a_commit_that_panics_or_takes_long_holds_up_nobody_and_keeps_its_order() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let done = Arc::new(Done::default());
        let (go_on, until) = mpsc::channel();
        *done.slow.lock().expect("no panics") = Some(until);
        let world = world(&done);
        let engine = world.server_with(1, Settings { ownership, ..Settings::default() }).await;
        for (path, expected) in [("/panic", "1"), ("/slow", "2"), ("/b", "3"), ("/c", "4")] {
            assert_eq!(get(&engine, path).await.expect("it is answered"), expected);
        }
        assert_eq!(done.seen(), [""; 0], "it waits for its turn");
        go_on.send(()).expect("it waits");
        engine.finish_background().await;
        assert_eq!(done.seen(), ["/slow 2", "/b 3", "/c 4"]);
    }
}
