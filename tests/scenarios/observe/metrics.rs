//! Real work of several servers, and what `/metrics` says of it.

use std::collections::{BTreeMap, BTreeSet};

use dotdo_tests::{Deadline, Family, Lost, Proxy, Seaweed, Server, families};
use http::Method;
use reqwest::Client;

use crate::forward::{forwarding, good};
use crate::world::{PATIENCE_SECONDS, World};

/// Long enough for a request to be forwarded while it holds, short enough to see it end.
const LEASE_MS: &str = "3000";

/// Metrics with labels that have no value unless something fails that does not fail here, or gets
/// older than a test does, or is there at all: a Redis, an issuer and a broker are not.
const ABSENT: [&str; 21] = [
    "dotdo_spans_total",
    "dotdo_commits_failed_total",
    "dotdo_restores_failed_total",
    "dotdo_snapshots_failed_total",
    "dotdo_messages_failed_total",
    "dotdo_alarms_total",
    "dotdo_swept_total",
    "dotdo_directory_lookups_total",
    "dotdo_directory_announced_total",
    "dotdo_directory_received_total",
    "dotdo_memory_refused_total",
    "dotdo_snapshot_checks_total",
    "dotdo_snapshots_differ_total",
    "dotdo_tenant_refusals_total",
    "dotdo_auth_tokens_total",
    "dotdo_auth_key_fetches_total",
    "dotdo_storage_keys_renewals_total",
    "dotdo_broker_keys_total",
    "dotdo_broker_exchange_seconds",
    "dotdo_socket_messages_total",
    "dotdo_socket_frames_total",
];

/// The documented metrics and their types.
pub(super) fn documented() -> BTreeMap<String, String> {
    let text = dotdo::commands::metrics_reference();
    let rows = text.lines().filter_map(|line| line.strip_prefix("- **`")?.split_once("`** ("));
    rows.map(|(name, rest)| {
        (name.to_owned(), rest.split(')').next().unwrap_or_default().to_owned())
    })
    .collect()
}

/// What a server says of itself at the moment.
pub(super) async fn scrape(http: &Client, server: &Server) -> Vec<Family> {
    families(&good(http, Method::GET, server.url("/metrics")).await.text().await.expect("text"))
}

/// The sum of a metric's values for which `label` is `value`; of all when that is empty. For
/// histograms, of the counts.
pub(super) fn sum(families: &[Family], name: &str, (label, value): (&str, &str)) -> f64 {
    let samples =
        families.iter().filter(|family| family.name == name).flat_map(|family| &family.samples);
    let counted =
        samples.filter(|sample| sample.name == name || sample.name == format!("{name}_count"));
    counted
        .filter(|sample| label.is_empty() || sample.labels.get(label).is_some_and(|is| is == value))
        .map(|sample| sample.value)
        .sum()
}

/// Waits until a metric's value is above 0, doing `meanwhile` between the looks.
async fn until(
    http: &Client,
    server: &Server,
    (name, label, value): (&str, &str, &str),
    meanwhile: &str,
) {
    let is_there = || async {
        if !meanwhile.is_empty() {
            good(http, Method::GET, server.url(meanwhile)).await;
        }
        (sum(&scrape(http, server).await, name, (label, value)) > 0.0).then_some(())
    };
    let found = Deadline::in_seconds(PATIENCE_SECONDS).until(is_there).await;
    assert!(found.is_some(), "{name}{{{label}={value:?}}} stays 0:\n{}", server.stderr());
}

/// Writes, replays, messages, a snapshot and an eviction, and a store that fails once.
async fn work(http: &Client, server: &Server, proxy: &Proxy) {
    for object in ["a", "b", "c"] {
        for n in 0..13 {
            good(http, Method::POST, server.url(&format!("/do/{object}/append?client=1&n={n}")))
                .await;
        }
    }
    for _ in 0..2 {
        let keyed =
            http.post(server.url("/do/a/append?client=1&n=13")).header("idempotency-key", "one");
        assert!(keyed.send().await.expect("the server answers").status().is_success());
    }
    good(http, Method::POST, server.url("/do/Account/payer/deposit?cents=5")).await;
    good(http, Method::POST, server.url("/do/Account/payer/transfer?to=payee&cents=5")).await;
    proxy.lose(Method::PUT, Lost::Busy);
    good(http, Method::POST, server.url("/do/a/append?client=1&n=14")).await;
    for name in ["dotdo_snapshots_total", "dotdo_evictions_total", "dotdo_messages_delivered_total"]
    {
        until(http, server, (name, "", ""), "").await;
    }
    for object in ["a", "b", "c"] {
        good(http, Method::GET, server.url(&format!("/do/{object}/count"))).await;
    }
}

