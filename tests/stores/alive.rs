//! Servers that share a folder: what they see of each other, alive and dead.

use std::process::Command;
use std::sync::Arc;

use dotdo::engine::{OsRandom, SystemClock};
use dotdo_core::{Bucket, Key, StoreConfig, open};
use dotdo_tests::{Deadline, Process, scratch, unique};
use uuid::Uuid;

/// Set for a copy of this test binary that is to be killed: the folder and its name there.
const VICTIM: &str = "DOTDO_TEST_VICTIM";

fn open_as(folder: &str, instance: Uuid) -> Arc<dyn Bucket> {
    let config = StoreConfig::Folder { path: folder.into() };
    open(&config, instance, Arc::new(SystemClock::new()), Arc::new(OsRandom))
        .expect("a folder can be opened")
}

#[tokio::test]
async fn two_servers_on_one_folder_see_each_others_objects_and_lives() {
    let folder = scratch();
    let folder = folder.path().to_str().expect("a plain path");
    let (one, two) = (unique(), unique());
    let (first, second) = (open_as(folder, one), open_as(folder, two));
    first.create(&Key::new("a"), bytes::Bytes::new()).await.expect("a fresh key");
    assert!(second.get(&Key::new("a")).await.expect("it answers").is_some());
    assert!(!second.is_gone(one) && !first.is_gone(two), "both live");
    drop(first);
    assert!(!second.is_gone(one), "an orderly end leaves no proof, and needs none");
}

#[tokio::test]
async fn a_victim_waits_for_its_end() {
    if let Ok(place) = std::env::var(VICTIM) {
        let (folder, instance) = place.split_once('*').expect("both are given");
        let bucket = open_as(folder, instance.parse().expect("a name"));
        bucket.create(&Key::new("a"), bytes::Bytes::new()).await.expect("a fresh key");
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_killed_server_is_known_to_be_gone() {
    let folder = scratch();
    let folder = folder.path().to_str().expect("a plain path");
    let (one, two) = (unique(), unique());
    let mut command = Command::new(std::env::current_exe().expect("a running program has a path"));
    command
        .args(["--exact", "alive::a_victim_waits_for_its_end"])
        .env(VICTIM, format!("{folder}*{one}"));
    let victim = Process::start(&mut command);
    let bucket = open_as(folder, two);
    let key = Key::new("a");
    let wrote = || async { bucket.get(&key).await.expect("it answers") };
    Deadline::in_seconds(60).until(wrote).await.expect("the victim writes");
    assert!(!bucket.is_gone(one), "it lives");
    victim.kill9();
    assert!(bucket.is_gone(one));
    let later = open_as(folder, unique());
    assert!(later.is_gone(one), "the proof outlives another server's start");
}
