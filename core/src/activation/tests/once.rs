//! Requests with an idempotency key: run once, answered as often as they are sent.

mod callers;

use bytes::Bytes;

use super::*;

const KEEP: Duration = Duration::from_secs(24 * 3600);

/// Counts how often it was run, in a table, and answers in all sorts of ways.
struct Till;

impl DurableObject for Till {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().text().await?;
        let has = |ctx: &mut Context, table: &str| -> Result<bool> {
            Ok(ctx
                .sql()
                .exec("SELECT count(*) FROM sqlite_schema WHERE name = ?", (table,))?
                .one::<i64>()?
                > 0)
        };
        match path.as_str() {
            "/refused" => {
                return Ok(http::Response::builder().status(409).body("no".into())?);
            }
            "/entries" => {
                let known = has(ctx, "_dotdo_requests")?;
                let count: i64 = if known {
                    ctx.sql().exec("SELECT count(*) FROM _dotdo_requests", ())?.one()?
                } else {
                    0
                };
                return Ok(Response::new(count.to_string().into()));
            }
            _ => {}
        }
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS runs (n INTEGER PRIMARY KEY, body TEXT)", ())?;
        let run: i64 =
            ctx.sql().exec("INSERT INTO runs (body) VALUES (?) RETURNING n", (body,))?.one()?;
        match path.as_str() {
            "/fail" => Err(Error::handler("on purpose")),
            "/stream" => Ok(Response::new(Body::new(http_body_util::Full::new(Bytes::from(
                format!("streamed {run}"),
            ))))),
            "/large" => {
                Ok(Response::new(vec![7_u8; crate::limits::STORED_RESPONSE_BYTES_MAX + 1].into()))
            }
            "/large-stream" => {
                let body = http_body_util::Full::new(Bytes::from(vec![
                    7_u8;
                    crate::limits::STORED_RESPONSE_BYTES_MAX
                        + 1
                ]));
                Ok(Response::new(Body::new(body)))
            }
            _ => Ok(http::Response::builder()
                .status(201)
                .header("x-run", run)
                .header("x-run", "twice")
                .body(format!("run {run}").into())?),
        }
    }
}

fn tills() -> World {
    World::of(App::new().class("Till", || Till))
}

/// What a client sees.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    runs: Vec<String>,
    replayed: bool,
    body: String,
}

async fn send(
    engine: &Engine,
    method: &str,
    path: &'static str,
    (key, body): (&str, &str),
) -> Result<Seen> {
    let mut request = http::Request::builder().method(method).uri(path);
    if !key.is_empty() {
        request = request.header("Idempotency-Key", key);
    }
    let object = Tenant::local().object("Till", "a").expect("a good id");
    let response = engine.fetch(&object, None, request.body(body.to_owned().into())?).await?;
    let (head, body) = response.into_parts();
    let runs = head
        .headers
        .get_all("x-run")
        .iter()
        .map(|value| value.to_str().expect("text").to_owned())
        .collect();
    let replayed = head.headers.contains_key("idempotency-replayed");
    Ok(Seen { status: head.status.as_u16(), runs, replayed, body: body.text().await? })
}

async fn post(engine: &Engine, path: &'static str, key: &str) -> Result<Seen> {
    send(engine, "POST", path, (key, "body")).await
}

fn ran(run: u32, replayed: bool) -> Seen {
    Seen {
        status: 201,
        runs: vec![run.to_string(), "twice".into()],
        replayed,
        body: format!("run {run}"),
    }
}

async fn entries(engine: &Engine) -> String {
    send(engine, "GET", "/entries", ("", "")).await.expect("it counts").body
}

#[tokio::test]
async fn a_request_that_comes_again_gets_the_stored_response_from_any_server() {
    let world = tills();
    let first = world.server(1).await;
    assert_eq!(post(&first, "/", "\"k\"").await.expect("it runs"), ran(1, false));
    assert_eq!(post(&first, "/", "\"k\"").await.expect("it is known"), ran(1, true));
    assert_eq!(
        post(&first, "/", "k").await.expect("the same key without quotation marks"),
        ran(1, true)
    );
    // Another server that has to take over, from the log.
    world.clock.advance(Duration::from_secs(60));
    let second = world.server(2).await;
    assert_eq!(post(&second, "/", "k").await.expect("it is known"), ran(1, true));
    // One that restores from a snapshot.
    second.shutdown(Duration::from_secs(5)).await;
    let third = world.server(3).await;
    assert_eq!(post(&third, "/", "k").await.expect("it is known"), ran(1, true));
    assert_eq!(
        post(&third, "/", "other").await.expect("another key, another request"),
        ran(2, false)
    );
}

#[tokio::test]
async fn functions_that_compete_for_an_object_run_a_request_once() {
    let world = tills();
    let (first, second) = (world.function(1).await, world.function(2).await);
    for round in 1..=5 {
        let key = format!("k{round}");
        // Both have the object in memory; the loser runs its handlers again on what the winner
        // wrote.
        let seen =
            join_all([&first, &second, &first, &second].map(|engine| post(engine, "/", &key)))
                .await;
        let bodies: Vec<String> =
            seen.into_iter().map(|seen| seen.expect("an answer").body).collect();
        assert_eq!(bodies, vec![format!("run {round}"); 4]);
    }
}

#[tokio::test]
async fn a_key_costs_no_record_more_and_its_answer_none() {
    let world = tills();
    let engine = world.server(1).await;
    post(&engine, "/", "").await.expect("it runs");
    for (key, records) in [("", 1), ("k", 1), ("k", 0)] {
        let before = world.bucket.creates_of("/log/");
        post(&engine, "/", key).await.expect("an answer");
        assert_eq!(world.bucket.creates_of("/log/") - before, records, "{key:?}");
    }
}

