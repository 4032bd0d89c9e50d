//! A real Redis, in which servers tell each other what they own: what it saves, and what becomes of
//! requests when it is away, hangs, lies or is written to by strangers.

use std::net::TcpListener;

use dotdo_tests::history::Outcome;
use dotdo_tests::{Deadline, Redis, Server, Setup};
use nix::sys::signal::Signal;
use reqwest::{Client, Method};

use crate::forward::{SECRET, forwarding, good};
use crate::load::Load;
use crate::world::{ENDLESS_LEASE_MS, PATIENCE_SECONDS, World};

const LOOKUPS: &str = "dotdo_directory_lookups_total";
const RECEIVED: &str = "dotdo_directory_received_total";
const TOLD: &str = "dotdo_directory_announced_total";
const FORWARDED: &str = "dotdo_forwarded_total";

/// A server that forwards and has a Redis. It does nothing on its own that reads the store.
fn setup(world: &World, redis: &str) -> Setup {
    let steady = forwarding(world).env("DOTDO_LEASE_DURATION_MS", ENDLESS_LEASE_MS);
    let quiet = steady.env("DOTDO_OUTBOX_SCAN_MS", "86400000").env("DOTDO_ALARMS_SCAN_MS", "0");
    quiet.env("REDIS_URL", redis)
}

/// Starts a server and waits until it is connected.
async fn connected(setup: &Setup, http: &Client) -> Server {
    let server = setup.start().await;
    reaches(&server, http, ("dotdo_directory_up", ""), 1).await;
    server
}

async fn append(http: &Client, server: &Server, object: &str, n: u64) -> u64 {
    let answer =
        good(http, Method::POST, server.url(&format!("/do/{object}/append?client=1&n={n}"))).await;
    answer.json::<serde_json::Value>().await.expect("JSON")["position"]
        .as_u64()
        .expect("a position")
}

