//! Objects that wake up by themselves, on servers that are killed.

use dotdo_core::Bucket;
use dotdo_tests::{Chance, Cli, Deadline, Server};
use reqwest::{Client, StatusCode};

use crate::world::{PATIENCE_SECONDS, World, insist, newest_record};

/// How often a server is killed.
const KILLS: usize = 5;
/// Jobs of a planner, and the time over which they are spread.
const JOBS: usize = 40;
const WITHIN_MS: u64 = 2000;
/// Records that show that the alarms go on: more than one that takes the object over.
const RECORDS: u64 = 4;

/// Waits until the ledger has more records. Nobody asks for it, which would open it.
async fn goes_on(bucket: &dyn Bucket, server: &Server) {
    let before = newest_record(bucket, "awake").await;
    let grown =
        || async { (newest_record(bucket, "awake").await >= before + RECORDS).then_some(()) };
    let grown = Deadline::in_seconds(PATIENCE_SECONDS).until(grown).await;
    grown.unwrap_or_else(|| panic!("no alarm runs after record {before}:\n{}", server.stderr()));
}

/// Each alarm took one entry, whoever was killed meanwhile.
async fn each_took_effect_once(server: &Server) {
    let all = insist(server, &Client::new(), "/do/awake/all").await;
    let all: serde_json::Value = all.json().await.expect("JSON");
    let entries = all["entries"].as_array().expect("a list");
    assert!(entries.len() >= KILLS, "{all}");
    for (index, entry) in entries.iter().enumerate() {
        assert_eq!(*entry, serde_json::json!([index + 1, 0, index + 1]), "{all}");
    }
}

async fn wake(server: &Server) {
    let woken = Client::new().post(server.url("/do/awake/wake")).send().await;
    assert_eq!(woken.expect("the server answers").status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_go_on_after_a_kill_when_the_server_starts_again() {
    let (world, chance) = (World::folder(), Chance::new());
    let (setup, bucket) = (world.setup(), world.bucket());
    let mut server = setup.start().await;
    wake(&server).await;
    for _ in 0..KILLS {
        goes_on(bucket.as_ref(), &server).await;
        tokio::time::sleep(chance.millis(0, 100)).await;
        server.kill9();
        server = setup.start().await;
    }
    goes_on(bucket.as_ref(), &server).await;
    each_took_effect_once(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_of_a_killed_server_are_run_by_another() {
    let world = World::seaweed();
    // An owner that is gone may have been running a handler.
    let setup = world.setup().env("DOTDO_HANDLER_TIME_MAX_MS", "1000");
    let (first, second) = (setup.start().await, setup.start().await);
    wake(&first).await;
    goes_on(world.bucket().as_ref(), &first).await;
    first.kill9();
    goes_on(world.bucket().as_ref(), &second).await;
    each_took_effect_once(&second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_schedule_has_its_effect_once_whoever_is_killed_meanwhile() {
    let (world, chance) = (World::folder(), Chance::new());
    let mut server = world.setup().start().await;
    let plan = format!("/do/Planner/busy/plan?jobs={JOBS}&within_ms={WITHIN_MS}");
    let planned = Client::new().post(server.url(&plan)).send().await.expect("the server answers");
    assert_eq!(planned.status(), StatusCode::OK);
    for _ in 0..KILLS {
        tokio::time::sleep(chance.millis(0, 300)).await;
        server.kill9();
        server = world.setup().start().await;
    }
    let each_once: Vec<(usize, u64)> = (0..JOBS).map(|job| (job, 1)).collect();
    let all_ran = || async {
        let ran = insist(&server, &Client::new(), "/do/Planner/busy/ran").await;
        let ran: Vec<(usize, u64)> = ran.json().await.expect("JSON");
        assert!(ran.iter().all(|(_, times)| *times == 1), "{ran:?}");
        (ran == each_once).then_some(())
    };
    let all_ran = Deadline::in_seconds(PATIENCE_SECONDS).until(all_ran).await;
    all_ran.unwrap_or_else(|| panic!("some jobs never run:\n{}", server.stderr()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_tells_which_schedule_runs_next() {
    let (world, cli) = (World::folder(), Cli::new());
    let server = world.setup().start().await;
    // Two hours, of which the second half is left to the second of two jobs.
    let plan = server.url("/do/Planner/patient/plan?jobs=2&within_ms=7200000");
    let planned = Client::new().post(plan).send().await.expect("the server answers");
    assert_eq!(planned.status(), StatusCode::OK);
    insist(&server, &Client::new(), "/do/Planner/patient/ran").await;
    let url = server.url("");
    let told = || async {
        let arguments = ["inspect", "Planner/patient", "--server", &url];
        let told = cli.run(&arguments).await.ok();
        told.lines().any(|line| line.contains("schedules  1, the next job-1 ")).then_some(())
    };
    let told = Deadline::in_seconds(PATIENCE_SECONDS).until(told).await;
    told.unwrap_or_else(|| panic!("nobody tells of job-1:\n{}", server.stderr()));
}
