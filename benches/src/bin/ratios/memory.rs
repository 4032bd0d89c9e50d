//! What an idle object weighs.

use dotdo_benches::{Client, Figure};
use dotdo_tests::Setup;

use crate::world::{address, measured};

const OBJECTS: usize = 10_000;
const TARGET_BYTES: f64 = 65_536.0;

/// Resident memory for each of many objects with two tables and one row, after they have been
/// written and snapshotted.
pub(crate) async fn idle() -> Figure {
    let each = weigh(&measured, OBJECTS, &|object| format!("/do/Measured/{object}/create")).await;
    Figure {
        what: format!("memory of an idle object, of {OBJECTS}, all included"),
        reference: format!("target: {TARGET_BYTES:.0} bytes"),
        ours: format!("{each:.0} bytes"),
        ratio: Some(each / TARGET_BYTES),
    }
}

/// What each of `objects` weighs in a server of `program` on a folder, after a request to the path
/// of each has made it.
pub(crate) async fn weigh(
    program: &dyn Fn(&str) -> Setup,
    objects: usize,
    path: &dyn Fn(&str) -> String,
) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let server = program(&format!("file://{}", folder.path().display())).start().await;
    let address = address(&server);
    let mut client = Client::connect(&address).await;
    for number in 0..100 {
        client.get(&path(&format!("warm-up-{number}"))).await;
    }
    let before = resident_bytes(server.pid());
    let workers = (0..8).map(|worker| {
        let address = address.clone();
        async move {
            let mut client = Client::connect(&address).await;
            for number in (worker..objects).step_by(8) {
                client.get(&path(&number.to_string())).await;
            }
        }
    });
    futures_util::future::join_all(workers).await;
    quiet(&mut client).await;
    (resident_bytes(server.pid()) - before) / objects as f64
}

/// Waits until no more snapshots are being written.
async fn quiet(client: &mut Client) {
    let mut last = String::new();
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let metrics = client.get("/metrics").await;
        let now = metrics
            .lines()
            .find(|line| line.starts_with("dotdo_snapshots_total"))
            .unwrap_or_default()
            .to_owned();
        if now == last {
            return;
        }
        last = now;
    }
}

/// `VmRSS` of a process.
pub(crate) fn resident_bytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux tells");
    let line =
        status.lines().find(|line| line.starts_with("VmRSS:")).expect("there is such a line");
    let kilobytes: f64 =
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number");
    kilobytes * 1024.0
}