/// Two functions write to one object in turn: the one whose memory is older loses a slot.
async fn contend(http: &Client, functions: &[Server; 2]) {
    for function in [0, 1, 0] {
        good(http, Method::POST, functions[function].url("/do/shared/append?client=1&n=1")).await;
    }
}

/// Every metric that `pages` show is documented, as what it is.
fn check_documented(pages: &[Vec<Family>]) -> BTreeSet<String> {
    let documented = documented();
    for family in pages.iter().flatten() {
        assert_eq!(
            documented.get(&family.name),
            Some(&family.kind),
            "{} is not documented as this",
            family.name
        );
        assert!(!family.help.is_empty(), "{} has no description", family.name);
    }
    pages.iter().flatten().map(|family| family.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_there_after_work_that_it_counts_and_none_that_is_not_documented() {
    let proxy = Proxy::start(Seaweed::shared().endpoint()).await;
    let (world, http) = (World::seaweed_through(&proxy.endpoint()), Client::new());
    let setup = forwarding(&world).env("DOTDO_LEASE_DURATION_MS", LEASE_MS);
    let owner = setup.clone().env("DOTDO_LIMITS_OBJECTS_MAX", "1").start().await;
    let other = setup.start().await;
    let function = world.setup().env("DOTDO_OWNERSHIP", "per-request");
    let functions = [function.start().await, function.start().await];

    work(&http, &owner, &proxy).await;
    contend(&http, &functions).await;
    let to_other = || async {
        good(&http, Method::POST, owner.url("/do/passed/append?client=1&n=1")).await;
        good(&http, Method::GET, other.url("/do/passed/count")).await;
        (sum(&scrape(&http, &other).await, "dotdo_forwarded_total", ("result", "answered")) > 0.0)
            .then_some(())
    };
    Deadline::in_seconds(PATIENCE_SECONDS).until(to_other).await.expect("a request is forwarded");
    until(&http, &owner, ("dotdo_lease_changes_total", "change", "renewed"), "/do/passed/count")
        .await;
    good(&http, Method::POST, other.url("/do/left/append?client=1&n=1")).await;
    let others = scrape(&http, &other).await;
    other.kill9();
    good(&http, Method::POST, owner.url("/do/left/append?client=1&n=2")).await;
    until(&http, &owner, ("dotdo_lease_changes_total", "change", "lapsed"), "").await;

    let pages = [
        scrape(&http, &owner).await,
        others,
        scrape(&http, &functions[0]).await,
        scrape(&http, &functions[1]).await,
    ];
    let mut seen = check_documented(&pages);
    seen.extend(ABSENT.map(str::to_owned));
    assert_eq!(seen, documented().into_keys().collect(), "every metric is there");
    check_owner(&pages[0]);
    assert!(
        sum(&pages[2], "dotdo_fenced_total", ("", ""))
            + sum(&pages[3], "dotdo_fenced_total", ("", ""))
            >= 1.0
    );
    let unlabelled = [
        sum(&pages[1], "dotdo_forward_seconds", ("", "")),
        sum(&pages[0], "dotdo_peer_requests_total", ("result", "answered")),
    ];
    assert!(unlabelled.iter().all(|value| *value >= 1.0), "{unlabelled:?}");
}

/// What the server counted that did most of the work.
fn check_owner(page: &[Family]) {
    let value = |name: &str| sum(page, name, ("", ""));
    assert!(
        value("dotdo_commits_total") >= 42.0 && value("dotdo_commit_transactions_total") >= 42.0
    );
    assert!(value("dotdo_commit_bytes_total") > value("dotdo_commits_total"));
    assert!(value("dotdo_requests_replayed_total") >= 1.0);
    assert!(value("dotdo_restores_total") >= 5.0, "two evicted objects came back");
    assert!(value("dotdo_restored_bytes_total") > 0.0);
    assert_eq!(value("dotdo_http_requests_in_flight"), 1.0, "the scrape itself");
    assert_eq!(value("dotdo_requests_waiting"), 0.0);
    assert!(value("dotdo_handler_seconds") >= 42.0 && value("dotdo_turn_wait_seconds") >= 42.0);
    assert!(sum(page, "dotdo_http_requests_total", ("class", "Ledger")) >= 42.0);
    assert!(
        sum(page, "dotdo_store_requests_total", ("outcome", "unavailable")) >= 1.0,
        "the store failed once"
    );
    for operation in ["create", "put", "get"] {
        assert!(
            sum(page, "dotdo_store_bytes_total", ("operation", operation)) > 0.0,
            "{operation}"
        );
    }
    for change in ["claimed", "renewed", "lapsed", "taken_over"] {
        assert!(sum(page, "dotdo_lease_changes_total", ("change", change)) >= 1.0, "{change}");
    }
}
