//! From the start of the process to its first answer.

use std::time::{Duration, Instant};

use dotdo_benches::{Client, Figure, median};

use crate::world::{address, measured};

const STARTS: usize = 15;
const TARGET_MS: f64 = 20.0;

/// Start to the first answer of `/health`, on a folder that has been probed before.
pub(crate) async fn listening() -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = measured(&format!("file://{}", folder.path().display()));
    setup.start().await.terminate();
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let server = setup.start_listening().await;
        Client::connect(&address(&server)).await.get("/health").await;
        times.push(started.elapsed());
        server.terminate();
    }
    let ours = median(&times);
    Figure {
        what: "start of the process to the first answer".to_owned(),
        reference: format!("target: {TARGET_MS} ms"),
        ours: format!("{ours:.1} ms"),
        ratio: Some(ours / TARGET_MS),
    }
}
