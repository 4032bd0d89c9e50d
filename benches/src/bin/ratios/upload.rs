//! What one changed row costs in uploads when the table has a million.

use std::collections::BTreeMap;
use std::path::Path;

use dotdo_benches::{Client, Figure};

use crate::world::{address, measured};

const ROWS: i64 = 1_000_000;
const TARGET_BYTES: u64 = 64 << 10;

/// Bytes that are new in the bucket after one row of a million was changed and a snapshot was
/// taken.
pub(crate) async fn one_row() -> Figure {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = measured(&format!("file://{}", folder.path().display()));
    let server = setup.start().await;
    let mut client = Client::connect(&address(&server)).await;
    client.get("/do/Measured/big/create").await;
    client.get(&format!("/do/Measured/big/fill?{ROWS}")).await;
    server.terminate();
    let before = files(folder.path());
    let server = setup.start().await;
    Client::connect(&address(&server)).await.get("/do/Measured/big/touch?500000").await;
    server.terminate();
    let after = files(folder.path());
    let uploaded: u64 = after
        .iter()
        .filter(|(path, size)| before.get(*path) != Some(size) || path.ends_with("latest"))
        .map(|(_, size)| size)
        .sum();
    Figure {
        what: format!("bytes uploaded for one changed row of {ROWS}: record, snapshot, hints"),
        reference: format!("target: {TARGET_BYTES} bytes"),
        ours: format!("{uploaded} bytes"),
        ratio: Some(uploaded as f64 / TARGET_BYTES as f64),
    }
}

/// Every file below `folder` with its size.
fn files(folder: &Path) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let metadata = entry.metadata().expect("a file");
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path().display().to_string(), metadata.len());
            }
        }
    }
    found
}
