//! Things: their versions, times, branches and lists.

use dotdo::engine::Key;
use serde_json::{Value, json};

use super::world::World;

#[tokio::test]
async fn a_thing_keeps_all_its_versions() {
    let mut world = World::new().await;
    let made = world
        .send("POST", "/things", json!({"id": "w", "type": "Widget", "data": {"n": 1}}))
        .await
        .expect("a new thing");
    assert_eq!(made.status, 201);
    assert_eq!(made.headers["location"], "/do/DO/graph/things/w");
    let first = json!({
        "id": "w", "type": "Widget", "branch": "main", "name": null, "data": {"n": 1},
        "deleted": false, "visibility": null, "version": 1,
    });
    assert_eq!(made.body, first);

    let second =
        world.ok("PATCH", "/things/w", json!({"name": "W", "data": {"color": "red"}})).await;
    assert_eq!(
        (&second["version"], &second["data"]),
        (&json!(2), &json!({"n": 1, "color": "red"}))
    );
    let third = world.ok("PUT", "/things/w", json!({"type": "Gadget"})).await;
    assert_eq!(
        (&third["version"], &third["data"], &third["name"]),
        (&json!(3), &Value::Null, &Value::Null)
    );
    assert_eq!(world.ok("DELETE", "/things/w", Value::Null).await, Value::Null);

    world.restart().await;
    assert_eq!(world.code("GET", "/things/w", Value::Null).await, "NOT_FOUND");
    assert_eq!(world.code("DELETE", "/things/w", Value::Null).await, "NOT_FOUND");
    assert_eq!(world.code("PATCH", "/things/w", json!({})).await, "NOT_FOUND");
    assert_eq!(world.get("/things/w?version=1").await, first);
    assert_eq!(world.get("/things/w?version=2").await, second);
    assert_eq!(world.get("/things/w?version=4").await["deleted"], json!(true));
    assert_eq!(world.code("GET", "/things/w?version=5", Value::Null).await, "NOT_FOUND");
    assert_eq!(world.code("GET", "/things/other?version=1", Value::Null).await, "NOT_FOUND");

    let again = world
        .send("PUT", "/things/w", json!({"name": "back"}))
        .await
        .expect("a deleted thing can come back");
    assert_eq!((again.status.as_u16(), &again.body["version"]), (201, &json!(5)));
}

#[tokio::test]
async fn a_thing_is_read_as_it_was_at_a_time() {
    let world = World::new().await;
    let start = world.now_ms();
    for name in ["one", "two", "three"] {
        world.ok("PUT", "/things/w", json!({ "name": name })).await;
        world.later(1000);
    }
    world.ok("DELETE", "/things/w", Value::Null).await;
    for (ms, expected) in [(0, "one"), (999, "one"), (1000, "two"), (2500, "three")] {
        assert_eq!(
            world.get(&format!("/things/w?at={}", start + ms)).await["name"],
            expected,
            "{ms}"
        );
    }
    assert_eq!(world.get("/things/w?at=2027-01-15T08:00:01.500Z").await["name"], "two");
    assert_eq!(
        world.code("GET", &format!("/things/w?at={}", start - 1), Value::Null).await,
        "NOT_FOUND"
    );
    assert_eq!(
        world.code("GET", &format!("/things/w?at={}", start + 3000), Value::Null).await,
        "NOT_FOUND"
    );
    assert_eq!(world.code("GET", "/things/w?at=yesterday", Value::Null).await, "BAD_REQUEST");
    assert_eq!(world.code("GET", "/things/w?at=1&version=1", Value::Null).await, "BAD_REQUEST");
}