#[tokio::test]
async fn a_key_that_stands_for_another_request_is_refused() {
    let world = tills();
    let engine = world.server(1).await;
    post(&engine, "/", "k").await.expect("it runs");
    for (method, path, body) in [
        ("POST", "/", "other"),
        ("POST", "/?x=1", "body"),
        ("POST", "/other", "body"),
        ("PUT", "/", "body"),
    ] {
        let error = send(&engine, method, path, ("k", body)).await.expect_err("another request");
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::KeyReused, "IDEMPOTENCY_KEY_REUSED"),
            "{method} {path}"
        );
    }
    assert_eq!(post(&engine, "/", "new").await.expect("nothing has run since"), ran(2, false));
}

#[tokio::test]
async fn what_failed_is_not_stored_and_what_was_answered_is() {
    let world = tills();
    let engine = world.server(1).await;
    for _ in 0..2 {
        assert_eq!(
            post(&engine, "/fail", "k").await.expect_err("it fails each time").kind(),
            ErrorKind::Handler
        );
    }
    assert_eq!(entries(&engine).await, "0");
    assert_eq!(post(&engine, "/", "k").await.expect("the key is still free"), ran(1, false));
    let refused = post(&engine, "/refused", "r").await.expect("an answer");
    assert_eq!((refused.status, refused.replayed), (409, false));
    let refused = post(&engine, "/refused", "r").await.expect("an answer");
    assert_eq!((refused.status, refused.replayed), (409, true), "also when it changed nothing");
}

#[tokio::test]
async fn the_body_of_a_stored_response_is_read_to_its_end_and_may_not_be_endless() {
    let world = tills();
    let engine = world.server(1).await;
    for replayed in [false, true] {
        let seen = post(&engine, "/stream", "k").await.expect("it runs");
        assert_eq!((seen.body.as_str(), seen.replayed), ("streamed 1", replayed));
    }
    for path in ["/large", "/large-stream"] {
        let error = post(&engine, path, "large").await.expect_err("it can't be stored");
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Handler, "IDEMPOTENCY_RESPONSE_TOO_LARGE")
        );
    }
    assert_eq!(post(&engine, "/", "large").await.expect("nothing of it remains"), ran(2, false));
}

#[tokio::test]
async fn two_at_once_with_one_key_are_run_once() {
    let world = tills();
    let engine = world.server(1).await;
    let seen = join_all((0..8).map(|_| post(&engine, "/", "k"))).await;
    let replayed = seen.iter().filter(|seen| seen.as_ref().expect("an answer").replayed).count();
    assert_eq!(replayed, 7);
    assert!(seen.into_iter().all(|seen| seen.expect("an answer").body == "run 1"));
}

#[tokio::test]
async fn after_an_unknown_outcome_the_same_request_is_done_once() {
    // Nothing of it is in the log, or all of it.
    for (fault, replayed) in [(Fault::NotApplied, false), (Fault::LostAnswer, true)] {
        let world = tills();
        let engine = world.server(1).await;
        post(&engine, "/", "first").await.expect("it runs");
        world.bucket.fail_next_commits([fault, Fault::Refused]);
        let asked = tokio::spawn({
            let engine = engine.clone();
            async move { post(&engine, "/", "k").await }
        });
        while !asked.is_finished() {
            // The committer waits between its attempts.
            world.clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
        let outcome = asked.await.expect("it does not panic");
        assert_eq!(outcome.is_ok(), replayed, "{outcome:?}");
        assert_eq!(post(&engine, "/", "k").await.expect("it is done now"), ran(2, replayed));
        assert_eq!(post(&engine, "/", "k").await.expect("it is known"), ran(2, true));
    }
}

#[tokio::test]
async fn what_is_too_old_is_forgotten_a_few_at_a_time() {
    let world = tills();
    let engine = world.server(1).await;
    for n in 0..40 {
        post(&engine, "/", &n.to_string()).await.expect("it runs");
    }
    world.clock.advance(KEEP);
    assert_eq!(post(&engine, "/", "0").await.expect("it is known still"), ran(1, true));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(post(&engine, "/", "39").await.expect("it is forgotten"), ran(41, false));
    assert_eq!(post(&engine, "/", "39").await.expect("it is known again"), ran(41, true));
    assert_eq!(entries(&engine).await, "24");
    for n in 0..4 {
        post(&engine, "/", &format!("later {n}").replace(' ', "-")).await.expect("it runs");
    }
    assert_eq!(entries(&engine).await, "5");
}

#[tokio::test]
async fn a_get_with_a_key_that_writes_is_done_once_and_one_that_reads_leaves_nothing() {
    let world = tills();
    for engine in [world.server(1).await, world.function(2).await] {
        let key = engine.runtime().instance.to_string();
        let written = send(&engine, "GET", "/", (&key, "")).await.expect("it runs");
        let again = send(&engine, "GET", "/", (&key, "")).await.expect("it is answered");
        assert!(!written.replayed && again.replayed, "{written:?}, then {again:?}");
        assert_eq!(again.body, written.body);
        let records = world.records();
        let read = (format!("{key}-read"), "");
        for _ in 0..2 {
            let read = send(&engine, "GET", "/entries", (&read.0, read.1)).await.expect("a read");
            assert!(!read.replayed, "{read:?}");
        }
        assert_eq!(world.records(), records, "a read needs no record");
        for method in ["GET", "POST"] {
            let error = send(&engine, method, "/", ("a b", "")).await.expect_err("no key");
            assert_eq!(error.code(), "BAD_IDEMPOTENCY_KEY", "{method}");
        }
        engine.shutdown(Duration::from_secs(60)).await;
    }
    let engine = world.server(3).await;
    assert_eq!(entries(&engine).await, "2", "one for each that wrote");
}
