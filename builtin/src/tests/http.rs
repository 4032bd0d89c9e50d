//! Conditions, exact JSON, encodings and batches.

use serde_json::{Value, json};

use super::world::{Reply, World};

/// The answer to a request with a header.
async fn with(world: &World, request: (&str, &str), header: (&str, &str), body: Value) -> Reply {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let sent = world.send_with(request.0, request.1, &[header], text).await;
    sent.unwrap_or_else(|error| panic!("{request:?} {header:?}: {error:?}"))
}

/// The status, the code and the details of a request with a header that fails.
async fn refused(
    world: &World,
    request: (&str, &str),
    header: (&str, &str),
    body: Value,
) -> (u16, Value) {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let error = world.send_with(request.0, request.1, &[header], text).await;
    let error = error
        .map(|reply| panic!("{request:?} {header:?}: {reply:?}"))
        .unwrap_or_else(|error: dotdo::Error| error);
    assert_eq!(error.code(), "PRECONDITION_FAILED", "{request:?} {header:?}: {error:?}");
    assert_eq!(error.kind(), dotdo::ErrorKind::PreconditionFailed);
    (412, error.details().expect("it says the tag")["etag"].clone())
}

fn tag(reply: &Reply) -> &str {
    reply.headers["etag"].to_str().expect("a text")
}

#[tokio::test]
async fn a_thing_is_written_only_if_its_version_is_the_expected_one() {
    let world = World::new().await;
    let (make, thing) = (("PUT", "/things/w"), json!({ "name": "one" }));
    let made = with(&world, make, ("if-none-match", "*"), thing.clone()).await;
    assert_eq!((made.status.as_u16(), tag(&made)), (201, "\"1\""));
    let again = refused(&world, make, ("if-none-match", "*"), thing.clone()).await;
    assert_eq!(again, (412, json!("\"1\"")));

    let change = ("PATCH", "/things/w");
    let two = with(&world, change, ("if-match", "\"1\""), json!({ "name": "two" })).await;
    assert_eq!(tag(&two), "\"2\"");
    for request in [change, make, ("DELETE", "/things/w")] {
        let body = if request.0 == "DELETE" { Value::Null } else { json!({ "name": "lost" }) };
        let old = refused(&world, request, ("if-match", "\"1\""), body).await;
        assert_eq!(old, (412, json!("\"2\"")), "{request:?}");
    }
    // What compresses answers weakens tags; several are a choice.
    let three =
        with(&world, change, ("if-match", "\"9\", W/\"2\""), json!({ "name": "three" })).await;
    assert_eq!((tag(&three), &three.body["name"]), ("\"3\"", &json!("three")));
    let gone = with(&world, ("DELETE", "/things/w"), ("if-match", "*"), Value::Null).await;
    assert_eq!(gone.status, 204);
    let missing = refused(&world, make, ("if-match", "*"), thing).await;
    assert_eq!(missing, (412, Value::Null), "it would create the thing");
    let error = world.send_with("PATCH", "/things/w", &[("if-match", "*")], "{}".to_owned()).await;
    assert_eq!(error.expect_err("there is none").code(), "NOT_FOUND");
    assert_eq!(world.get("/events").await["count"], 4, "what was refused has left nothing");
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let world = World::new().await;
    world.ok("PUT", "/things/w", json!({ "name": "one" })).await;
    world
        .ok("POST", "/relationships", json!({ "id": "r", "verb": "is", "from": "a", "to": "b" }))
        .await;
    for path in
        ["/things/w", "/things/w?version=1", "/things", "/relationships/r", "/events?limit=1"]
    {
        let first = world.send("GET", path, Value::Null).await.expect("it is there");
        let tag = tag(&first).to_owned();
        let again = with(&world, ("GET", path), ("if-none-match", &tag), Value::Null).await;
        assert_eq!((again.status.as_u16(), &again.body), (304, &Value::Null), "{path}");
        assert_eq!(again.headers["etag"], tag.as_str(), "{path}");
        assert!(!again.headers.contains_key("content-type"), "{path}");
        let head = with(&world, ("HEAD", path), ("if-none-match", &tag), Value::Null).await;
        assert_eq!(head.status, 304, "{path}");
        let other = with(&world, ("GET", path), ("if-none-match", "\"other\""), Value::Null).await;
        assert_eq!((other.status.as_u16(), other.body), (200, first.body), "{path}");
        let (status, is) =
            refused(&world, ("GET", path), ("if-match", "\"other\""), Value::Null).await;
        assert_eq!((status, is), (412, json!(tag)), "{path}");
    }
    let old = world.send("GET", "/things", Value::Null).await.expect("a list");
    world.ok("PUT", "/things/v", json!({})).await;
    let new = with(&world, ("GET", "/things"), ("if-none-match", tag(&old)), Value::Null).await;
    assert_eq!((new.status.as_u16(), &new.body["count"]), (200, &json!(2)));
}

