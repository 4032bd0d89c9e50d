//! Warm reads against the same answer from hyper alone.

use std::process::Command;
use std::time::Duration;

use dotdo_benches::{Client, Figure};
use dotdo_tests::Process;

use crate::world::{address, measured, sibling};

const CONNECTIONS: usize = 32;
const TIME: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;

/// Reads a second of one warm object against bare hyper, in turns; the best round of each.
pub(crate) async fn warm() -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let server = measured(&format!("file://{}", folder.path().display())).start().await;
    let ours_at = address(&server);
    Client::connect(&ours_at).await.get("/do/Measured/a/create").await;
    let bare_at = free_address();
    let _bare = Process::start(Command::new(sibling("bare")).arg(&bare_at));
    while tokio::net::TcpStream::connect(&bare_at).await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (mut ours, mut bare) = (0_f64, 0_f64);
    for _ in 0..ROUNDS {
        bare = bare.max(Client::rate(&bare_at, "/", CONNECTIONS, TIME).await);
        ours = ours.max(Client::rate(&ours_at, "/do/Measured/a/value", CONNECTIONS, TIME).await);
    }
    Figure {
        what: format!("warm reads a second of one object, {CONNECTIONS} connections"),
        reference: format!("bare hyper: {bare:.0}/s"),
        ours: format!("{ours:.0}/s"),
        ratio: Some(ours / bare),
    }
}

/// An address that was free a moment ago.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound listener has an address").to_string()
}
