//! `rate_limiter.rs`

use std::time::Instant;

use serde_json::Value;

use crate::running::Running;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-rate-limiter");

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_bucket_refuses_also_after_a_restart() {
    let mut running = Running::start(PROGRAM).await;
    let started = Instant::now();
    let mut taken = 0;
    let refused = loop {
        let reply =
            running.try_send("POST", "/do/client/take", Value::Null).await.expect("an answer");
        if reply.status == 429 {
            break reply;
        }
        taken += 1;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(
            f64::from(taken) <= 11.0 + started.elapsed().as_secs_f64(),
            "{taken} tokens were given"
        );
    };
    assert!(taken >= 10, "a full bucket has 10 tokens, {taken} were given");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.body["code"], "RATE_LIMITED");
    assert_eq!(running.ok("GET", "/do/other", Value::Null).await["remaining"], 10.0);

    running.stop_and_start(PROGRAM).await;
    let remaining =
        running.ok("GET", "/do/client", Value::Null).await["remaining"].as_f64().expect("a number");
    assert!(
        remaining <= 1.0 + started.elapsed().as_secs_f64(),
        "{remaining} tokens came from nowhere"
    );
}
