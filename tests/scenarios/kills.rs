//! `kill -9` at any moment, under load, again and again.

use dotdo_core::Bucket;
use dotdo_tests::{Chance, Deadline, say};

use crate::load::Load;
use crate::world::{PATIENCE_SECONDS, World, snapshots};

/// Sets how many kills there are on each store.
const KILLS: &str = "DOTDO_TEST_KILLS";
/// How many there are otherwise.
const KILLS_USUAL: u64 = 200;
/// And where the log is in a database: the way of a record differs, not what a kill does to it.
const KILLS_ON_A_DATABASE: u64 = 40;
/// The same ledgers live through this many kills, then new ones begin, so that the last kill costs
/// what the first did.
const KILLS_A_LEDGER: u64 = 20;
/// The kill comes within this time, in milliseconds, of what it waits for.
const WITHIN_MS: u64 = 250;
/// After this many snapshots that were not seen half-written, the kill comes all the same.
const SNAPSHOTS_MISSED: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_on_a_folder_lose_nothing() {
    survive(&World::folder(), kills(KILLS_USUAL)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_on_s3_lose_nothing() {
    survive(&World::seaweed(), kills(KILLS_USUAL)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_with_the_log_in_a_database_lose_nothing() {
    survive(&World::libsql(), kills(KILLS_ON_A_DATABASE)).await;
}

fn kills(usual: u64) -> u64 {
    std::env::var(KILLS).map_or(usual, |text| text.parse().expect("DOTDO_TEST_KILLS is a number"))
}

async fn survive(world: &World, kills: u64) {
    let (chance, bucket) = (Chance::new(), world.bucket());
    let setup = world.setup().env("DOTDO_LEASE_DURATION_MS", "200");
    let (mut given_up, mut acknowledged) = (0, 0);
    for first in (0..kills).step_by(usize::try_from(KILLS_A_LEDGER).expect("a small number")) {
        let load = Load::new((0..4).map(|number| format!("ledger-{first}-{number}")));
        for kill in first..kills.min(first + KILLS_A_LEDGER) {
            let server = setup.start_listening().await;
            let running = load.start(&[&server]);
            match kill % 4 {
                0 => until_a_snapshot_is_half_written(bucket.as_ref(), &load).await,
                // While it starts and takes over.
                1 => tokio::time::sleep(chance.millis(0, WITHIN_MS)).await,
                _ => {
                    load.goes_on(1).await;
                    tokio::time::sleep(chance.millis(0, WITHIN_MS)).await;
                }
            }
            server.kill9();
            running.stop().await;
        }
        let server = setup.start_listening().await;
        load.check(&server).await;
        acknowledged += load.acknowledged() as u64;
        server.kill9();
        for object in load.objects() {
            given_up += snapshots(bucket.as_ref(), object).await.1;
        }
    }
    say(&format!(
        "{kills} kills, {acknowledged} acknowledged entries, {given_up} snapshots given up half-way"
    ));
    // Three kills of four wait for an entry.
    assert!(acknowledged >= kills.div_ceil(2), "the load does something between the kills");
    assert!(given_up > 0, "some kill comes in the middle of a snapshot");
}

/// Watches one ledger until there is a snapshot whose files are there without its description;
/// gives up after some that were complete at once, because the moment is short.
async fn until_a_snapshot_is_half_written(bucket: &dyn Bucket, load: &Load) {
    load.goes_on(1).await;
    let (object, deadline) = (&load.objects()[0], Deadline::in_seconds(PATIENCE_SECONDS));
    let (complete, given_up) = snapshots(bucket, object).await;
    loop {
        let now = snapshots(bucket, object).await;
        if now.1 > given_up || now.0.len() >= complete.len() + SNAPSHOTS_MISSED {
            return;
        }
        assert!(!deadline.is_over(), "a busy ledger gets snapshots");
    }
}
