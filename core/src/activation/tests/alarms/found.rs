//! Alarms whose server has gone, found by their markers.

use std::sync::Mutex;

use super::*;
use crate::store::{Bucket, Key};

#[tokio::test]
async fn after_a_crash_another_server_runs_the_alarm_and_nobody_asks_for_its_object() {
    for (first, second) in [
        (Ownership::Leased, Ownership::Leased),
        (Ownership::PerRequest, Ownership::PerRequest),
        (Ownership::PerRequest, Ownership::Leased),
    ] {
        let bells = Bells::new();
        let other = bells.post.server_with(second).await;
        let server = bells.post.server_with(first).await;
        bells.get(&server, "a", "/set?100").await;
        server.crash();
        bells.pass(98).await;
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 0);
        bells.pass(20).await;
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 1, "{first:?} {second:?}");
        let rung = bells.get(&other, "a", "/rung").await;
        let late: u32 = rung.split(' ').nth(1).and_then(|late| late.parse().ok()).expect("a line");
        assert!((5..=12).contains(&late), "it leaves it to its server for a moment: {rung}");
        assert_eq!(bells.markers().await, 0);
    }
}

#[tokio::test]
async fn a_server_that_starts_runs_what_its_predecessor_has_left() {
    for ownership in BOTH {
        let bells = Bells::new();
        let server = bells.post.server_with(ownership).await;
        bells.get(&server, "a", "/set?20").await;
        bells.get(&server, "b", "/set?2000").await;
        server.crash();
        bells.pass(60).await;
        let server = bells.post.server_with(ownership).await;
        bells.pass(2).await;
        assert_eq!(bells.running.begun.load(Ordering::SeqCst), 1, "at once");
        assert_eq!(bells.markers().await, 1, "the other one is not due");
        assert!(server.engine.activations().existing(&bell("b")).is_none(), "nobody opens it");
    }
}

#[tokio::test]
async fn a_server_that_takes_an_object_over_runs_its_alarm_in_time() {
    let bells = Bells::new();
    let (first, second) = (bells.post.server().await, bells.post.server().await);
    // The second knows the object before the alarm is set, and follows the first.
    bells.get(&second, "a", "/touch").await;
    bells.pass(20).await;
    bells.get(&first, "a", "/set?100").await;
    bells.pass(20).await;
    bells.get(&second, "a", "/touch").await;
    first.crash();
    bells.pass(100).await;
    assert_eq!(bells.get(&second, "a", "/rung").await, "late 0 retries 0");
}

#[tokio::test]
async fn an_alarm_is_left_to_the_server_that_owns_its_object() {
    let bells = Bells::new();
    let (first, second) = (bells.post.server().await, bells.post.server().await);
    bells.get(&first, "a", "/slow?25").await;
    bells.get(&first, "a", "/set?15").await;
    bells.pass(60).await;
    assert!(second.engine.activations().existing(&bell("a")).is_none(), "it is not restored");
    assert_eq!(bells.running.begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_tick_runs_what_is_due_of_functions_that_have_gone() {
    let bells = Bells::new();
    let gone = bells.post.server_with(Ownership::PerRequest).await;
    for id in ["a", "b", "c"] {
        bells.get(&gone, id, "/set?10").await;
    }
    bells.get(&gone, "d", "/set?1000").await;
    gone.crash();
    let function = bells.post.server_with(Ownership::PerRequest).await;
    bells.pass(5).await;
    bells.post.clock.advance(Duration::from_secs(6));
    let engine = function.engine.clone();
    bells.post.run(async move { engine.tick().await }).await.expect("the store answers");
    assert_eq!(bells.running.begun.load(Ordering::SeqCst), 3, "when the tick has been answered");
    assert_eq!(bells.markers().await, 1);
}

#[tokio::test]
async fn alarms_that_are_not_due_cost_a_listing_however_many_there_are() {
    let bells = Bells::new();
    let now_ms = bells.post.clock.wall_ms();
    for number in 0..1500_i64 {
        let name = format!("{:016x}-{:032x}-{number}", now_ms + 10_000_000 + number, 77);
        let key = Key::new(MARKERS).join(name);
        bells.post.bucket.put(&key, "?".into()).await.expect("memory stores");
    }
    let read = Arc::new(Mutex::new([0; 2]));
    let noted = read.clone();
    bells.post.bucket.record().observe(move |operation, key| {
        if key.as_str().starts_with(MARKERS) {
            let mut noted = noted.lock().expect("nobody panics");
            noted[0] += u32::from(operation == Operation::List);
            noted[1] += u32::from(operation == Operation::Get);
        }
    });
    let _server = bells.post.server().await;
    bells.pass(600).await;
    let [lists, gets] = *read.lock().expect("nobody panics");
    assert_eq!(gets, 0, "nobody reads them");
    assert!((20..=22).contains(&lists), "one in 30 s: {lists}");
}
