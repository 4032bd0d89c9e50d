//! A full disk: what can't be written is refused at once, what is there is read, and room makes
//! everything well.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dotdo_tests::ledger::error_of;
use dotdo_tests::{Server, say, scratch};
use reqwest::{Client, StatusCode};
use tempfile::TempDir;

use crate::load::Load;
use crate::world::World;

/// Set to `mount` where no file system can be mounted, not even in a namespace of one's own: leaves
/// this scenario out.
const WITHOUT: &str = "DOTDO_TEST_WITHOUT";
/// Set for the copy of this test that may mount.
const INSIDE: &str = "DOTDO_TEST_MOUNTS";
const NAME: &str = "disk::a_full_disk_refuses_writes_and_nothing_else";
const BYTES: &str = "8m";

/// A small disk; unmounted with its handle.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn mount() -> Option<Self> {
        let folder = scratch();
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", &format!("size={BYTES}"), "dotdo-test"])
            .arg(folder.path());
        let mounted = command.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self { folder })
    }

    /// Where the server's state is; the rest of the disk is somebody else's.
    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut ballast = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.ballast())
            .expect("a file can be opened");
        // Ends with the error that is wanted: no space left.
        while std::io::Write::write_all(&mut ballast, &[7; 512]).is_ok() {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, because a server may still be ending.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).output();
    }
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    if let Some(disk) = Disk::mount() {
        tokio::runtime::Runtime::new().expect("threads").block_on(fill_and_empty(&disk));
    } else if std::env::var(WITHOUT).is_ok_and(|what| what == "mount") {
        say("left out, as DOTDO_TEST_WITHOUT=mount says: a full disk");
    } else {
        assert!(std::env::var_os(INSIDE).is_none(), "a namespace of one's own lets mount");
        let this = std::env::current_exe().expect("a running program has a path");
        let status = run_in_namespace(&this);
        assert!(
            status,
            "a small disk can't be mounted here (root or unshare(1) can); DOTDO_TEST_WITHOUT=mount leaves this test out"
        );
    }
}

/// Runs this very test where an ordinary user may mount.
fn run_in_namespace(this: &Path) -> bool {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount"])
        .arg(this)
        .args(["--exact", NAME])
        .env(INSIDE, "1");
    command.status().is_ok_and(|status| status.success())
}

async fn fill_and_empty(disk: &Disk) {
    let world = World::at(&disk.state());
    // A commit that went on trying until this is over would be seen: the test would not end.
    let setup = world.setup().env("DOTDO_COMMIT_DEADLINE_MS", "300000");
    let server = setup.start().await;
    let (http, load) = (Client::new(), Load::new((0..3).map(|number| format!("full-{number}"))));
    work(&load, &server).await;

    disk.fill();
    for _ in 0..3 {
        let refused = http
            .post(server.url("/do/full-0/append?client=100&n=1&bytes=65536"))
            .send()
            .await
            .expect("the server answers");
        assert!(refused.headers().contains_key("retry-after"), "{refused:?}");
        let (status, code, message) = error_of(refused).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "STORE_DENIED"),
            "{message}"
        );
        assert!(message.contains("No space left on device"), "{message}");
        for object in load.objects() {
            let read = http
                .get(server.url(&format!("/do/{object}/count")))
                .send()
                .await
                .expect("the server answers");
            assert_eq!(
                read.status(),
                StatusCode::OK,
                "reads go on: {}",
                read.text().await.unwrap_or_default()
            );
        }
    }

    disk.make_room();
    work(&load, &server).await;
    load.check(&server).await;
    server.kill9();
    load.check(&setup.start().await).await;
}

/// Lets the load do something.
async fn work(load: &Arc<Load>, server: &Server) {
    let running = load.start(&[server]);
    load.goes_on(50).await;
    running.stop().await;
}
