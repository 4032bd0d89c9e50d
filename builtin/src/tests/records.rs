//! Relationships, actions and events, and what all collections have in common.

use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn a_relationship_is_known_once() {
    let world = World::new().await;
    let made = world
        .ok(
            "POST",
            "/relationships",
            json!({"id": "r", "verb": "owns", "from": "ada", "to": "car", "data": {"since": 1840}}),
        )
        .await;
    assert_eq!(made["created_at"], "2027-01-15T08:00:00.000Z");
    let error = world
        .send("POST", "/relationships", json!({"verb": "owns", "from": "ada", "to": "car"}))
        .await
        .expect_err("known");
    assert_eq!((error.code(), error.details()), ("CONFLICT", Some(&json!({"id": "r"}))));
    assert_eq!(
        error.message(),
        "\"ada\" \"owns\" \"car\" already exists as the relationship \"r\""
    );
    world
        .ok(
            "POST",
            "/relationships",
            json!({"id": "s", "verb": "owns", "from": "bob", "to": "car"}),
        )
        .await;
    assert_eq!(world.code("PATCH", "/relationships/s", json!({"from": "ada"})).await, "CONFLICT");
    assert_eq!(world.ids("/relationships?where[to]=car&where[verb]=owns").await, ["r", "s"]);
    assert_eq!(world.ids("/relationships?where[data.since]=1840").await, ["r"]);
    assert_eq!(
        world
            .ok("PUT", "/relationships/r", json!({"verb": "drives", "from": "ada", "to": "car"}))
            .await["data"],
        Value::Null
    );
    assert_eq!(world.ok("PATCH", "/relationships/s", json!({"from": "ada"})).await["from"], "ada");
    assert_eq!(world.ok("DELETE", "/relationships/r", Value::Null).await, Value::Null);
    assert_eq!(world.code("GET", "/relationships/r", Value::Null).await, "NOT_FOUND");
    assert_eq!(
        world.code("POST", "/relationships", json!({"verb": "owns", "from": "ada"})).await,
        "BAD_REQUEST"
    );
}

#[tokio::test]
async fn an_action_knows_when_it_ran() {
    let world = World::new().await;
    let made = world
        .ok(
            "POST",
            "/actions",
            json!({"id": "a", "verb": "send", "durability": "try", "options": {"to": "x"}}),
        )
        .await;
    assert_eq!(
        [&made["status"], &made["durability"], &made["created_at"]],
        ["pending", "try", "2027-01-15T08:00:00.000Z"]
    );
    assert_eq!([&made["started_at"], &made["completed_at"], &made["duration"]], [&Value::Null; 3]);
    world.later(100);
    let running = world.ok("PATCH", "/actions/a", json!({"status": "running"})).await;
    assert_eq!(running["started_at"], "2027-01-15T08:00:00.100Z");
    world.later(250);
    let failed = world
        .ok("PATCH", "/actions/a", json!({"status": "failed", "error": {"why": "no answer"}}))
        .await;
    assert_eq!(
        (&failed["completed_at"], &failed["duration"]),
        (&json!("2027-01-15T08:00:00.350Z"), &json!(250))
    );
    let retrying = world.ok("PATCH", "/actions/a", json!({"status": "retrying"})).await;
    assert_eq!([&retrying["completed_at"], &retrying["duration"]], [&Value::Null; 2]);
    for wrong in [
        json!({"status": "asleep"}),
        json!({"durability": "maybe"}),
        json!({"output": 99}),
        json!({"started_at": "1"}),
        json!({"verb": null}),
    ] {
        assert_eq!(
            world.code("PATCH", "/actions/a", wrong.clone()).await,
            "BAD_REQUEST",
            "{wrong}"
        );
    }
    assert_eq!(world.ids("/actions?where[status]=retrying").await, ["a"]);
    assert_eq!(world.ok("DELETE", "/actions/a", Value::Null).await, Value::Null);
}

