//! A class in JavaScript beside the same class in Rust.

use std::time::{Duration, Instant};

use dotdo_benches::{Client, Figure, median};
use dotdo_tests::Setup;

use crate::memory::weigh;
use crate::world::{address, measured, sibling};

const STARTS: usize = 15;
/// What a start may take longer than the same program in Rust.
const START_TARGET_MS: f64 = 15.0;
const OBJECTS: usize = 1_000;
/// What an object may weigh more than the same in Rust.
const MEMORY_TARGET_BYTES: f64 = 8_192.0;
const CONNECTIONS: usize = 32;
const TIME: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;

fn in_javascript(storage: &str) -> Setup {
    Setup::of(sibling("measured_js"), storage)
}

fn of_rust(object: &str, path: &str) -> String {
    format!("/do/Measured/{object}/{path}")
}

fn of_javascript(object: &str, path: &str) -> String {
    format!("/{object}/{path}")
}

/// From the start of the process to the answer of an object that was written before.
pub(crate) async fn starts() -> Figure {
    let (rust, javascript) =
        (first_answer(measured, of_rust), first_answer(in_javascript, of_javascript));
    let (rust, javascript) = (rust.await, javascript.await);
    Figure {
        what: "start of the process to the first answer of an object in JavaScript, folder"
            .to_owned(),
        reference: format!("in Rust: {rust:.1} ms; target: {START_TARGET_MS} ms more"),
        ours: format!("{javascript:.1} ms"),
        ratio: Some((javascript - rust) / START_TARGET_MS),
    }
}

async fn first_answer(program: impl Fn(&str) -> Setup, path: impl Fn(&str, &str) -> String) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = program(&format!("file://{}", folder.path().display()));
    let server = setup.start().await;
    Client::connect(&address(&server)).await.get(&path("a", "create")).await;
    server.terminate();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let server = setup.start_listening().await;
        let value = Client::connect(&address(&server)).await.get(&path("a", "value")).await;
        times.push(started.elapsed());
        assert_eq!(value, "0");
        server.terminate();
    }
    median(&times)
}

/// Warm reads a second of one object, in turns; the best round of each.
pub(crate) async fn reads() -> Figure {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let [of_ours, of_theirs] = &folders;
    let storage = |folder: &tempfile::TempDir| format!("file://{}", folder.path().display());
    let in_rust = measured(&storage(of_theirs)).start().await;
    let in_js = in_javascript(&storage(of_ours)).start().await;
    let (rust, javascript) = (address(&in_rust), address(&in_js));
    Client::connect(&rust).await.get(&of_rust("a", "create")).await;
    Client::connect(&javascript).await.get(&of_javascript("a", "create")).await;
    let (mut theirs, mut ours) = (0_f64, 0_f64);
    for _ in 0..ROUNDS {
        theirs = theirs.max(Client::rate(&rust, &of_rust("a", "value"), CONNECTIONS, TIME).await);
        let path = of_javascript("a", "value");
        ours = ours.max(Client::rate(&javascript, &path, CONNECTIONS, TIME).await);
    }
    Figure {
        what: format!(
            "warm reads a second of one object in JavaScript through its worker, {CONNECTIONS} connections"
        ),
        reference: format!("in Rust: {theirs:.0}/s"),
        ours: format!("{ours:.0}/s"),
        ratio: Some(ours / theirs),
    }
}

/// What an object weighs more than in Rust.
pub(crate) async fn memory() -> Figure {
    let rust = weigh(&measured, OBJECTS, &|object| of_rust(object, "create")).await;
    let javascript =
        weigh(&in_javascript, OBJECTS, &|object| of_javascript(object, "create")).await;
    Figure {
        what: format!("memory of an idle object in JavaScript, of {OBJECTS}"),
        reference: format!("in Rust: {rust:.0} bytes; target: {MEMORY_TARGET_BYTES:.0} bytes more"),
        ours: format!("{javascript:.0} bytes"),
        ratio: Some((javascript - rust) / MEMORY_TARGET_BYTES),
    }
}
