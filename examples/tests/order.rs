//! `order.rs`

use std::time::Duration;

use dotdo::testing::TestServer;
use serde_json::{Value, json};

use crate::programs::order::{REMIND_AFTER_MS, REMINDERS_MAX, app};

const REMINDED: &str = "your kettle is not paid yet";
const CANCELLED: &str = "your kettle was cancelled";

/// Lets the time of a reminder pass, and as much more as a server that was killed keeps its lease.
async fn an_hour_passes(server: &TestServer) {
    let hour = Duration::from_millis(REMIND_AFTER_MS.unsigned_abs());
    server.advance(hour + Duration::from_secs(60)).await;
}

async fn place(server: &TestServer) {
    let order = json!({ "item": "kettle", "customer": "ada" });
    server.post("/do/order-7").json(&order).await.ok();
}

async fn notices(server: &TestServer) -> Vec<String> {
    server.get("/do/Customer/ada").await.ok().json()
}

#[tokio::test]
async fn an_order_reminds_until_it_is_paid() {
    let server = TestServer::start(app()).await;
    place(&server).await;
    an_hour_passes(&server).await;
    assert_eq!(notices(&server).await, [REMINDED]);
    let paid = server.post("/do/order-7/pay").await.ok().json::<Value>();
    assert_eq!((&paid["state"], &paid["reminders"]), (&json!("paid"), &json!(1)));
    an_hour_passes(&server).await;
    assert_eq!(notices(&server).await, [REMINDED], "it is over");
    let again = server.post("/do/order-7").json(&json!({ "item": "pot", "customer": "ada" })).await;
    assert_eq!(again.status(), 409);
}

#[tokio::test]
async fn each_reminder_is_sent_once_although_servers_are_killed() {
    let first = TestServer::start(app()).await;
    let mut second = first.another().await;
    place(&first).await;
    first.kill();
    for _ in 0..=REMINDERS_MAX {
        an_hour_passes(&second).await;
        second.crash().await;
    }
    an_hour_passes(&second).await;
    let sent = notices(&second).await;
    assert_eq!(sent, [REMINDED, REMINDED, REMINDED, CANCELLED]);
    assert_eq!(second.post("/do/order-7/pay").await.status(), 409);
    assert_eq!(second.get("/do/order-8").await.status(), 404);
}
