//! Several servers on one store, and requests that come to any of them: they reach the one that
//! owns their object.

use dotdo_tests::{Server, Setup};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;

use crate::world::{ENDLESS_LEASE_MS, World};
use dotdo_tests::ledger::error_of;

/// What the servers know.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// More than any buffer on the way holds.
const LARGE_BYTES: usize = 8 << 20;

/// A server that forwards.
pub(crate) fn forwarding(world: &World) -> Setup {
    world.setup().env("DOTDO_PEER_SECRET", SECRET)
}

/// Three servers that forward, with leases that last.
async fn three(world: &World) -> [Server; 3] {
    let setup = forwarding(world).env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    [setup.start().await, setup.start().await, setup.start().await]
}

/// Sends a request without a body and expects a good answer.
pub(crate) async fn good(http: &Client, method: Method, url: String) -> Response {
    let answer = http.request(method, &url).send().await.expect("the server answers");
    let status = answer.status();
    if !status.is_success() {
        panic!("{url}: {:?}", error_of(answer).await);
    }
    answer
}

async fn value(answer: Response) -> Value {
    answer.json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_server_on_a_folder_reaches_the_owner() {
    any_server(&World::folder()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_server_on_s3_reaches_the_owner() {
    any_server(&World::seaweed()).await;
}

async fn any_server(world: &World) {
    let (servers, http) = (three(world).await, Client::new());
    for round in 0..4 {
        for object in 0..9 {
            // Each object begins at another server, and goes round.
            let server = &servers[(round + object) % 3];
            let answer = good(
                &http,
                Method::POST,
                server.url(&format!("/do/object-{object}/append?client=1&n={round}")),
            )
            .await;
            assert_eq!(
                value(answer).await["position"],
                round + 1,
                "everybody sees what the others wrote"
            );
            let answer = good(
                &http,
                Method::GET,
                servers[(round + object + 1) % 3].url(&format!("/do/object-{object}/count")),
            )
            .await;
            assert_eq!(value(answer).await["count"], round + 1);
        }
    }
    let bucket = world.bucket();
    for object in 0..9 {
        let log = crate::world::entries(bucket.as_ref(), &format!("object-{object}"), "log").await;
        assert!(log.len() >= 4, "each write has its record");
    }
    for server in &servers {
        let figures =
            good(&http, Method::GET, server.url("/metrics")).await.text().await.expect("text");
        let forwarded = figures
            .lines()
            .find_map(|line| line.strip_prefix("dotdo_forwarded_total{result=\"answered\"} "));
        // Each server got 24 requests: for its own three objects in two rounds of writes and one of
        // reads, the rest for those of the others.
        assert_eq!(forwarded, Some("15"), "{figures}");
        let committed =
            figures.lines().find_map(|line| line.strip_prefix("dotdo_commits_failed_total"));
        assert_eq!(committed, None, "nobody wrote to an object of another");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_and_headers_pass_as_they_are() {
    let world = World::folder();
    let (servers, http) = (three(&world).await, Client::new());
    good(&http, Method::POST, servers[0].url("/do/Mirror/large/own")).await;
    let large: Vec<u8> = (0..LARGE_BYTES).map(|at| (at * 7 + at / 251) as u8).collect();
    for (server, body) in
        [(1, large.clone()), (2, large), (1, Vec::new()), (2, vec![0, 255, 13, 10])]
    {
        let url = servers[server].url("/do/Mirror/large/echo?a=%20b&c");
        let sent = http
            .put(url)
            .header("x-many", "one")
            .header("x-many", "two, three")
            .header("x-request-id", "my-id")
            .body(body.clone());
        let answer = sent.send().await.expect("the server answers");
        assert_eq!(answer.status(), StatusCode::OK);
        let many: Vec<_> = answer
            .headers()
            .get_all("x-many")
            .iter()
            .map(|value| value.to_str().expect("text").to_owned())
            .collect();
        assert_eq!(many, ["one", "two, three"]);
        assert_eq!(answer.headers()["x-request-id"], "my-id");
        assert!(
            !answer.headers().contains_key("dotdo-peer"),
            "what servers tell each other is none of a client's business"
        );
        let seen: Value =
            serde_json::from_str(answer.headers()["x-seen"].to_str().expect("text")).expect("JSON");
        assert_eq!((&seen["method"], &seen["uri"]), (&"PUT".into(), &"/echo?a=%20b&c".into()));
        assert!(answer.bytes().await.expect("the whole body") == body, "{} bytes", body.len());
    }
    let chunks = futures_util::stream::iter(
        (0..64).map(|_| Ok::<_, std::io::Error>(vec![7_u8; LARGE_BYTES / 64])),
    );
    let sent =
        http.post(servers[1].url("/do/Mirror/large/echo")).body(reqwest::Body::wrap_stream(chunks));
    let echoed =
        sent.send().await.expect("the server answers").bytes().await.expect("the whole body");
    assert!(
        echoed.len() == LARGE_BYTES && echoed.iter().all(|byte| *byte == 7),
        "a body without a length"
    );
    let head =
        http.head(servers[2].url("/do/Mirror/large/own")).send().await.expect("the server answers");
    assert_eq!(
        (head.status(), head.headers()["content-length"].as_bytes()),
        (StatusCode::OK, &b"11"[..])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_pass_as_they_are() {
    let world = World::folder();
    let (servers, http) = (three(&world).await, Client::new());
    good(&http, Method::POST, servers[0].url("/do/Mirror/object/own")).await;
    let mut told = Vec::new();
    for server in &servers {
        let sent = http.post(server.url("/do/Mirror/object/fail")).header("x-request-id", "fails");
        let answer = sent.send().await.expect("the server answers");
        let (status, headers) = (answer.status(), answer.headers().clone());
        told.push((
            status,
            headers["content-type"].clone(),
            headers["x-request-id"].clone(),
            value(answer).await,
        ));
    }
    assert_eq!(told[0].3["code"], "AS_ASKED");
    assert_eq!(told[0].3["details"]["why"], "asked");
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_call_objects_of_other_servers() {
    let world = World::folder();
    let (servers, http) = (three(&world).await, Client::new());
    for (server, id) in servers.iter().zip(["a", "b", "c"]) {
        good(&http, Method::POST, server.url(&format!("/do/Mirror/{id}/own"))).await;
    }
    let call = |path: String| good(&http, Method::POST, servers[0].url(&path));
    let called = value(call("/do/Mirror/a/call?class=Mirror&id=b&to=/own".into()).await).await;
    assert_eq!((&called["status"], &called["body"]), (&200.into(), &"{\"count\":2}".into()));
    let echoed = value(call("/do/Mirror/a/call?class=Mirror&id=c&to=/echo".into()).await).await;
    assert_eq!(echoed["body"], "hello");
    let failed = value(call("/do/Mirror/a/call?class=Mirror&id=b&to=/fail".into()).await).await;
    assert_eq!(
        (&failed["kind"], &failed["code"]),
        (&"Conflict".into(), &"AS_ASKED".into()),
        "an error stays an error: {failed}"
    );
    assert_eq!(failed["details"]["why"], "asked");
    // a asks b, which asks a: it would wait for itself.
    let cycle = value(
        call("/do/Mirror/a/call?class=Mirror&id=b&to=/call&then=class=Mirror&id=a&to=/own".into())
            .await,
    )
    .await;
    let inner: Value =
        serde_json::from_str(cycle["body"].as_str().expect("b answers")).expect("JSON");
    assert_eq!(inner["code"], "CALL_CYCLE", "{cycle}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_speaks_as_a_server_without_the_secret() {
    let world = World::folder();
    let setup = world.setup().env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let owner = setup.clone().env("DOTDO_PEER_SECRET", SECRET).start().await;
    let stranger = setup.clone().env("DOTDO_PEER_SECRET", SECRET.replace('0', "1")).start().await;
    let (alone, http) = (setup.start().await, Client::new());
    good(&http, Method::POST, owner.url("/do/object/append?client=1&n=0")).await;
    let answer = http
        .post(stranger.url("/do/object/append?client=1&n=1"))
        .send()
        .await
        .expect("the server answers");
    assert!(answer.headers().contains_key("retry-after"), "{answer:?}");
    let (status, code, message) = error_of(answer).await;
    assert_eq!(
        (status, code.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "OWNED_BY_OTHER_INSTANCE"),
        "{message}"
    );
    for server in [&owner, &stranger, &alone] {
        for header in ["", "x", "e30.00", "1;from=me"] {
            let sent = http
                .post(server.url("/do/object/append?client=1&n=2"))
                .header("dotdo-peer", header);
            let (status, code, _) = error_of(sent.send().await.expect("the server answers")).await;
            assert_eq!(
                (status, code.as_str()),
                (StatusCode::FORBIDDEN, "PEER_REFUSED"),
                "{header:?}"
            );
        }
    }
    assert_eq!(
        value(good(&http, Method::GET, owner.url("/do/object/count")).await).await["count"],
        1
    );
    for server in [&owner, &stranger] {
        assert!(
            !server.stderr().contains(SECRET)
                && !server.stderr().contains(&SECRET.replace('0', "1")),
            "secrets are not logged"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_fly_the_wrong_server_names_the_right_machine() {
    let world = World::folder();
    let setup = world.setup().env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let (first, second) = (
        setup.clone().env("FLY_MACHINE_ID", "m1").start().await,
        setup.env("FLY_MACHINE_ID", "m2").start().await,
    );
    let http = Client::new();
    good(&http, Method::POST, first.url("/do/object/append?client=1&n=0")).await;
    let append = || http.post(second.url("/do/object/append?client=1&n=1"));
    let answer = append().send().await.expect("the server answers");
    assert_eq!(
        answer.headers()["fly-replay"],
        "instance=m1;state=m2;timeout=5s;fallback=force_self"
    );
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    // What can't be replayed, or was in vain already, is answered as without forwarding.
    let large =
        http.post(second.url("/do/Ledger/object/append?client=1&n=1")).body(vec![0; 2 << 20]);
    let failed = append()
        .header("fly-replay-src", "instance=m2;region=ams;t=1;state=m2")
        .header("fly-replay-failed", "reason=timeout");
    let circle = append().header("fly-replay-src", "instance=m1;region=ams;t=1;state=m2+m1");
    for request in [large, failed, circle] {
        let (status, code, message) =
            error_of(request.send().await.expect("the server answers")).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "OWNED_BY_OTHER_INSTANCE"),
            "{message}"
        );
    }
}