#[tokio::test]
async fn records_that_are_changed_in_place_have_a_tag_of_their_content() {
    let world = World::new().await;
    let made =
        world.send("POST", "/actions", json!({ "id": "a", "verb": "wash" })).await.expect("new");
    let first = tag(&made).to_owned();
    let read = world.send("GET", "/actions/a", Value::Null).await.expect("it is there");
    assert_eq!(tag(&read), first);
    let run = json!({ "status": "running" });
    let second = with(&world, ("PATCH", "/actions/a"), ("if-match", &first), run.clone()).await;
    assert_ne!(tag(&second), first);
    for request in [("PATCH", "/actions/a"), ("PUT", "/actions/a"), ("DELETE", "/actions/a")] {
        let body = if request.0 == "DELETE" { Value::Null } else { json!({ "verb": "dry" }) };
        let (_, is) = refused(&world, request, ("if-match", &first), body).await;
        assert_eq!(is, json!(tag(&second)), "{request:?}");
    }
    let only_new = ("if-none-match", "*");
    refused(&world, ("PUT", "/actions/a"), only_new, json!({ "verb": "dry" })).await;
    let other = with(&world, ("PUT", "/actions/b"), only_new, json!({ "verb": "dry" })).await;
    assert_eq!(other.status, 201);
}

