//! `rate_limiter.rs`

use std::time::Duration;

use dotdo::testing::TestServer;
use serde_json::{Value, json};

use crate::programs::rate_limiter::app;

#[tokio::test]
async fn an_empty_bucket_refuses_also_after_a_restart_until_tokens_come_back() {
    let mut server = TestServer::start(app()).await;
    for left in (0..10).rev() {
        let taken: Value = server.post("/do/client/take").await.json();
        assert_eq!(taken, json!({"remaining": f64::from(left)}));
    }
    let refused = server.post("/do/client/take").await;
    assert_eq!((refused.status(), refused.code().as_str()), (429, "RATE_LIMITED"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(server.get("/do/other").await.json::<Value>()["remaining"], 10.0);

    server.restart().await;
    assert_eq!(server.get("/do/client").await.json::<Value>()["remaining"], 0.0);
    assert_eq!(server.post("/do/client/take").await.status(), 429);
    server.advance(Duration::from_millis(2500)).await;
    for left in [1.0, 0.0] {
        assert_eq!(server.post("/do/client/take").await.json::<Value>()["remaining"], left);
    }
    assert_eq!(server.post("/do/client/take").await.status(), 429);
    server.advance(Duration::from_secs(3600)).await;
    assert_eq!(server.get("/do/client").await.json::<Value>()["remaining"], 10.0);
}
