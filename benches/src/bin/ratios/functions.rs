//! How soon a function answers that was not running: from the start of its process to its first
//! answer, against a function of the platform's own library that needs no store. Both in turns,
//! each start a new process; what starts it is the same for both.

use std::time::{Duration, Instant};

use dotdo_benches::{Figure, median};
use dotdo_tests::Setup;

use crate::instance::{Instance, Platform};
use crate::world::{STORE_DELAY, SlowStore, fresh_key, measured, sibling};

const STARTS: usize = 25;
/// The path of the health check, which needs no object.
const HEALTH: &str = "/health";

/// What one store costs.
struct Starts {
    health: Vec<Duration>,
    cold: Vec<Duration>,
    warm: Vec<Duration>,
}

/// Start to first answer, with and without an object, and warm reads, on a folder and on the slow
/// store.
pub(crate) async fn starts(platform: Platform) -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a folder");
    let near = measured(&format!("file://{}", folder.path().display()));
    let store = SlowStore::start(&format!("bench-{}", platform.bare())).await;
    let far = store.setup();
    for setup in [&near, &far] {
        let mut instance = Instance::start(platform, setup).await;
        instance.get("/do/Measured/a/create").await;
        instance.end();
    }
    let bare = bare(platform).await;
    let (near, far) = (ours(platform, &near).await, ours(platform, &far).await);
    let (name, delay) = (platform.name(), STORE_DELAY.as_millis());
    let start = |what: String, times: &[Duration]| Figure {
        what: format!("{name}: start to the first answer, {what}"),
        reference: format!("its own library alone: {bare:.1} ms"),
        ours: format!("{:.1} ms", median(times)),
        ratio: Some(median(times) / bare),
    };
    let get = one_get(&store).await;
    vec![
        start("folder, no object".to_owned(), &near.health),
        start("folder, cold object".to_owned(), &near.cold),
        start(format!("{delay} ms store, no object"), &far.health),
        start(format!("{delay} ms store, cold object"), &far.cold),
        Figure {
            what: format!("{name}: a read of a warm object, {delay} ms store"),
            reference: format!("one GET: {get:.1} ms"),
            ours: format!("{:.1} ms", median(&far.warm)),
            ratio: Some(median(&far.warm) / get),
        },
    ]
}

/// Start to the first answer of a function that does nothing, in milliseconds.
async fn bare(platform: Platform) -> f64 {
    let setup = Setup::of(sibling(platform.bare()), "none");
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let mut instance = Instance::start(platform, &setup).await;
        instance.get("/").await;
        times.push(instance.started.elapsed());
        instance.end();
    }
    median(&times)
}

async fn ours(platform: Platform, setup: &Setup) -> Starts {
    let mut starts = Starts { health: Vec::new(), cold: Vec::new(), warm: Vec::new() };
    for _ in 0..STARTS {
        let mut instance = Instance::start(platform, setup).await;
        instance.get(HEALTH).await;
        starts.health.push(instance.started.elapsed());
        instance.end();
        let mut instance = Instance::start(platform, setup).await;
        instance.get("/do/Measured/a/value").await;
        starts.cold.push(instance.started.elapsed());
        let again = Instant::now();
        instance.get("/do/Measured/a/value").await;
        starts.warm.push(again.elapsed());
        instance.end();
    }
    starts
}

/// One GET of the slow store, in milliseconds.
async fn one_get(store: &SlowStore) -> f64 {
    let (bucket, key) = (store.bucket(), fresh_key(usize::MAX));
    bucket.create(&key, vec![7; 1000].into()).await.expect("the key is fresh");
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let asked = Instant::now();
        bucket.get(&key).await.expect("the store answers").expect("the key is there");
        times.push(asked.elapsed());
    }
    median(&times)
}