#[tokio::test]
async fn a_change_comes_with_its_action_and_its_event() {
    let world = World::new().await;
    world.ok("POST", "/things?actor=ada&session_id=s", json!({"id": "w"})).await;
    world.ok("PATCH", "/things/w", json!({"name": "W", "actor": "bob", "workflow_id": "f"})).await;
    world.ok("DELETE", "/things/w?actor=eve", Value::Null).await;
    let actions = world.get("/actions").await;
    let seen: Vec<Value> = actions["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|a| json!([a["verb"], a["actor"], a["input"], a["output"]]))
        .collect();
    assert_eq!(
        seen,
        [
            json!(["create", "ada", null, 1]),
            json!(["update", "bob", 1, 2]),
            json!(["delete", "eve", 2, 3])
        ]
    );
    let first = &actions["items"][0];
    assert_eq!(
        [
            &first["target"],
            &first["status"],
            &first["durability"],
            &first["request_id"],
            &first["session_id"]
        ],
        ["w", "completed", "do", "r-1", "s"]
    );
    let events = world.get("/events").await;
    for (number, (event, verb)) in (1..).zip(
        events["items"].as_array().expect("items").iter().zip(["created", "updated", "deleted"]),
    ) {
        assert_eq!(
            (&event["verb"], &event["sequence"], &event["source"]),
            (&json!(verb), &json!(number), &json!("w"))
        );
        assert_eq!(event["action_id"], actions["items"][number - 1]["id"]);
        assert_eq!(event["data"], json!({"type": "Thing", "branch": "main", "version": number}));
    }
}

#[tokio::test]
async fn what_changes_nothing_writes_nothing() {
    let world = World::new().await;
    let made = world.ok("POST", "/things", json!({"id": "w", "data": {"a": 1}})).await;
    assert_eq!(world.ok("PATCH", "/things/w", json!({"data": {"a": 1}})).await, made);
    assert_eq!(
        world.ok("PUT", "/things/w", made.clone()).await,
        made,
        "what was read can be sent back"
    );
    assert_eq!(world.code("POST", "/things", json!({"id": "w"})).await, "CONFLICT");
    assert_eq!(world.code("PATCH", "/things/w", json!({"version": 7})).await, "BAD_REQUEST");
    assert_eq!(world.code("PATCH", "/things/w", json!({"id": "v"})).await, "BAD_REQUEST");
    assert_eq!(world.ids("/events").await.len(), 1);
}

#[tokio::test]
async fn branches_keep_apart_what_has_the_same_id() {
    let world = World::new().await;
    let made = world
        .send("POST", "/things", json!({"id": "w", "branch": "a b"}))
        .await
        .expect("a new thing");
    assert_eq!(made.headers["location"], "/do/DO/graph/things/w?branch=a%20b");
    let error =
        world.send("GET", "/things/w", Value::Null).await.expect_err("it is on another branch");
    assert_eq!(
        error.message(),
        "there is no thing \"w\" on the branch \"main\"; it exists on the branches a b"
    );
    world.ok("POST", "/things", json!({"id": "w", "name": "main's"})).await;
    world.ok("PATCH", "/things/w?branch=a%20b", json!({"name": "b's"})).await;
    assert_eq!(world.get("/things/w").await["name"], "main's");
    assert_eq!(world.get("/things/w?branch=a%20b").await["name"], "b's");
    world.ok("DELETE", "/things/w", Value::Null).await;
    assert_eq!(world.ids("/things").await, ["w"]);
    assert!(world.ids("/things?branch=main").await.is_empty());
    assert_eq!(world.ids("/things?branch=a%20b").await, ["w"]);
    assert_eq!(
        world.code("PUT", "/things/w?branch=x", json!({"branch": "y"})).await,
        "BAD_REQUEST"
    );
}

#[tokio::test]
async fn a_list_goes_on_where_it_stopped() {
    let world = World::new().await;
    for id in ["e", "a", "d", "c", "b"] {
        world.ok("POST", "/things", json!({ "id": id })).await;
    }
    let mut seen = Vec::new();
    let mut path = "/things?limit=2".to_owned();
    loop {
        let page = world.get(&path).await;
        seen.extend(
            page["items"]
                .as_array()
                .expect("items")
                .iter()
                .map(|item| item["id"].as_str().expect("a text").to_owned()),
        );
        // A change on the way moves nothing.
        world.ok("PATCH", "/things/a", json!({ "name": path })).await;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/things?limit=2&after={next}");
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    assert_eq!(
        world.get("/events?limit=10").await["next"],
        Value::Null,
        "five and three changes fit"
    );
    let page = world.get("/events?limit=6").await;
    let next = page["next"].as_str().expect("there are more");
    assert_eq!(world.get(&format!("/events?after={next}")).await["items"][0]["sequence"], 7);
    assert_eq!(
        world.code("GET", &format!("/things?after={next}"), Value::Null).await,
        "BAD_REQUEST"
    );
}

#[tokio::test]
async fn a_list_shows_what_its_conditions_hold_for() {
    let world = World::new().await;
    for thing in [
        json!({"id": "a", "type": "Car", "name": "A", "data": {"color": "red", "doors": 4, "new": true, "at": {"x": 1.5}}}),
        json!({"id": "b", "type": "Car", "data": {"color": "blue", "doors": "4", "new": false, "a b": null}}),
        json!({"id": "c", "type": "Bike", "data": {"color": "red", "tags": ["x"]}}),
        json!({"id": "d"}),
    ] {
        world.ok("POST", "/things", thing).await;
    }
    world.ok("PATCH", "/things/c", json!({"data": {"color": "green"}})).await;
    for (query, expected) in [
        ("type=Car", &["a", "b"][..]),
        ("where[type]=Bike", &["c"]),
        ("where[data.color]=red", &["a"]),
        ("type=Car&where[data.color]=red&where[name]=A", &["a"]),
        ("where%5Bdata.doors%5D=4", &["a", "b"]),
        ("where[data.new]=true", &["a"]),
        ("where[data.at.x]=1.5", &["a"]),
        ("where[data.a%20b]=null", &["b"]),
        ("where[data.tags]=[\"x\"]".replace('"', "%22").as_str(), &["c"]),
        ("where[version]=4", &["d"]),
        ("where[deleted]=false&limit=1", &["a"]),
        ("where[name]=A%27%20OR%201=1", &[]),
        ("where[data.color']=red".replace('\'', "%27").as_str(), &[]),
    ] {
        assert_eq!(world.ids(&format!("/things?{query}")).await, expected, "{query}");
    }
    for query in [
        "where[color]=red",
        "where[\"id\"]=a",
        "where[rowid]=1",
        "limit=1&limit=2",
        "where[version]=x",
    ] {
        let path = format!("/things?{}", query.replace('"', "%22"));
        assert_eq!(world.code("GET", &path, Value::Null).await, "BAD_REQUEST", "{query}");
    }
}

#[tokio::test]
async fn an_object_that_was_only_read_has_nothing_in_the_bucket() {
    let world = World::new().await;
    assert_eq!(world.get("/things").await, json!({"items": [], "count": 0}));
    assert_eq!(world.get("/").await["collections"]["events"], "/do/DO/graph/events");
    assert_eq!(world.code("GET", "/things/x", Value::Null).await, "NOT_FOUND");
    assert_eq!(world.code("DELETE", "/things/x", Value::Null).await, "NOT_FOUND");
    assert_eq!(world.code("POST", "/things", json!({"nonsense": 1})).await, "BAD_REQUEST");
    let found = world
        .bucket
        .list(&Key::new("local/local/do/d-o/graph"), None, 10)
        .await
        .expect("memory answers");
    assert!(found.len() <= 1, "at most the record that claims the object: {found:?}");
}

#[tokio::test]
async fn bodies_that_are_no_items_are_refused() {
    let world = World::new().await;
    let deep = format!("{{\"data\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    for body in [deep.as_str(), "", "[]", "1", "{", "{\"data\": 1, \"type\": 1}", "{\"id\": \"\"}"]
    {
        let error = world.send_text("POST", "/things", body.to_owned()).await.expect_err("no item");
        assert_eq!(error.code(), "BAD_REQUEST", "{body}");
    }
    let long = "x".repeat(513);
    assert_eq!(world.code("POST", "/things", json!({ "id": long })).await, "BAD_REQUEST");
    assert_eq!(world.code("GET", &format!("/things/{long}"), Value::Null).await, "BAD_REQUEST");
    let nested = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let made = world
        .send_text("POST", "/things", format!("{{\"id\":\"n\",\"data\":{nested}}}"))
        .await
        .expect("not too deep");
    assert_eq!(made.body["data"].to_string(), nested);
}
