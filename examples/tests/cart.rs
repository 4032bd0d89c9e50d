//! `cart.rs`, on carts that `cart_before.rs` wrote.

use dotdo::testing::TestServer;
use serde_json::{Value, json};

use crate::programs::{cart, cart_before};

#[tokio::test]
async fn a_cart_of_the_older_program_is_brought_up_to_date() {
    let mut server = TestServer::start(cart_before::app()).await;
    let tea = json!({"sku": "tea", "quantity": 2, "price": 3.5});
    server.post("/do/old/lines").json(&tea).await.ok();
    let cup = json!({"sku": "cup", "quantity": 1, "price": 0.29});
    server.post("/do/old/lines").json(&cup).await.ok();
    assert_eq!(server.get("/do/old").await.json::<Value>()[1], tea);

    server.restart_into(cart::app()).await;
    let lines = json!([{"sku": "cup", "quantity": 1, "cents": 29}, {"sku": "tea", "quantity": 2, "cents": 350}]);
    let brought_up = json!({"lines": lines, "cents": 729});
    assert_eq!(server.get("/do/old").await.json::<Value>(), brought_up);

    server.crash().await;
    assert_eq!(server.get("/do/old").await.json::<Value>(), brought_up);
    let columns: Vec<String> = server
        .rows("Cart", "old", "SELECT name FROM pragma_table_info('lines') ORDER BY name")
        .await;
    assert_eq!(columns, ["cents", "quantity", "sku"], "the store has the new schema");
    server.delete("/do/old/lines/cup").await.ok();
    let tea = json!({"sku": "tea", "quantity": 3, "cents": 400});
    let changed: Value = server.post("/do/old/lines").json(&tea).await.json();
    assert_eq!(changed["cents"], 1200);
}

#[tokio::test]
async fn a_new_cart_begins_with_the_newest_schema() {
    let server = TestServer::start(cart::app()).await;
    let empty = json!({"lines": [], "cents": 0});
    assert_eq!(server.get("/do/new").await.json::<Value>(), empty);
    let add = |quantity| {
        let line = json!({"sku": "tea", "quantity": quantity, "cents": 350});
        server.post("/do/new/lines").json(&line)
    };
    add(1).await.ok();
    assert_eq!(add(0).await.json::<Value>()["cents"], 0);
    assert_eq!(add(-1).await.status(), 400);
}
