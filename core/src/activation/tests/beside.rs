//! Work on many bytes is done on the executor.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::limits::COMPUTE_BYTES_INLINE_MAX;

/// Counts the pieces of work that it is given.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Executor for Counting {
    fn run(&self, work: &mut dyn FnMut()) {
        self.0.fetch_add(1, Ordering::SeqCst);
        work();
    }
}

impl Counting {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// Makes a table with as many columns as the path says, each with a long name.
struct Wide;

impl DurableObject for Wide {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let columns: usize = request.uri().path()[1..].parse().unwrap_or_default();
        if columns > 0 {
            let names: Vec<_> = (0..columns).map(|n| format!("{}_{n}", "c".repeat(500))).collect();
            let table = format!("CREATE TABLE IF NOT EXISTS wide ({})", names.join(", "));
            ctx.sql().exec(&table, ())?;
        }
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS n (value)", ())?;
        ctx.sql().exec("INSERT INTO n VALUES (1)", ())?;
        Ok(Response::new(request.into_body()))
    }
}

async fn post(engine: &Engine, id: &str, path: &str, body: Vec<u8>) -> Result<Response> {
    let object = Tenant::local().object("Wide", id)?;
    let key = format!("{id}{path}");
    let request = http::Request::post(path).header("Idempotency-Key", key).body(body.into())?;
    engine.fetch(&object, None, request).await
}

#[tokio::test]
async fn long_bodies_with_a_key_are_hashed_there() {
    let world = World::of(App::new().class("Wide", || Wide));
    let executor = Arc::new(Counting::default());
    let components = Components { executor: executor.clone(), ..world.components(1) };
    let engine = world.server_of(components, Settings::default()).await;
    let mut pieces = Vec::new();
    for (id, bytes) in [("small", 10), ("large", COMPUTE_BYTES_INLINE_MAX + 1)] {
        post(&engine, id, "/1", vec![0; 10]).await.expect("a first request");
        engine.finish_background().await;
        executor.take();
        let object = Tenant::local().object("Wide", id).expect("a good id");
        let request = http::Request::post("/0")
            .header("Idempotency-Key", "k")
            .body(vec![7; bytes].into())
            .expect("a request");
        crate::idempotency::prepare(engine.runtime(), &object, request)
            .await
            .expect("it has a key");
        pieces.push(executor.take());
    }
    assert_eq!(pieces, [0, 1]);
}

#[tokio::test]
async fn long_descriptions_of_snapshots_are_read_there() {
    let world = World::of(App::new().class("Wide", || Wide));
    let mut pieces = Vec::new();
    for (instance, id, path) in [(1, "small", "/1"), (3, "large", "/1000")] {
        let engine = world.server(instance).await;
        for path in [path, "/0"] {
            post(&engine, id, path, Vec::new()).await.expect("it writes");
        }
        engine.shutdown(Duration::from_secs(60)).await;
        let executor = Arc::new(Counting::default());
        let components =
            Components { executor: executor.clone(), ..world.components(instance + 1) };
        let next = world.server_of(components, Settings::default()).await;
        executor.take();
        post(&next, id, "/0", Vec::new()).await.expect("it is restored");
        pieces.push(executor.take());
    }
    assert_eq!(pieces[1], pieces[0] + 1, "the description of the large one");
}
