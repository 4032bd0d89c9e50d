//! `scheduler.rs`

use std::time::Duration;

use dotdo::testing::TestServer;
use serde_json::{Value, json};

use crate::programs::scheduler::{KEPT_MS, app};

async fn ran(server: &TestServer, job: &str) -> usize {
    let runs: Vec<Value> = server.get("/do/ada/runs").await.ok().json();
    runs.iter().filter(|run| run["job"] == job).count()
}

#[tokio::test]
async fn jobs_run_at_their_times_on_whatever_server_is_left() {
    let first = TestServer::start(app()).await;
    let second = first.another().await;
    let put = |job: &str, body: Value| first.put(&format!("/do/ada/jobs/{job}")).json(&body);
    put("hourly", json!({ "cron": "0 * * * *", "note": "tick" })).await.ok();
    put("once", json!({ "in_s": 60, "note": "call bob" })).await.ok();
    let jobs: Vec<Value> = put("never", json!({ "in_s": 60, "note": "x" })).await.ok().json();
    let names: Vec<&str> = jobs.iter().filter_map(|job| job["job"].as_str()).collect();
    assert_eq!(names, ["hourly", "never", "once"]);
    first.delete("/do/ada/jobs/never").await.ok();
    assert_eq!(first.delete("/do/ada/jobs/never").await.status(), 404);
    first.kill();
    second.advance(Duration::from_secs(5 * 60)).await;
    second.advance(Duration::from_secs(60 * 60)).await;
    assert_eq!((ran(&second, "once").await, ran(&second, "never").await), (1, 0));
    let hourly = ran(&second, "hourly").await;
    assert!(hourly >= 1, "{hourly}");
    second.advance(Duration::from_secs(60 * 60)).await;
    assert_eq!(ran(&second, "hourly").await, hourly + 1);
}

#[tokio::test]
async fn what_has_run_is_forgotten_by_the_alarm() {
    let server = TestServer::start(app()).await;
    let job = json!({ "in_s": 1, "note": "call bob" });
    server.put("/do/ada/jobs/once").json(&job).await.ok();
    server.advance(Duration::from_secs(60)).await;
    assert_eq!(ran(&server, "once").await, 1);
    server.advance(Duration::from_millis(KEPT_MS.unsigned_abs()) + Duration::from_secs(60)).await;
    assert_eq!(ran(&server, "once").await, 0);
}

#[tokio::test]
async fn what_is_no_time_is_refused() {
    let server = TestServer::start(app()).await;
    for bad in [json!({ "note": "x" }), json!({ "cron": "every day", "note": "x" })] {
        assert_eq!(server.put("/do/ada/jobs/x").json(&bad).await.status(), 400, "{bad}");
    }
}