#[tokio::test]
async fn a_condition_that_can_not_be_kept_is_refused() {
    let world = World::new().await;
    for (request, header) in [
        (("POST", "/things"), ("if-match", "*")),
        (("POST", "/events"), ("if-none-match", "*")),
        (("POST", "/"), ("if-match", "*")),
        (("PUT", "/things/w"), ("if-match", "1")),
        (("GET", "/things"), ("if-none-match", "\"1")),
    ] {
        let body = if request.0 == "GET" { String::new() } else { r#"{"verb": "x"}"#.to_owned() };
        let error = world.send_with(request.0, request.1, &[header], body).await;
        assert_eq!(error.expect_err("it is refused").code(), "BAD_REQUEST", "{request:?}");
    }
    assert_eq!(world.get("/things").await["count"], 0);
}

#[tokio::test]
async fn a_body_is_taken_as_it_is_or_refused() {
    let world = World::new().await;
    for (body, code) in [
        (r#"{"name": "a", "name": "b"}"#, "DUPLICATE_NAME"),
        (r#"{"data": {"x": [{"y": 1, "\u0079": 2}]}}"#, "DUPLICATE_NAME"),
        (r#"{"data": 12345678901234567890123}"#, "INEXACT_NUMBER"),
        (r#"{"data": [1, 0.12345678901234567890]}"#, "INEXACT_NUMBER"),
    ] {
        for (method, path) in [("POST", "/things"), ("PUT", "/things/w"), ("PATCH", "/things/w")] {
            let error = world.send_text(method, path, body.to_owned()).await;
            assert_eq!(error.expect_err("it is refused").code(), code, "{method} {body}");
        }
    }
    let exact = r#"{"data": [-9223372036854775808, 18446744073709551615, 0.1, 1.5e300, "12345678901234567890123"]}"#;
    world.send_text("PUT", "/things/w", exact.to_owned()).await.expect("all of it is exact");
    let kept = world.get("/things/w").await["data"].to_string();
    assert_eq!(
        kept,
        r#"[-9223372036854775808,18446744073709551615,0.1,1.5e+300,"12345678901234567890123"]"#
    );

    for encoding in ["gzip", "zstd", "identity, br"] {
        let sent =
            with(&world, ("POST", "/things"), ("content-encoding", encoding), json!({})).await;
        assert_eq!(sent.status, 415, "{encoding}");
        assert_eq!(sent.body["code"], "UNSUPPORTED_ENCODING");
        assert_eq!(sent.headers["accept-encoding"], "identity");
    }
    let plain =
        with(&world, ("POST", "/things"), ("content-encoding", "identity"), json!({})).await;
    assert_eq!(plain.status, 201);
}

#[tokio::test]
async fn a_batch_is_written_as_a_whole_or_not_at_all() {
    let world = World::new().await;
    let batch = json!({ "writes": [
        { "method": "POST", "path": "things", "body": { "id": "order", "type": "Order" } },
        { "method": "PUT", "path": "/things/line?branch=draft&actor=ada", "body": { "data": { "n": 2 } }, "ifNoneMatch": "*" },
        { "method": "POST", "path": "relationships", "body": { "id": "r", "verb": "has", "from": "order", "to": "line" } },
        { "method": "PATCH", "path": "things/order", "body": { "name": "An order" }, "ifMatch": "\"1\"" },
        { "method": "DELETE", "path": "relationships/r" },
    ] });
    let done = world.ok("POST", "/", batch).await;
    let results = done["results"].as_array().expect("a list");
    let statuses: Vec<u64> =
        results.iter().map(|result| result["status"].as_u64().expect("a number")).collect();
    assert_eq!(statuses, [201, 201, 201, 200, 204]);
    assert_eq!((&results[0]["etag"], &results[3]["etag"]), (&json!("\"1\""), &json!("\"3\"")));
    assert_eq!(results[1]["location"], "/do/DO/graph/things/line?branch=draft");
    assert_eq!(results[3]["body"]["name"], "An order");
    assert_eq!(results[4], json!({ "status": 204 }));
    let by = world.get("/actions?where[actor]=ada").await;
    assert_eq!((&by["count"], &by["items"][0]["request_id"]), (&json!(1), &json!("r-1")));

    let before = world.get("/events").await;
    for (write, code) in [
        (json!({ "method": "POST", "path": "things", "body": { "id": "order" } }), "CONFLICT"),
        (
            json!({ "method": "PATCH", "path": "things/order", "body": {}, "ifMatch": "\"1\"" }),
            "PRECONDITION_FAILED",
        ),
        (json!({ "method": "PATCH", "path": "things/nobody", "body": {} }), "NOT_FOUND"),
        (json!({ "method": "GET", "path": "things" }), "BAD_REQUEST"),
        (json!({ "method": "DELETE", "path": "things" }), "BAD_REQUEST"),
        (json!({ "method": "POST", "path": "" }), "BAD_REQUEST"),
        (json!({ "method": "POST", "path": "things", "body": 1 }), "BAD_REQUEST"),
        (json!({ "method": "POST", "path": "things", "headers": {} }), "BAD_REQUEST"),
        (json!("POST things"), "BAD_REQUEST"),
    ] {
        let first = json!({ "method": "PUT", "path": "things/lost", "body": {} });
        let sent = world.send("POST", "/", json!({ "writes": [first, write] })).await;
        let error = sent.expect_err("the second write fails");
        assert_eq!(error.code(), code, "{write}");
        assert_eq!(error.details().expect("it says which")["write"], 1, "{write}");
    }
    for body in [json!({}), json!({ "writes": {} }), json!({ "writes": [], "more": 1 })] {
        assert_eq!(world.code("POST", "/", body).await, "BAD_REQUEST");
    }
    let many: Vec<Value> = (0..1001).map(|_| json!({})).collect();
    assert_eq!(world.code("POST", "/", json!({ "writes": many })).await, "BAD_REQUEST");
    assert_eq!(world.get("/events").await, before, "nothing was written");
}
