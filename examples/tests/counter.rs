//! `counter.rs`

use dotdo::testing::{TestResponse, TestServer};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::programs::counter::app;
use crate::running::Running;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-counter");

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_survives_a_loss_of_power() {
    let mut running = Running::start(PROGRAM).await;
    assert_eq!(running.ok("GET", "/do/visits", Value::Null).await, json!(0));
    assert_eq!(running.ok("POST", "/do/visits", Value::Null).await, json!(1));
    assert_eq!(running.ok("POST", "/do/visits", Value::Null).await, json!(2));
    running.crash_and_start(PROGRAM).await;
    assert_eq!(running.ok("GET", "/do/visits", Value::Null).await, json!(2));
    assert_eq!(running.ok("POST", "/do/visits", Value::Null).await, json!(3));
    assert_eq!(running.ok("GET", "/do/others", Value::Null).await, json!(0));
    running.stop_and_start(PROGRAM).await;
    assert_eq!(running.ok("GET", "/do/Counter/visits", Value::Null).await, json!(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_is_asked_by_its_own_program_whether_it_is_ready() {
    let mut running = Running::start(PROGRAM).await;
    assert_eq!(running.asked(PROGRAM), Some(0));
    running.crash();
    assert_eq!(running.asked(PROGRAM), Some(1));
}

#[tokio::test]
async fn clients_at_once_get_different_numbers() {
    let server = TestServer::start(app()).await;
    let asked = (0..64).map(|_| server.post("/do/busy").into_future());
    let answers = join_all(asked).await;
    let mut numbers: Vec<u64> = answers.into_iter().map(TestResponse::json).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
}
