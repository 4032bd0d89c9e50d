//! Alarms whose server crashes at the worst moments.

use proptest::prelude::*;

use super::*;
use crate::planted::{Bug, plant};
use crate::store::Key;
use crate::testing::Fault;

#[tokio::test]
async fn the_marker_is_there_before_the_record_and_goes_when_there_is_none() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/touch").await;
        server.crash_at("/bell/a/log/");
        let (engine, object) = (server.engine.clone(), bell("a"));
        let request = http::Request::post("/set?30").body(Body::empty()).expect("a request");
        tokio::spawn(async move { engine.fetch(&object, None, request).await });
        bells.pass(5).await;
        assert_eq!(bells.markers().await, 1, "whoever finds the record finds the marker");
        server.crash();
        let other = bells.post.server_with(ownership).await;
        bells.pass(120).await;
        assert_eq!(bells.get(&other, "a", "/alarm").await, "None", "it was never set");
        assert_eq!(bells.markers().await, 1, "its record may still arrive");
        for _ in 0..75 {
            bells.post.pass(Duration::from_secs(60)).await;
        }
        assert_eq!(bells.markers().await, 0, "not any more");
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn an_alarm_without_its_marker_is_not_set() {
    let bells = Bells::new();
    let server = bells.post.server().await;
    bells.get(&server, "a", "/touch").await;
    let is_marker =
        |operation, key: &Key| operation == Operation::Put && key.as_str().starts_with(MARKERS);
    bells.post.bucket.faults().fail_while(is_marker, Fault::NotApplied);
    bells.ask(&server, "a", "/set?30").await.expect_err("the store does not take its marker");
    assert_eq!(bells.get(&server, "a", "/alarm").await, "None");
    bells.post.bucket.faults().heal();
    bells.get(&server, "a", "/set?30").await;
    bells.pass(40).await;
    assert_eq!(bells.get(&server, "a", "/rung").await, "late 0 retries 0");
}

#[tokio::test]
async fn an_alarm_whose_record_is_lost_with_its_server_runs_again() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/slow?3").await;
        bells.get(&server, "a", "/set?20").await;
        bells.pass(22).await;
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 1);
        // It has its claim, and runs.
        server.crash();
        let other = bells.post.server_with(ownership).await;
        bells.pass(90).await;
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 2, "at least once");
        assert_eq!(bells.get(&other, "a", "/rung").await.lines().count(), 1, "in effect once");
        assert_eq!(bells.markers().await, 0);
    }
}

#[tokio::test]
async fn failures_are_counted_across_servers() {
    let bells = Bells::new();
    let server = bells.post.server().await;
    bells.get(&server, "a", "/fails?5").await;
    bells.get(&server, "a", "/set?1").await;
    bells.pass(10).await;
    server.crash();
    let other = bells.post.server().await;
    bells.pass(120).await;
    let rung = bells.get(&other, "a", "/rung").await;
    assert!(rung.ends_with("retries 5"), "{rung}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_crashes_a_repeated_alarm_goes_on_and_has_each_effect_once(
        crashes in proptest::collection::vec((1_u64..40, any::<bool>(), 5_u64..60), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(go_on(crashes));
    }
}

/// An alarm repeats itself until it has run five times. Its servers crash after so many requests to
/// the store, or live on beside the next one.
async fn go_on(crashes: Vec<(u64, bool, u64)>) {
    let bells = Bells::new();
    let server = bells.post.server().await;
    bells.get(&server, "a", "/again?15").await;
    bells.get(&server, "a", "/set?15").await;
    server.crash();
    let mut servers = Vec::new();
    for (requests, leased, seconds) in crashes {
        let ownership = if leased { Ownership::Leased } else { Ownership::PerRequest };
        let server = bells.post.server_with(ownership).await;
        server.crash_after(requests);
        bells.pass(seconds).await;
        servers.push(server);
    }
    servers.into_iter().for_each(Server::crash);
    let last = bells.post.server().await;
    bells.pass(240).await;
    let rung = bells.get(&last, "a", "/rung").await;
    assert_eq!(rung.lines().count(), 5, "{rung}");
    assert_eq!(bells.get(&last, "a", "/alarm").await, "None");
    for _ in 0..75 {
        bells.post.pass(Duration::from_secs(60)).await;
    }
    assert_eq!(bells.markers().await, 0);
}

/// An alarm is set, and its servers crash: the first at once, the second after so many requests to
/// the store. Returns how often it has run in effect.
async fn ring_once(ownership: Ownership, requests: u64) -> usize {
    let bells = Bells::new();
    let server = bells.post.server_with(ownership).await;
    bells.get(&server, "a", "/set?15").await;
    server.crash();
    let server = bells.post.server_with(ownership).await;
    server.crash_after(requests);
    bells.pass(60).await;
    server.crash();
    let last = bells.post.server_with(ownership).await;
    bells.pass(120).await;
    // What the object is asked would bring the alarm back.
    let begun = bells.running.begun.load(Ordering::SeqCst);
    if begun == 0 { 0 } else { bells.get(&last, "a", "/rung").await.lines().count() }
}

#[tokio::test]
async fn an_alarm_is_not_lost_at_whatever_request_its_server_crashes() {
    for ownership in BOTH {
        for requests in 1..30 {
            assert_eq!(ring_once(ownership, requests).await, 1, "{ownership:?} after {requests}");
        }
    }
}

#[tokio::test]
async fn markers_that_are_missing_or_go_too_early_lose_alarms() {
    for bug in [Bug::AlarmUnmarked, Bug::AlarmMarkerGoneEarly] {
        plant(Some(bug));
        let mut lost = false;
        for requests in 1..30 {
            lost |= ring_once(Ownership::Leased, requests).await != 1;
        }
        plant(None);
        assert!(lost, "the tests above would not find {bug:?}");
    }
}