/// The sum of a server's figures of one name whose labels have this text.
async fn figure(server: &Server, http: &Client, (name, label): (&str, &str)) -> u64 {
    let text = good(http, Method::GET, server.url("/metrics")).await.text().await.expect("text");
    let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// What the server has read of the store.
async fn reads(server: &Server, http: &Client) -> u64 {
    let store = "dotdo_store_requests_total";
    figure(server, http, (store, "operation=\"get\"")).await
        + figure(server, http, (store, "operation=\"list\"")).await
}

/// Waits until a figure is as large as that.
async fn reaches(server: &Server, http: &Client, what: (&str, &str), least: u64) {
    let is_there = || async { (figure(server, http, what).await >= least).then_some(()) };
    let found = Deadline::in_seconds(PATIENCE_SECONDS).until(is_there).await;
    assert!(found.is_some(), "{what:?} stays below {least}:\n{}", server.stderr());
}

/// What a server has done for five objects that it never saw and `owner` owns: reads of the store,
/// hits in Redis, requests that it sent on. Where Redis was once too late with an answer, as it may
/// be on a slow machine, others are taken.
async fn five_unknown(redis: &Redis, http: &Client, owner: &Server, server: &Server) -> [u64; 3] {
    for round in 0.. {
        let names: Vec<String> =
            (0..5).map(|object| format!("unknown-{}-{round}-{object}", server.pid())).collect();
        for name in &names {
            append(http, owner, name, 0).await;
        }
        let pattern = format!("*unknown-{}-{round}-*", server.pid());
        let told = || async {
            (redis.ask::<Vec<String>>(&["KEYS", &pattern]).await.len() == 5).then_some(())
        };
        Deadline::in_seconds(PATIENCE_SECONDS)
            .until(told)
            .await
            .expect("the owner tells what it owns");
        reaches(server, http, ("dotdo_directory_up", ""), 1).await;
        let figures = || async {
            [
                reads(server, http).await,
                figure(server, http, (LOOKUPS, "hit")).await,
                figure(server, http, (FORWARDED, "")).await,
            ]
        };
        let (before, late) = (figures().await, figure(server, http, (LOOKUPS, "failed")).await);
        for name in &names {
            assert_eq!(append(http, server, name, 1).await, 2);
        }
        let after = figures().await;
        if figure(server, http, (LOOKUPS, "failed")).await == late {
            return [0, 1, 2].map(|at| after[at] - before[at]);
        }
        assert!(round < 20, "Redis never answers in time:\n{}", server.stderr());
    }
    unreachable!("the rounds have no end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_saw_an_object_reaches_its_owner_without_a_look_into_the_store() {
    let (world, redis, http) = (World::folder(), Redis::start().await, Client::new());
    let setup = setup(&world, &redis.url());
    let owner = connected(&setup, &http).await;
    let others = [
        connected(&setup, &http).await,
        connected(&setup.clone().env("DOTDO_OWNERSHIP", "per-request"), &http).await,
    ];
    for server in &others {
        assert_eq!(
            five_unknown(&redis, &http, &owner, server).await,
            [0, 5, 5],
            "the owner is in Redis"
        );
        assert!(server.stderr().contains(r#""directory":"redis""#), "{}", server.stderr());
    }
}

/// The command of the documentation that makes a user with few rights.
fn few_rights() -> Vec<&'static str> {
    let page = include_str!("../../docs/platforms/redis.md");
    let command = page
        .split('`')
        .find(|code| code.starts_with("ACL SETUSER"))
        .expect("the page has the command");
    command.split(' ').collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_owner_is_heard_of() {
    let (world, redis, http) = (World::folder(), Redis::start().await, Client::new());
    redis.ask::<()>(&few_rights()).await;
    let setup = setup(&world, &redis.url_of("dotdo", "password"));
    let [first, second, third] = [
        connected(&setup, &http).await,
        connected(&setup, &http).await,
        connected(&setup, &http).await,
    ];
    append(&http, &first, "object", 0).await;
    append(&http, &third, "object", 1).await;
    assert!(first.terminate().success());
    reaches(&third, &http, (RECEIVED, "accepted"), 2).await;
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]).await;
    assert!(keys.is_empty(), "who stops takes its entries along: {keys:?}");
    append(&http, &second, "object", 2).await;
    reaches(&third, &http, (RECEIVED, "accepted"), 3).await;
    let before = reads(&third, &http).await;
    assert_eq!(append(&http, &third, "object", 3).await, 4);
    // It asks Redis if it has forgotten that it was told, which may be too late with its answer on
    // a slow machine.
    if figure(&third, &http, (LOOKUPS, "failed")).await == 0 {
        assert_eq!(reads(&third, &http).await, before, "it was told who owns it");
    }
    assert_eq!(figure(&third, &http, (FORWARDED, "answered")).await, 2);
    assert_eq!(figure(&third, &http, (FORWARDED, "")).await, 2, "nobody was asked in vain");
    for server in [&second, &third] {
        assert_eq!(figure(server, &http, (TOLD, "failed")).await, 0, "few rights are enough");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_frozen_and_restarted_costs_no_client_anything() {
    let (world, mut redis, http) = (World::folder(), Redis::start().await, Client::new());
    let setup = setup(&world, &redis.url());
    let servers = [
        connected(&setup, &http).await,
        connected(&setup, &http).await,
        connected(&setup, &http).await,
    ];
    // Many, so that servers meet objects that they do not know all the time.
    let load = Load::new((0..150).map(|number| format!("object-{number}")));
    let running = load.start(&servers.each_ref());
    load.goes_on(40).await;
    redis.kill9();
    load.goes_on(40).await;
    let newcomer = setup.start().await;
    append(&http, &newcomer, "by-the-newcomer", 0).await;
    redis = redis.again().await;
    for server in servers.iter().chain([&newcomer]) {
        reaches(server, &http, ("dotdo_directory_up", ""), 1).await;
    }
    load.goes_on(40).await;
    redis.signal(Signal::SIGSTOP);
    load.goes_on(40).await;
    redis.signal(Signal::SIGCONT);
    for server in servers.iter().chain([&newcomer]) {
        reaches(server, &http, ("dotdo_directory_up", ""), 1).await;
    }
    load.goes_on(20).await;
    running.stop().await;
    let mut failed = 0;
    for server in &servers {
        failed += figure(server, &http, (LOOKUPS, "failed")).await;
    }
    assert!(failed > 0, "somebody asked while it was away");
    for index in 0..load.objects().len() {
        let history = load.history(index);
        let failed = history
            .appends
            .iter()
            .filter(|append| !matches!(append.outcome, Outcome::Appended(_)))
            .count();
        assert_eq!(failed, 0, "{}", load.objects()[index]);
    }
    load.check(&servers[0]).await;
    assert_eq!(
        five_unknown(&redis, &http, &servers[0], &newcomer).await,
        [0, 5, 5],
        "hints are used again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_without_the_secret_are_ignored() {
    let (world, redis, http) = (World::folder(), Redis::start().await, Client::new());
    let setup = setup(&world, &redis.url());
    let (former, owner, newcomer) = (
        connected(&setup, &http).await,
        connected(&setup, &http).await,
        connected(&setup, &http).await,
    );
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a free port");
    stranger.set_nonblocking(true).expect("a socket of our own");
    let strange =
        format!("http://{}", stranger.local_addr().expect("a bound listener has an address"));

    append(&http, &former, "object-0", 0).await;
    reaches(&former, &http, (TOLD, "sent"), 1).await;
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]).await;
    let ([key], false) = (keys.as_slice(), keys.is_empty()) else { panic!("{keys:?}") };
    let key_of = |number: usize| key.replace("object-0", &format!("object-{number}"));
    let of_former: String = redis.ask(&["GET", key]).await;
    let honest = former.url("");
    assert!(of_former.contains(&honest), "{of_former}");
    assert!(former.terminate().success());
    for object in 0..6 {
        append(&http, &owner, &format!("object-{object}"), 1).await;
    }
    reaches(&owner, &http, (TOLD, "sent"), 6).await;

    let truth: String = redis.ask(&["GET", &key_of(1)]).await;
    // In its place is what its server said when it was the owner.
    redis.ask::<()>(&["SET", &key_of(0), &of_former]).await;
    redis.ask::<()>(&["SET", &key_of(1), &truth.replace(&owner.url(""), &strange)]).await;
    redis.ask::<()>(&["SET", &key_of(2), &truth]).await;
    redis.ask::<()>(&["SET", &key_of(3), "{\"address\":\"http://127.0.0.1:9\"}"]).await;
    redis.ask::<()>(&["SET".as_bytes(), key_of(4).as_bytes(), &vec![b'x'; 8 << 20]]).await;
    redis.ask::<()>(&["DEL", &key_of(5)]).await;
    redis.ask::<()>(&["RPUSH", &key_of(5), "not", "an", "entry"]).await;
    let channel = key
        .split(":owner:")
        .next()
        .map(|bucket| format!("{bucket}:owners"))
        .expect("names begin alike");
    for message in
        [&truth.replace(&owner.url(""), &strange), "", "nonsense", &"x".repeat(1 << 20), &of_former]
    {
        assert_eq!(
            redis.ask::<u64>(&["PUBLISH", &channel, message]).await,
            2,
            "the two that are left listen"
        );
    }
    reaches(&newcomer, &http, (RECEIVED, "refused"), 4).await;
    for object in 0..6 {
        let expected = if object == 0 { 3 } else { 2 };
        assert_eq!(
            append(&http, &newcomer, &format!("object-{object}"), 2).await,
            expected,
            "object-{object}"
        );
    }
    // One of them is no text; and Redis may be too late with an answer on a slow machine.
    let refused = figure(&newcomer, &http, (LOOKUPS, "refused")).await
        + figure(&newcomer, &http, (LOOKUPS, "failed")).await;
    assert!(refused >= 5, "only the former owner's entry is sound");
    assert_eq!(figure(&newcomer, &http, (FORWARDED, "answered")).await, 6);
    assert!(stranger.accept().is_err(), "nobody calls a stranger");
    let said = newcomer.stderr().matches("not written with this peer_secret").count();
    assert_eq!(said, 1, "{}", newcomer.stderr());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_asks_for_a_certificate_that_the_system_trusts() {
    let (world, redis, http) = (World::folder(), Redis::start().await, Client::new());
    let setup = setup(&world, &redis.url_with_tls());
    let stranger = setup.start().await;
    let trusting = setup.clone().env("SSL_CERT_FILE", redis.authority().display().to_string());
    let [owner, other] = [connected(&trusting, &http).await, connected(&trusting, &http).await];
    assert_eq!(five_unknown(&redis, &http, &owner, &other).await, [0, 5, 5]);
    let complained =
        || std::future::ready(stranger.stderr().contains("Redis is unavailable").then_some(()));
    Deadline::in_seconds(PATIENCE_SECONDS).until(complained).await.expect("nobody vouches for it");
    assert!(stranger.stderr().to_lowercase().contains("certificate"), "{}", stranger.stderr());
    assert_eq!(figure(&stranger, &http, ("dotdo_directory_up", "")).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_password_is_never_shown() {
    const RIGHT: &str = "correct-horse";
    const WRONG: &str = "battery-staple";
    let (world, redis, http) = (World::folder(), Redis::start_with(RIGHT).await, Client::new());
    let right = connected(&setup(&world, &redis.url()), &http).await;
    let wrong = setup(&world, &redis.url_of("", WRONG)).start().await;
    let alone = world.setup().env("REDIS_URL", redis.url()).start().await;
    for (n, server) in (0..).zip([&right, &wrong, &right]) {
        append(&http, server, "object", n).await;
    }
    let complained =
        || std::future::ready(wrong.stderr().contains("Redis is unavailable").then_some(()));
    Deadline::in_seconds(PATIENCE_SECONDS).until(complained).await.expect("it says so");
    drop(redis);
    let complained =
        || std::future::ready(right.stderr().contains("Redis is unavailable").then_some(()));
    Deadline::in_seconds(PATIENCE_SECONDS).until(complained).await.expect("it says so");
    assert_eq!(wrong.stderr().matches("Redis is unavailable").count(), 1, "{}", wrong.stderr());
    assert!(alone.stderr().contains("redis_url is set but not used"), "{}", alone.stderr());
    for server in [&right, &wrong, &alone] {
        assert!(server.stderr().contains("127.0.0.1"), "addresses are shown: {}", server.stderr());
        assert!(
            ![RIGHT, WRONG, SECRET].iter().any(|secret| server.stderr().contains(secret)),
            "{}",
            server.stderr()
        );
    }
    let refused = setup(&world, "redis://:battery-staple@")
        .try_start()
        .await
        .err()
        .expect("it can't be used");
    assert!(
        refused.contains("redis_url") && refused.contains("rediss://") && !refused.contains(WRONG),
        "{refused}"
    );
}
