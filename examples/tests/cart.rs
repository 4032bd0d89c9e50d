//! `cart.rs`, on carts that `cart_before.rs` wrote.

use serde_json::{Value, json};

use crate::running::Running;

const BEFORE: &str = env!("CARGO_BIN_EXE_example-cart-before");
const NOW: &str = env!("CARGO_BIN_EXE_example-cart");

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_of_the_older_program_is_brought_up_to_date() {
    let mut running = Running::start(BEFORE).await;
    running.ok("POST", "/do/old/lines", json!({"sku": "tea", "quantity": 2, "price": 3.5})).await;
    running.ok("POST", "/do/old/lines", json!({"sku": "cup", "quantity": 1, "price": 0.29})).await;
    let before = running.ok("GET", "/do/old", Value::Null).await;
    assert_eq!(before[1], json!({"sku": "tea", "quantity": 2, "price": 3.5}));

    running.stop_and_start(NOW).await;
    let lines = json!([{"sku": "cup", "quantity": 1, "cents": 29}, {"sku": "tea", "quantity": 2, "cents": 350}]);
    assert_eq!(
        running.ok("GET", "/do/old", Value::Null).await,
        json!({"lines": lines, "cents": 729})
    );

    running.crash_and_start(NOW).await;
    assert_eq!(
        running.ok("GET", "/do/old", Value::Null).await,
        json!({"lines": lines, "cents": 729})
    );
    running.ok("DELETE", "/do/old/lines/cup", Value::Null).await;
    let changed = running
        .ok("POST", "/do/old/lines", json!({"sku": "tea", "quantity": 3, "cents": 400}))
        .await;
    assert_eq!(changed["cents"], 1200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cart_begins_with_the_newest_schema() {
    let running = Running::start(NOW).await;
    assert_eq!(running.ok("GET", "/do/new", Value::Null).await, json!({"lines": [], "cents": 0}));
    running.ok("POST", "/do/new/lines", json!({"sku": "tea", "quantity": 1, "cents": 350})).await;
    let emptied = running
        .ok("POST", "/do/new/lines", json!({"sku": "tea", "quantity": 0, "cents": 350}))
        .await;
    assert_eq!(emptied["cents"], 0);
    assert_eq!(
        running
            .status("POST", "/do/new/lines", json!({"sku": "tea", "quantity": -1, "cents": 1}))
            .await,
        400
    );
}
