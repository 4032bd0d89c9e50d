//! Two tenants with the same classes and ids on two servers that forward to each other: each
//! object has one caller, whichever server it is asked through, and nothing of the other tenant.

use dotdo_core::Key;
use dotdo_tests::ledger::error_of;
use dotdo_tests::{Deadline, Redis, Server};
use futures_util::future::join_all;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;

use crate::forward::forwarding;
use crate::world::{ENDLESS_LEASE_MS, PATIENCE_SECONDS, World};

/// Two servers, of which the first owns the object `one` of acme, and the second that of globex.
async fn two(world: &World) -> [Server; 2] {
    let setup = forwarding(world)
        .env("SCENARIO_SPELLED_TOKENS", "1")
        .env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS)
        .env("DOTDO_LOG_FORMAT", "json")
        .env("DOTDO_LOG_ACCESS", "all");
    let servers = [setup.start().await, setup.start().await];
    ask(&servers[0], "alice~acme", "/do/Witness/one").await;
    ask(&servers[1], "bob~globex", "/do/Witness/one").await;
    servers
}

/// A request of `subject~org`, who may do everything with objects.
fn request(server: &Server, who: &str, method: Method, path: &str) -> RequestBuilder {
    Client::new().request(method, server.url(path)).bearer_auth(format!("{who}~rwh"))
}

/// The answer to a POST.
async fn ask(server: &Server, who: &str, path: &str) -> Value {
    told(request(server, who, Method::POST, path)).await
}

async fn told(request: RequestBuilder) -> Value {
    let answer = request.send().await.expect("the server answers");
    let status = answer.status();
    if !status.is_success() {
        panic!("{status}: {:?}", error_of(answer).await);
    }
    answer.json().await.expect("JSON")
}

