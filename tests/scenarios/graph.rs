//! The built-in class through the front door: `dotdo serve`, a folder, clients, and a loss of
//! power.

use std::process::Command;

use dotdo_tests::{Deadline, Server, Setup, code_blocks, scratch};
use serde_json::{Deserializer, Value, json};

/// What stands in the document for anything.
const ANYTHING: &str = "…";

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_requests_get_the_documented_answers() {
    let folder = scratch();
    let server = setup(&folder).start().await;
    let (mut answers, mut compared) = (Vec::new(), 0);
    for block in code_blocks("docs/BUILT-IN.md") {
        match block.language.as_str() {
            "sh" => answers = run(&block.text.replace("http://127.0.0.1:8787", &server.url(""))),
            "json" => {
                let expected = values(block.text.as_bytes());
                assert!(
                    matches(&json!(expected), &json!(answers)),
                    "documented:\n{}\ngot:\n{}",
                    block.text,
                    json!(answers)
                );
                compared += 1;
            }
            other => panic!("the document has a block of {other:?}, which nobody runs"),
        }
    }
    assert!(compared > 15, "only {compared} answers were compared");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_loss_of_power() {
    let folder = scratch();
    let server = setup(&folder).start().await;
    let clients: Vec<_> = (0..4)
        .map(|client| tokio::spawn(write_until_it_breaks(server.url("/do/graph/things"), client)))
        .collect();
    let client = reqwest::Client::new();
    let some = || async { (count(&client, &server, "things").await? >= 20).then_some(()) };
    Deadline::in_seconds(180).until(some).await.expect("four clients write twenty things");
    server.kill9();
    let mut acknowledged = Vec::new();
    for client in clients {
        acknowledged.extend(client.await.expect("a client does not panic"));
    }

    let server = setup(&folder).start().await;
    // The lease of the dead server has to end first.
    let answered = || async { count(&client, &server, "things").await };
    Deadline::in_seconds(180).until(answered).await.expect("the object has an owner again");
    let (things, actions, events) = (
        all(&client, &server, "things").await,
        all(&client, &server, "actions").await,
        all(&client, &server, "events").await,
    );
    let ids: Vec<&Value> = things.iter().map(|thing| &thing["id"]).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !ids.contains(&&json!(id))).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert_eq!(
        (things.len(), actions.len()),
        (events.len(), events.len()),
        "a thing comes with its action and its event"
    );
    let sequences: Vec<&Value> = events.iter().map(|event| &event["sequence"]).collect();
    assert_eq!(json!(sequences), json!((1..=events.len()).collect::<Vec<_>>()), "no gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_events_come_each_once_and_only_if_they_last() {
    let folder = scratch();
    let server = setup(&folder).start().await;
    let client = reqwest::Client::new();
    let reading = tokio::spawn(follow(server.url("/do/graph/events"), 0, u64::MAX));
    let writing = tokio::spawn(write_until_it_breaks(server.url("/do/graph/things"), 0));
    let some = || async { (count(&client, &server, "events").await? >= 20).then_some(()) };
    Deadline::in_seconds(180).until(some).await.expect("a client writes twenty things");
    server.kill9();
    writing.await.expect("a client does not panic");
    let mut seen = reading.await.expect("a client does not panic");
    assert!(!seen.is_empty(), "the reader was told while the writer wrote");

    let server = setup(&folder).start().await;
    let answered = || async { count(&client, &server, "things").await };
    Deadline::in_seconds(180).until(answered).await.expect("the object has an owner again");
    let there = all(&client, &server, "events").await;
    let (last, newest) = (seen.last().expect("it is not empty").0, there.len() as u64 + 1);
    let reading = tokio::spawn(follow(server.url("/do/graph/events"), last, newest));
    let honk = json!({ "verb": "honked" }).to_string();
    let more = client.post(server.url("/do/graph/events")).body(honk).send().await;
    assert_eq!(more.expect("an answer").status(), 201);
    seen.extend(reading.await.expect("a client does not panic"));
    let there: Vec<(u64, String)> =
        all(&client, &server, "events").await.iter().map(name).collect();
    assert_eq!(seen, there, "each once, in order, and none that was lost");
}

/// The number and the id of an event.
fn name(event: &Value) -> (u64, String) {
    let id = event["id"].as_str().expect("an id").to_owned();
    (event["sequence"].as_u64().expect("a number"), id)
}

/// Reads the events after `last` as they come, as a browser does, up to the event `until` or to the
/// end of the server.
async fn follow(url: String, mut last: u64, until: u64) -> Vec<(u64, String)> {
    let (client, mut seen) = (reqwest::Client::new(), Vec::new());
    while last < until {
        let ask = client.get(format!("{url}?live")).header("last-event-id", last.to_string());
        let Ok(mut response) = ask.send().await else { return seen };
        let mut text = String::new();
        while let Ok(Some(part)) = response.chunk().await {
            text.push_str(std::str::from_utf8(&part).expect("an event is in one part"));
            while let Some((event, rest)) = text.split_once("\n\n") {
                if let Some((_, data)) = event.split_once("\ndata: ") {
                    let event = name(&serde_json::from_str(data).expect("JSON"));
                    last = event.0;
                    seen.push(event);
                }
                text = rest.to_owned();
            }
            if last >= until {
                break;
            }
        }
    }
    seen
}

/// Makes things one after the other; the ids of those that were acknowledged.
async fn write_until_it_breaks(url: String, client: u32) -> Vec<String> {
    let http = reqwest::Client::new();
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let id = format!("{client}-{number}");
        let Ok(response) = http.post(&url).body(json!({ "id": id }).to_string()).send().await
        else {
            break;
        };
        if response.status() == 201 {
            acknowledged.push(id);
        }
    }
    acknowledged
}

/// How many items the first page of a collection has; `None` when there is no answer.
async fn count(client: &reqwest::Client, server: &Server, collection: &str) -> Option<u64> {
    let response = client.get(server.url(&format!("/do/graph/{collection}"))).send().await.ok()?;
    let list: Value = response.error_for_status().ok()?.json().await.ok()?;
    list["count"].as_u64()
}

/// All items of a collection, page by page.
async fn all(client: &reqwest::Client, server: &Server, collection: &str) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let url = server.url(&format!("/do/graph/{collection}?limit=7{after}"));
        let page: Value =
            client.get(url).send().await.expect("an answer").json().await.expect("a page");
        items.extend(page["items"].as_array().expect("a page has items").iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return items,
        }
    }
}

fn setup(folder: &tempfile::TempDir) -> Setup {
    Setup::new(&format!("file://{}", folder.path().display()))
}

/// Runs commands as a reader would; the JSON values that they print.
fn run(commands: &str) -> Vec<Value> {
    let output =
        Command::new("sh").args(["-ec", commands]).output().expect("a shell can be started");
    assert!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
    values(&output.stdout)
}

fn values(text: &[u8]) -> Vec<Value> {
    let values: Result<Vec<Value>, _> = Deserializer::from_slice(text).into_iter().collect();
    values.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

fn matches(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::String(text), _) if text == ANYTHING => !got.is_null(),
        (Value::Array(expected), Value::Array(got)) => {
            expected.len() == got.len()
                && expected.iter().zip(got).all(|(expected, got)| matches(expected, got))
        }
        (Value::Object(expected), Value::Object(got)) => {
            expected.len() == got.len()
                && expected
                    .iter()
                    .all(|(name, value)| got.get(name).is_some_and(|got| matches(value, got)))
        }
        (expected, got) => expected == got,
    }
}
