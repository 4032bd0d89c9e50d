//! What an idle object weighs.

use dotdo_benches::{Client, Figure};

use crate::world::{address, measured};

const OBJECTS: usize = 10_000;
const TARGET_BYTES: f64 = 65_536.0;

/// Resident memory for each of many objects with two tables and one row, after they have been
/// written and snapshotted.
pub(crate) async fn idle() -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let server = measured(&format!("file://{}", folder.path().display())).start().await;
    let address = address(&server);
    let mut client = Client::connect(&address).await;
    for number in 0..100 {
        client.get(&format!("/do/Measured/warm-up-{number}/create")).await;
    }
    let before = resident_bytes(server.pid());
    let workers = (0..8).map(|worker| {
        let address = address.clone();
        tokio::spawn(async move {
            let mut client = Client::connect(&address).await;
            for number in (worker..OBJECTS).step_by(8) {
                client.get(&format!("/do/Measured/{number}/create")).await;
            }
        })
    });
    futures_util::future::join_all(workers).await;
    quiet(&mut client).await;
    let each = (resident_bytes(server.pid()) - before) / OBJECTS as f64;
    Figure {
        what: format!("memory of an idle object, of {OBJECTS}, all included"),
        reference: format!("target: {TARGET_BYTES:.0} bytes"),
        ours: format!("{each:.0} bytes"),
        ratio: Some(each / TARGET_BYTES),
    }
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