fn seen(told: &Value) -> Vec<&str> {
    told["seen"].as_array().expect("names").iter().filter_map(Value::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_is_the_same_on_the_server_that_owns_the_object_and_its_token_stays_behind() {
    let world = World::folder();
    let servers = two(&world).await;
    for (who, name, owner) in
        [("alice~acme", "alice of acme/shop", 0), ("bob~globex", "bob of globex/shop", 1)]
    {
        let mut callers = Vec::new();
        for (at, server) in servers.iter().enumerate() {
            let told = told(request(server, who, Method::GET, "/do/Witness/one")).await;
            assert_eq!(seen(&told), [name], "asked through server {at} of owner {owner}");
            // What travels to the owner is seen by the object there.
            assert_eq!(told["hasToken"], false, "{told}");
            callers.push(told["caller"].clone());
        }
        assert_eq!(callers[0], callers[1]);
        assert_eq!(callers[0]["name"], name);
        assert_eq!(callers[0]["scopes"], "dotdo:read dotdo:write dotdo:history");
        assert_eq!(callers[0]["account"].as_str().map(str::len), Some(64));
    }
    let figures = request(&servers[0], "x~acme", Method::GET, "/metrics").send().await;
    let (status, code, _) = error_of(figures.expect("the server answers")).await;
    assert_eq!((status, code.as_str()), (StatusCode::FORBIDDEN, "MISSING_SCOPE"));
    for server in servers {
        let figures = Client::new().get(server.url("/metrics")).bearer_auth("ops~acme~o");
        let figures = figures.send().await.expect("the server answers").text().await.expect("text");
        assert!(figures.contains("dotdo_forwarded_total{result=\"answered\"} 1"), "{figures}");
        for name in ["alice", "bob", "acme", "globex", "ops"] {
            assert!(!figures.contains(name), "{name} is in {figures}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_its_callers_own_through_whichever_server_it_is_sent() {
    let world = World::folder();
    let servers = two(&world).await;
    let send = async |who: &str, server: usize| {
        let request = request(&servers[server], who, Method::POST, "/do/Witness/one");
        let answer = request.header("idempotency-key", "\"k\"").send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let is_replayed = answer.headers().contains_key("idempotency-replayed");
        let told: Value = answer.json().await.expect("JSON");
        (is_replayed, told["caller"]["name"].as_str().expect("a name").to_owned())
    };
    for (who, name) in [
        ("alice~acme", "alice of acme/shop"),
        ("carol~acme", "carol of acme/shop"),
        ("alice~globex", "alice of globex/shop"),
    ] {
        assert_eq!(send(who, 0).await, (false, name.to_owned()));
        assert_eq!(send(who, 1).await, (true, name.to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_messages_between_servers_stay_in_the_tenant() {
    let world = World::folder();
    let servers = two(&world).await;
    // The first owns acme's `one`, the second acme's `two`.
    ask(&servers[1], "carol~acme", "/do/Witness/two").await;
    let called = ask(&servers[0], "alice~acme", "/do/Witness/one/call?two").await;
    assert_eq!(seen(&called), ["carol of acme/shop", "alice of acme/shop"]);
    ask(&servers[0], "alice~acme", "/do/Witness/one/tell?two").await;
    let arrived = || async {
        let told = told(request(&servers[0], "alice~acme", Method::GET, "/do/Witness/two")).await;
        seen(&told).contains(&"Witness/one of acme/shop").then_some(told)
    };
    let told_of = Deadline::in_seconds(PATIENCE_SECONDS).until(arrived).await.expect("it arrives");
    assert_eq!(seen(&told_of).len(), 3);
    for server in &servers {
        let theirs = told(request(server, "bob~globex", Method::GET, "/do/Witness/two")).await;
        assert_eq!(seen(&theirs), [""; 0]);
        let past = request(server, "bob~globex", Method::GET, "/do/Witness/two")
            .header("x-do-at", "1")
            .send()
            .await
            .expect("an answer");
        assert_eq!(past.status(), StatusCode::NOT_FOUND);
    }
}

/// The line of a server's log about the request to `path`.
async fn line(server: &Server, path: &str) -> Value {
    let find = || async {
        let log = server.stderr();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find(|line| line["path"] == path)
    };
    let line = Deadline::in_seconds(PATIENCE_SECONDS).until(find).await;
    line.unwrap_or_else(|| panic!("no line about {path}:\n{}", server.stderr()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_servers_log_who_asked_and_nobody_logs_a_token() {
    let world = World::folder();
    let [owner, other] = two(&world).await;
    let path = "/do/Witness/one/logged";
    told(request(&other, "alice~acme", Method::GET, path)).await;
    for (server, path, is_forwarded) in [(&other, path, false), (&owner, "/logged", true)] {
        let line = line(server, path).await;
        assert_eq!((&line["caller"], &line["tenant"]), (&"alice".into(), &"acme/shop".into()));
        assert_eq!(line["peer"].is_string(), is_forwarded, "{line}");
        assert!(!server.stderr().contains("alice~acme"), "{}", server.stderr());
    }
}

/// The tenants that use the same words for everything, and whose server owns their objects.
const ALIKE: [(&str, usize); 2] = [("acme", 0), ("globex", 1)];

/// Each tenant writes to `one` with a key, sends `two` a message, sets an alarm, and looks back: by
/// the same names as the other, in every place where something is kept by a name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_names_in_two_tenants_meet_in_no_cache_key_header_or_file() {
    let (world, redis) = (World::folder(), Redis::start().await);
    let setup = forwarding(&world)
        .env("SCENARIO_SPELLED_TOKENS", "1")
        .env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS)
        .env("REDIS_URL", redis.url())
        .env("DOTDO_RATE_LIMIT_REQUESTS", "1000");
    let servers = [setup.start().await, setup.start().await];
    for (org, owner) in ALIKE {
        let who = format!("same~{org}");
        for _ in 0..2 {
            let keyed = request(&servers[owner], &who, Method::POST, "/do/Witness/one");
            told(keyed.header("idempotency-key", "\"k\"")).await;
        }
        ask(&servers[owner], &who, "/do/Witness/one/tell?two").await;
        ask(&servers[owner], &who, "/do/Ledger/one/wake").await;
    }
    for (org, owner) in ALIKE {
        let (who, own) = (format!("same~{org}"), format!("same of {org}/shop"));
        for server in &servers {
            // From memory, through the owner, and as it was.
            let now = told(request(server, &who, Method::GET, "/do/Witness/one")).await;
            assert_eq!(seen(&now), [&*own, &*own], "one with a key, one that sent a message");
            let past = request(server, &who, Method::GET, "/do/Witness/one");
            let past = told(past.header("x-do-at", "2199-01-01T00:00:00Z")).await;
            assert_eq!(seen(&past), [&*own, &*own]);
        }
        let arrived = || async {
            let two = told(request(&servers[owner], &who, Method::GET, "/do/Witness/two")).await;
            let entries = told(request(&servers[owner], &who, Method::GET, "/do/Ledger/one/all"));
            let entries = entries.await["entries"].as_array().map_or(0, Vec::len);
            (!seen(&two).is_empty() && entries > 0).then_some(two)
        };
        let two = Deadline::in_seconds(PATIENCE_SECONDS).until(arrived).await.expect("it arrives");
        assert_eq!(seen(&two), [format!("Witness/one of {org}/shop")]);
    }
    what_redis_has_is_somebodys(&redis).await;
    let servers = servers.map(|server| server.terminate());
    assert!(servers.iter().all(std::process::ExitStatus::success));
    what_the_bucket_has_is_somebodys(&world).await;
}

/// Each owner is announced below the prefix of its tenant, and names it.
async fn what_redis_has_is_somebodys(redis: &Redis) {
    let announced = || async {
        let keys: Vec<String> = redis.ask(&["KEYS", "*"]).await;
        let of = |org: &str| keys.iter().any(|key| key.contains(&format!(":{org}/shop/")));
        ALIKE.iter().all(|(org, _)| of(org)).then_some(keys)
    };
    let keys = Deadline::in_seconds(PATIENCE_SECONDS).until(announced).await.expect("both are");
    for key in keys.iter().filter(|key| key.contains(":owner:")) {
        let entry: String = redis.ask(&["GET", key.as_str()]).await;
        let whose: Vec<&str> = ALIKE
            .iter()
            .map(|(org, _)| *org)
            .filter(|org| {
                key.contains(&format!(":{org}/")) || entry.contains(&format!("\"{org}\""))
            })
            .collect();
        assert_eq!(whose.len(), 1, "{key}: {entry}");
    }
}

/// Each key is below one tenant's prefix, whose objects have nothing of the other, or belongs to
/// all: the list of tenants and the verdict of the probe.
async fn what_the_bucket_has_is_somebodys(world: &World) {
    let bucket = world.bucket();
    let all = bucket.list(&Key::new(""), None, 1000).await.expect("the store answers");
    let mut counts = [0; 2];
    for entry in &all {
        let key = entry.key.as_str();
        let Some(at) = ALIKE.iter().position(|(org, _)| key.starts_with(&format!("{org}/shop/")))
        else {
            let is_shared = key.starts_with(".tenants/") || key.starts_with(".dotdo/");
            assert!(is_shared, "{key} is nobody's");
            continue;
        };
        counts[at] += 1;
        let object = bucket.get(&entry.key).await.expect("the store answers");
        let bytes = object.map(|object| object.bytes).unwrap_or_default();
        let (text, other) = (String::from_utf8_lossy(&bytes), ALIKE[1 - at].0);
        assert!(!key.contains(other) && !text.contains(other), "{other} is in {key}");
    }
    assert!(counts.iter().all(|count| *count > 4), "logs, snapshots, hints, markers: {all:?}");
}

/// How many requests a server answers at the same time, and how many of one tenant come at once.
const PLACES: usize = 4;
const FLOOD: usize = 48;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_tenant_refuses_its_own_requests_and_none_of_another() {
    let world = World::folder();
    let server = world
        .setup()
        .env("SCENARIO_SPELLED_TOKENS", "1")
        .env("DOTDO_LIMITS_REQUESTS_MAX", PLACES.to_string())
        .env("DOTDO_HANDLER_TIME_MAX_MS", "1500")
        .start()
        .await;
    let flood = |number: usize| {
        let path = format!("/do/Ledger/{number}/endless");
        let request = request(&server, "mallory~acme", Method::POST, &path);
        async { error_of(request.send().await.expect("the server answers")).await }
    };
    let others = async {
        let flooded = || async { server.stderr().contains("fault begins").then_some(()) };
        assert!(Deadline::in_seconds(PATIENCE_SECONDS).until(flooded).await.is_some());
        for _ in 0..PLACES {
            ask(&server, "bob~globex", "/do/Witness/one").await;
        }
    };
    let (flooded, ()) = futures_util::join!(join_all((0..FLOOD).map(flood)), others);
    let count = |wanted: StatusCode, code: &str| {
        flooded.iter().filter(|(status, is, _)| (*status, is.as_str()) == (wanted, code)).count()
    };
    let ran = count(StatusCode::GATEWAY_TIMEOUT, "TIMED_OUT");
    let refused = count(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_REQUESTS");
    assert!(ran >= PLACES && refused > 0, "{flooded:?}");
    assert_eq!(ran + refused, FLOOD, "{flooded:?}");
}