#[tokio::test]
async fn the_action_that_made_a_version_stays() {
    let world = World::new().await;
    world.ok("PUT", "/things/w", json!({})).await;
    world.ok("PATCH", "/things/w", json!({"name": "W"})).await;
    let id = world.ids("/actions?where[output]=2").await.remove(0);
    assert_eq!(world.code("DELETE", &format!("/actions/{id}"), Value::Null).await, "CONFLICT");
    for wrong in [json!({"output": 1}), json!({"output": null}), json!({"input": 2})] {
        assert_eq!(
            world.code("PATCH", &format!("/actions/{id}"), wrong.clone()).await,
            "CONFLICT",
            "{wrong}"
        );
    }
    assert_eq!(
        world.ok("PATCH", &format!("/actions/{id}"), json!({"status": "undone"})).await["status"],
        "undone"
    );
}

#[tokio::test]
async fn events_are_numbered_without_a_gap() {
    let mut world = World::new().await;
    for number in 0..3 {
        world.ok("POST", "/events", json!({"id": format!("e{number}"), "verb": "seen"})).await;
        assert_eq!(
            world.code("POST", "/events", json!({"id": "e0", "verb": "seen"})).await,
            "CONFLICT"
        );
        assert_eq!(
            world.code("POST", "/events", json!({"verb": "seen", "sequence": 9})).await,
            "BAD_REQUEST"
        );
        world.ok("POST", "/things", json!({})).await;
        world.restart().await;
    }
    let events = world.get("/events").await;
    let sequences: Vec<&Value> =
        events["items"].as_array().expect("items").iter().map(|event| &event["sequence"]).collect();
    assert_eq!(json!(sequences), json!([1, 2, 3, 4, 5, 6]));
    let reply = world.send("DELETE", "/events/e0", Value::Null).await.expect("an answer");
    assert_eq!(
        (reply.status.as_u16(), reply.headers["allow"].to_str().expect("text")),
        (405, "GET, HEAD, PUT, PATCH")
    );
    assert_eq!(
        (&reply.body["code"], &reply.body["requestId"]),
        (&json!("METHOD_NOT_ALLOWED"), &json!("r-1"))
    );

    assert_eq!(world.ids("/events?where[streamed]=false&limit=1").await, ["e0"]);
    world.later(5);
    let streamed = world.ok("PATCH", "/events/e0", json!({"streamed": true})).await;
    assert_eq!(
        [&streamed["streamed_at"], &streamed["created_at"]],
        ["2027-01-15T08:00:00.005Z", "2027-01-15T08:00:00.000Z"]
    );
    let dated = world
        .ok(
            "PATCH",
            "/events/e1",
            json!({"streamed": true, "streamed_at": "2027-01-15T09:00:00+01:00"}),
        )
        .await;
    assert_eq!(dated["streamed_at"], "2027-01-15T08:00:00.000Z");
    assert_eq!(world.ids("/events?where[streamed]=1").await, ["e0", "e1"]);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let world = World::new().await;
    assert_eq!(world.code("GET", "/widgets", Value::Null).await, "UNKNOWN_COLLECTION");
    let reply = world.send("DELETE", "/things", Value::Null).await.expect("an answer");
    assert_eq!(
        (reply.status.as_u16(), reply.headers["allow"].to_str().expect("text")),
        (405, "GET, HEAD, POST")
    );
    let error = world.send("GET", "/actions/x", Value::Null).await.expect_err("there is none");
    assert_eq!(error.message(), "there is no action \"x\"");
    assert_eq!(world.code("GET", "/actions/x?version=1", Value::Null).await, "BAD_REQUEST");
    assert_eq!(world.code("GET", "/things/a/b", Value::Null).await, "NOT_FOUND");
    assert_eq!(
        world
            .code(
                "PUT",
                "/relationships/r",
                json!({"id": "q", "verb": "v", "from": "a", "to": "b"})
            )
            .await,
        "BAD_REQUEST"
    );
    let made = world
        .send("PUT", "/relationships/r", json!({"verb": "v", "from": "a", "to": "b"}))
        .await
        .expect("a new one");
    assert_eq!(made.status, 201);
}
