//! Events as they happen.

use dotdo::Body;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use super::world::World;

/// A client that reads events.
struct Reader(Body);

impl Reader {
    async fn start(world: &World, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = world.answer("GET", path, headers, String::new()).await.expect("an answer");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self(response.into_body())
    }

    /// The next part of the stream; `None` at its end.
    async fn next(&mut self) -> Option<String> {
        let frame = self.0.frame().await?.expect("no error");
        let bytes = frame.into_data().expect("data");
        Some(String::from_utf8(bytes.to_vec()).expect("text"))
    }

    /// The number and the item of the next event.
    async fn event(&mut self) -> Option<(i64, Value)> {
        let text = self.next().await?;
        let (id, data) = text.strip_prefix("id: ")?.split_once("\ndata: ")?;
        let item = serde_json::from_str(data.strip_suffix("\n\n")?).expect("JSON");
        Some((id.parse().expect("a number"), item))
    }
}

async fn honk(world: &World, id: &str) {
    world.ok("POST", "/events", json!({ "id": id, "verb": "honked\n\n" })).await;
}

#[tokio::test(start_paused = true)]
async fn readers_get_each_event_once_and_in_order_and_come_again_after_a_silence() {
    let world = World::new().await;
    honk(&world, "a").await;
    let mut new = Reader::start(&world, "/events?live", &[]).await;
    let mut all = Reader::start(&world, "/events?live=0", &[]).await;
    let mut rest = Reader::start(&world, "/events?live", &[("last-event-id", "1")]).await;
    assert_eq!(new.next().await.expect("a head"), "retry: 1000\nid: 1\n\n");
    assert_eq!(all.next().await.expect("a head"), "retry: 1000\nid: 0\n\n");
    assert_eq!(rest.next().await.expect("a head"), "retry: 1000\nid: 1\n\n");
    assert_eq!(all.event().await.expect("an event").1["id"], "a");

    // One event, one of a thing, and two of a batch.
    honk(&world, "b").await;
    world.ok("PUT", "/things/w", json!({})).await;
    let write =
        |id: &str| json!({ "method": "POST", "path": "events", "body": { "id": id, "verb": "x" } });
    world.ok("POST", "/", json!({ "writes": [write("c"), write("d")] })).await;
    for reader in [&mut new, &mut all, &mut rest] {
        let mut seen = Vec::new();
        for sequence in 2..=5 {
            let (number, item) = reader.event().await.expect("an event");
            assert_eq!((number, &item["sequence"]), (sequence, &json!(sequence)));
            seen.push(item["verb"].as_str().expect("a text").to_owned());
        }
        assert_eq!(seen, ["honked\n\n", "created", "x", "x"]);
        assert_eq!(reader.next().await, None, "the stream ends when nothing happens");
    }
    let mut again = Reader::start(&world, "/events?live", &[("last-event-id", "4")]).await;
    again.next().await.expect("a head");
    assert_eq!(again.event().await.expect("an event").1["id"], "d");
    // The object's value ends with a request that fails, and with it the stream; nothing of the
    // request comes.
    let lost = json!({ "writes": [write("e"), write("d")] });
    assert_eq!(world.code("POST", "/", lost).await, "CONFLICT");
    assert_eq!(again.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_too_slow_loses_nothing_but_its_stream() {
    let world = World::new().await;
    // An object that does not exist has no readers: they come again until it does.
    let mut none = Reader::start(&world, "/events?live", &[]).await;
    none.next().await.expect("a head");
    assert_eq!(none.next().await, None);
    honk(&world, "first").await;
    let mut slow = Reader::start(&world, "/events?live=0", &[]).await;
    for number in 1..80 {
        honk(&world, &format!("e{number}")).await;
    }
    slow.next().await.expect("a head");
    let mut last = 0;
    while let Some((number, _)) = slow.event().await {
        assert_eq!(number, last + 1);
        last = number;
    }
    assert!((1..80).contains(&last), "{last} events waited");
    let mut again =
        Reader::start(&world, "/events?live", &[("last-event-id", &last.to_string())]).await;
    again.next().await.expect("a head");
    for number in last + 1..=80 {
        assert_eq!(again.event().await.expect("an event").0, number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_its_server_and_after_a_page() {
    let mut world = World::new().await;
    let large = "x".repeat(400_000);
    for id in ["a", "b", "c", "d"] {
        world.ok("POST", "/events", json!({ "id": id, "verb": "x", "data": large })).await;
    }
    let mut all = Reader::start(&world, "/events?live=0", &[]).await;
    all.next().await.expect("a head");
    assert_eq!(all.event().await.expect("an event").0, 1);
    assert_eq!(all.event().await.expect("an event").0, 2);
    assert_eq!(all.next().await, None, "the rest does not fit a page; the client comes again");

    let mut live = Reader::start(&world, "/events?live", &[]).await;
    live.next().await.expect("a head");
    world.restart().await;
    assert_eq!(live.next().await, None, "the object has left");
}

#[tokio::test]
async fn what_is_no_number_of_an_event_is_refused() {
    let world = World::new().await;
    for path in
        ["/events?live=x", "/events?live&limit=1", "/events?live&where[verb]=x", "/things?live"]
    {
        assert_eq!(world.code("GET", path, Value::Null).await, "BAD_REQUEST", "{path}");
    }
    let error = world.answer("GET", "/events?live", &[("last-event-id", "x")], String::new()).await;
    assert_eq!(error.expect_err("no number").code(), "BAD_REQUEST");
    let head = world.answer("HEAD", "/events?live", &[], String::new()).await.expect("an answer");
    assert_eq!(head.into_body().bytes().await.expect("a body").len(), 0);
}
