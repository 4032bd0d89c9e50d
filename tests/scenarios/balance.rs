//! Real load balancers with the configurations in `deploy/`, in front of three servers: an object
//! stays where it is, and when servers end under load, nothing is lost, nothing is done twice, and
//! clients see only what the page about load balancing says.

use dotdo_tests::{Balancer, Deadline, Package, Server};
use nix::sys::signal::Signal;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::forward::{forwarding, good};
use crate::load::Load;
use crate::world::{ENDLESS_LEASE_MS, PATIENCE_SECONDS, World};

/// The classes that paths name in these tests.
const CLASSES: &str = "Ledger|Mirror";
/// More than any buffer on the way holds.
const LARGE_BYTES: usize = 8 << 20;
/// As much as a server reads before it begins to answer.
const WHOLE_BYTES: usize = 64 << 10;

/// Bodies that are echoed.
enum Bodies {
    /// The answer begins when the request is there.
    Whole,
    /// It begins before, and both are under way at once.
    Streamed,
}

async fn three(world: &World, lease_ms: &str) -> [Server; 3] {
    let setup = forwarding(world).env("DOTDO_LEASE_DURATION_MS", lease_ms);
    [setup.start().await, setup.start().await, setup.start().await]
}

async fn behind(package: Package, [first, second, third]: &[Server; 3]) -> Balancer {
    Balancer::start(package, [first, second, third], CLASSES).await
}

/// The value of a server's figure, added up over its labels.
async fn figure(server: &Server, http: &Client, name: &str) -> u64 {
    let text = good(http, Method::GET, server.url("/metrics")).await.text().await.expect("text");
    let values = text
        .lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_an_object_stays_where_it_is() {
    stays(Package::Haproxy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_an_object_stays_where_it_is() {
    stays(Package::Nginx).await;
}

async fn stays(package: Package) {
    let world = World::folder();
    let (servers, http) = (three(&world, ENDLESS_LEASE_MS).await, Client::new());
    let balancer = behind(package, &servers).await;
    let post = |path: &str| http.post(balancer.url(path));
    for round in 0..3 {
        for object in 0..24 {
            let id = format!("{object}%2F%C3%A9%20x");
            let query = format!("append?client={round}&n=");
            let ways = [
                post(&format!("/do/{id}/{query}1")),
                post(&format!("/do/Ledger/{id}/{query}2")),
                post(&format!("/{query}3")).header("x-do-id", &id),
                post(&format!("/{query}4"))
                    .header("x-dotdo-id", &id)
                    .header("x-dotdo-type", "Ledger"),
                post(&format!("/do/{id}/{query}5")).header("x-do-type", "Ledger"),
                // The header wins, whatever the path looks like.
                http.get(balancer.url("/count?/do/other")).header("x-do-id", &id),
            ];
            for (number, way) in (1..).zip(ways) {
                let answer = answered(way).await;
                let told = answer["position"].as_u64().or(answer["count"].as_u64());
                assert_eq!(
                    told,
                    Some(if number == 6 { round * 5 + 5 } else { round * 5 + number }),
                    "all ways lead to one object"
                );
            }
        }
    }
    for server in &servers {
        assert_eq!(
            figure(server, &http, "dotdo_forwarded_total").await,
            0,
            "an object's requests went to one server"
        );
        assert!(figure(server, &http, "dotdo_commits_total").await > 0, "each server has objects");
    }
    echoes(&http, &balancer, &Bodies::Whole).await;
    if package == Package::Haproxy {
        // nginx sends nothing of a request any more once its answer begins.
        echoes(&http, &balancer, &Bodies::Streamed).await;
    }
    let private = http.get(balancer.url("/metrics")).send().await.expect("the balancer answers");
    assert_eq!(private.status(), StatusCode::NOT_FOUND, "figures are not for everybody");
}

/// The JSON of a good answer.
async fn answered(request: RequestBuilder) -> Value {
    let answer = request.send().await.expect("the balancer answers");
    let (status, text) = (answer.status(), answer.text().await.expect("the whole answer"));
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Bodies, paths and queries pass as they are, whatever the method.
async fn echoes(http: &Client, balancer: &Balancer, bodies: &Bodies) {
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let sent =
            http.request(method.clone(), balancer.url("/do/Mirror/echoes/echo?a=%20b&c=/%2F"));
        let (bytes, sent) = match bodies {
            Bodies::Whole => (WHOLE_BYTES, sent.body(vec![7_u8; WHOLE_BYTES])),
            Bodies::Streamed => (LARGE_BYTES, sent.body(streamed())),
        };
        let answer = sent.send().await.expect("the balancer answers");
        assert_eq!(answer.status(), StatusCode::OK);
        let seen: Value =
            serde_json::from_str(answer.headers()["x-seen"].to_str().expect("text")).expect("JSON");
        assert_eq!(
            (&seen["method"], &seen["uri"]),
            (&method.as_str().into(), &"/echo?a=%20b&c=/%2F".into())
        );
        let echoed = answer.bytes().await.expect("the whole body");
        assert!(
            echoed.len() == bytes && echoed.iter().all(|byte| *byte == 7),
            "{} of {bytes} bytes",
            echoed.len()
        );
    }
}

/// A body without a length.
fn streamed() -> reqwest::Body {
    let chunks = (0..64).map(|_| Ok::<_, std::io::Error>(vec![7_u8; LARGE_BYTES / 64]));
    reqwest::Body::wrap_stream(futures_util::stream::iter(chunks))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_servers_end_under_load() {
    end_under_load(Package::Haproxy, &World::seaweed()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_servers_end_under_load() {
    end_under_load(Package::Nginx, &World::folder()).await;
}

/// One server is killed, another asked to stop; one is left. Appends that were refused left
/// nothing, acknowledged ones are there once, those with an unknown outcome once or not at all, and
/// what was read was never the past.
async fn end_under_load(package: Package, world: &World) {
    let [killed, stopped, left] = three(world, "1000").await;
    let balancer = Balancer::start(package, [&killed, &stopped, &left], CLASSES).await;
    let load = Load::new((0..12).map(|number| format!("balanced-{number}")));
    let running = load.start_at(vec![balancer.url("")]);
    load.goes_on(60).await;
    killed.kill9();
    load.goes_on(100).await;
    stopped.signal(Signal::SIGTERM);
    load.goes_on(100).await;
    running.stop().await;
    assert_eq!(stopped.wait().code(), Some(0), "{}", stopped.stderr());
    load.check(&left).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balancer_without_servers_says_whether_anything_was_done() {
    for (package, code) in [(Package::Haproxy, "NO_REPLICA"), (Package::Nginx, "OUTCOME_UNKNOWN")] {
        let world = World::folder();
        let (servers, http) = (three(&world, ENDLESS_LEASE_MS).await, Client::new());
        let balancer = behind(package, &servers).await;
        servers.iter().for_each(Server::kill9);
        let told = || async {
            let answer = http.put(balancer.url("/do/a/append?client=1&n=1")).send().await.ok()?;
            let (status, answer) = (answer.status(), answer.json::<Value>().await.ok()?);
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
            (answer["code"] == code).then_some(())
        };
        Deadline::in_seconds(PATIENCE_SECONDS)
            .until(told)
            .await
            .unwrap_or_else(|| panic!("{package:?}: {}", balancer.stderr()));
    }
}
