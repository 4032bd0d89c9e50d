//! `axum_inside.rs`

use dotdo::testing::TestServer;
use serde_json::{Value, json};

use crate::programs::axum_inside::app;

#[tokio::test]
async fn a_router_answers_in_the_object_s_transaction() {
    let mut server = TestServer::start(app()).await;
    let add = |text| server.post("/do/ada/todos").json(&json!({"text": text}));
    let (tea, milk) = (json!({"id": 1, "text": "tea"}), json!({"id": 2, "text": "milk"}));
    assert_eq!(add("tea").await.json::<Value>(), tea);
    assert_eq!(add("milk").await.json::<Value>(), milk);
    let refused = add("").await;
    assert_eq!((refused.status(), refused.code().as_str()), (400, "BAD_REQUEST"));
    let texts: Vec<String> =
        server.rows("Todos", "ada", "SELECT text FROM todos ORDER BY id").await;
    assert_eq!(texts, ["tea", "milk"], "the refused one was inserted, and undone");
    server.delete("/do/ada/todos/1").await.ok();
    server.crash().await;
    assert_eq!(server.get("/do/ada/todos").await.json::<Value>(), json!([milk]));
    assert_eq!(server.get("/do/bob/todos").await.json::<Value>(), json!([]));
}

#[tokio::test]
async fn what_the_router_refuses_is_its_own_answer() {
    let server = TestServer::start(app()).await;
    assert_eq!(server.get("/do/ada/nowhere").await.status(), 404);
    assert_eq!(server.delete("/do/ada/todos/tea").await.status(), 400);
    assert_eq!(server.put("/do/ada/todos").await.status(), 405);
    let no_json = server.post("/do/ada/todos").body("tea").await;
    assert_eq!(no_json.status(), 415);
}
