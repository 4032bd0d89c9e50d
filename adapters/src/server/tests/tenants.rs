//! Two tenants on one server, whose objects have the same classes and ids: what one of them can do
//! about the other's, however it asks.

use dotdo_core::{
    App, Body, Caller, Context, DurableObject, Engine, Request, Response, Result, Settings,
};
use http::Method;

use super::app::serving;
use super::client::Answer;
use super::spelled::spelled;
use super::*;

/// Counts its writes, notes its callers, and calls and tells others of its class.
struct Till;

/// The caller as the object sees it.
fn name(caller: &Caller) -> String {
    let who = match (caller.subject(), caller.object()) {
        (Some(subject), _) => subject.to_owned(),
        (_, Some(object)) => format!("{}/{}", object.class(), object.id()),
        (None, None) => "nobody".to_owned(),
    };
    format!("{who} of {}", caller.tenant())
}

impl DurableObject for Till {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS seen (name TEXT)", ()).map(drop)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let ask = |path: &str| http::Request::post(path.to_owned()).body(Body::empty());
        match request.uri().path() {
            "/call" => return ctx.object("Till", "b")?.fetch(ask("/")?).await,
            "/tell" => ctx.send("Till", "b", ask("/")?)?,
            _ => {}
        }
        let caller = name(ctx.caller());
        if !request.method().is_safe() {
            ctx.sql().exec("INSERT INTO seen VALUES (?)", (&caller,))?;
        }
        let seen: Vec<(String,)> =
            ctx.sql().exec("SELECT name FROM seen ORDER BY rowid", ())?.rows()?;
        let seen: Vec<String> = seen.into_iter().map(|(name,)| name).collect();
        dotdo_core::json(&serde_json::json!({ "caller": caller, "seen": seen }))
    }
}

async fn server() -> Server<Engine> {
    // `Other` is a second class, for headers that name one.
    let app = App::new().class("Till", || Till).class("Other", || Till);
    let edge = EdgeSettings { auth: spelled(), ..edge_settings() };
    serving(app, Settings::default(), edge).await
}

/// A request of `subject~org`, who may do everything with objects.
async fn ask(
    server: &Server<Engine>,
    who: &str,
    request: (&Method, &str),
    headers: &str,
) -> Answer {
    let (method, target) = request;
    let mut client = server.connect().await;
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nauthorization: Bearer {who}~rwh\r\n{headers}\r\n"
    );
    client.send(head).await;
    if method == Method::HEAD { client.head().await } else { client.answer().await }
}

async fn get(server: &Server<Engine>, who: &str, target: &str) -> serde_json::Value {
    let answer = ask(server, who, (&Method::GET, target), "").await;
    assert_eq!(answer.status, 200, "{who} {target}: {answer:?}");
    answer.json()
}

async fn post(server: &Server<Engine>, who: &str, target: &str) -> serde_json::Value {
    let answer = ask(server, who, (&Method::POST, target), "").await;
    assert_eq!(answer.status, 200, "{who} {target}: {answer:?}");
    answer.json()
}

fn seen(answer: &serde_json::Value) -> Vec<&str> {
    answer["seen"].as_array().expect("names").iter().filter_map(|name| name.as_str()).collect()
}

const ALICE: &str = "alice of acme/shop";

/// Ways to ask for the object `a` of the class `Till`: a target and headers.
const WAYS: &[(&str, &str)] = &[
    ("/do/a", ""),
    ("/do/a/", ""),
    ("/do/Till/a", ""),
    ("/do/Till/a/x?tenant=acme&org=acme", ""),
    ("/do/%61", ""),
    ("/do/Till/%61", ""),
    ("http://acme/do/a", ""),
    ("http://acme.shop.example/do/Till/a", ""),
    ("/", "x-do-id: a\r\n"),
    ("/do/acme/shop/a", "x-do-id: a\r\n"),
    ("/", "x-do-id: %61\r\n"),
    ("/", "x-dotdo-id: a\r\nx-dotdo-type: Till\r\n"),
    ("/health", "x-do-id: a\r\nx-do-type: Till\r\n"),
    ("/metrics", "x-dotdo-id: a\r\nx-do-type: Till\r\n"),
    ("/do/a", "x-do-type: Till\r\n"),
    ("/do/a", "x-dotdo-type: Till\r\n"),
    ("/do/a", "x-do-tenant: acme\r\nx-do-org: acme\r\nx-dotdo-tenant: acme/shop\r\n"),
    ("/do/a", "x-tenant-id: acme\r\nx-org-id: acme\r\nx-forwarded-user: alice\r\n"),
    ("/do/a", "x-forwarded-host: acme.example\r\nforwarded: host=acme.example\r\n"),
    ("/do/a", "cookie: tenant=acme; org_id=acme\r\n"),
    ("/do/a", "fly-replay-src: instance=acme;state=acme\r\n"),
];

/// Ids and classes that look as if they were in another tenant's prefix.
const TRAVERSALS: &[(&str, &str)] = &[
    ("/do/acme%2Fshop%2Fdo%2Ftill%2Fa", ""),
    ("/do/..%2F..%2F..%2Facme%2Fshop%2Fdo%2Ftill%2Fa", ""),
    ("/do/Till/..%2F..%2F..%2F..%2Facme%2Fshop%2Fdo%2Ftill%2Fa", ""),
    ("/do/acme%2Fshop%2FTill%2Fa", ""),
    ("/do/acme~shop", ""),
    ("/do/Till/a%00", ""),
    ("/", "x-do-id: ../../../acme/shop/do/till/a\r\n"),
    ("/", "x-do-id: acme/shop/Till/a\r\n"),
    ("/", "x-do-id: acme%2Fshop%2FTill%2Fa\r\n"),
];

/// Requests that name no object, or contradict themselves.
const REFUSED: &[(&str, &str, u16)] = &[
    ("/do/../acme/shop/do/till/a", "x-do-type: acme/shop/Till\r\n", 404),
    ("/acme/shop/do/Till/a", "", 404),
    ("/do/a", "x-do-type: acme/Till\r\n", 404),
    ("/", "x-do-id: a\r\nx-dotdo-id: b\r\n", 400),
    ("/do/%", "", 400),
    ("/do/a", "dotdo-peer: e30\r\n", 403),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_tenant_reaches_nothing_of_another_however_it_asks() {
    let server = server().await;
    post(&server, "alice~acme", "/do/a").await;
    for (target, headers) in WAYS.iter().chain(TRAVERSALS) {
        for method in [Method::GET, Method::OPTIONS] {
            let answer = ask(&server, "bob~globex", (&method, target), headers).await;
            assert_eq!(answer.status, 200, "{method} {target} {headers:?}: {answer:?}");
            let told = answer.json();
            assert_eq!(told["caller"], "bob of globex/shop", "{method} {target} {headers:?}");
            assert_eq!(seen(&told), [""; 0], "{method} {target} {headers:?}");
        }
        let head = ask(&server, "bob~globex", (&Method::HEAD, target), headers).await;
        assert_eq!(head.status, 200, "HEAD {target} {headers:?}");
        // The same way leads its own tenant to it.
        let own = ask(&server, "alice~acme", (&Method::GET, target), headers).await.json();
        let is_way = WAYS.contains(&(target, headers));
        assert_eq!(
            seen(&own),
            if is_way { vec![ALICE] } else { Vec::new() },
            "{target} {headers:?}"
        );
    }
    let mut written = 0;
    for (target, headers) in WAYS {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = ask(&server, "bob~globex", (&method, target), headers).await;
            written += 1;
            let told = answer.json();
            assert_eq!(
                seen(&told),
                vec!["bob of globex/shop"; written],
                "{method} {target} {headers:?}"
            );
        }
    }
    for (target, headers, status) in REFUSED {
        let answer = ask(&server, "bob~globex", (&Method::GET, target), headers).await;
        assert_eq!(answer.status, *status, "{target} {headers:?}: {answer:?}");
    }
    assert_eq!(seen(&get(&server, "alice~acme", "/do/a").await), [ALICE]);
    assert_eq!(seen(&get(&server, "carol~local", "/do/a").await), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_states_are_those_of_the_callers_tenant() {
    let server = server().await;
    post(&server, "alice~acme", "/do/a").await;
    let at = async |who: &str, at: &str| {
        let headers = format!("x-do-at: {at}\r\n");
        ask(&server, who, (&Method::GET, "/do/a"), &headers).await
    };
    let mut found = 0;
    for sequence in 0..10 {
        let answer = at("alice~acme", &sequence.to_string()).await;
        found += usize::from(answer.status == 200 && seen(&answer.json()) == [ALICE]);
        assert_eq!(at("bob~globex", &sequence.to_string()).await.status, 404, "{sequence}");
    }
    assert!(found > 0, "there is an earlier state to be found");
    let now = "2100-01-01T00:00:00Z";
    assert_eq!(
        (at("alice~acme", now).await.status, at("bob~globex", now).await.status),
        (200, 404)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_its_stored_answer_belong_to_one_caller_of_one_tenant() {
    let server = server().await;
    let send = async |who: &str| {
        let headers = "idempotency-key: \"k\"\r\n";
        let answer = ask(&server, who, (&Method::POST, "/do/a"), headers).await;
        assert_eq!(answer.status, 200, "{who}: {answer:?}");
        let replayed = answer.headers.contains_key("idempotency-replayed");
        let caller = answer.json()["caller"].as_str().expect("a name").to_owned();
        (replayed, caller)
    };
    for replayed in [false, true] {
        for (who, name) in [
            ("alice~acme", "alice of acme/shop"),
            ("bob~acme", "bob of acme/shop"),
            ("alice~globex", "alice of globex/shop"),
            ("alice~local", "alice of local/local"),
        ] {
            assert_eq!(send(who).await, (replayed, name.to_owned()));
        }
    }
    let acme = get(&server, "alice~acme", "/do/a").await;
    assert_eq!(seen(&acme), ["alice of acme/shop", "bob of acme/shop"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_messages_stay_in_the_tenant() {
    let server = server().await;
    post(&server, "alice~acme", "/do/a/call").await;
    post(&server, "alice~acme", "/do/a/tell").await;
    server.edge.objects().finish_background().await;
    let told = get(&server, "alice~acme", "/do/b").await;
    assert_eq!(seen(&told), ["alice of acme/shop", "Till/a of acme/shop"]);
    for stranger in ["alice~globex", "alice~local"] {
        assert_eq!(seen(&get(&server, stranger, "/do/b").await), [""; 0], "{stranger}");
        post(&server, stranger, "/do/a/tell").await;
    }
    server.edge.objects().finish_background().await;
    assert_eq!(seen(&get(&server, "alice~globex", "/do/b").await), ["Till/a of globex/shop"]);
    assert_eq!(seen(&get(&server, "alice~local", "/do/b").await), ["Till/a of local/local"]);
    assert_eq!(seen(&get(&server, "alice~acme", "/do/b").await).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quota_of_one_tenant_is_not_anothers() {
    let rate = crate::edge::RateSettings { requests: 2, window: Duration::from_secs(3600) };
    let edge = EdgeSettings { auth: spelled(), rate, ..edge_settings() };
    let server = serving(App::new().class("Till", || Till), Settings::default(), edge).await;
    for (who, status) in [
        ("alice~acme", 200),
        ("alice~acme", 200),
        ("alice~acme", 429),
        ("alice~globex", 200),
        ("bob~acme", 200),
    ] {
        let answer = ask(&server, who, (&Method::GET, "/do/a"), "").await;
        assert_eq!(answer.status, status, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_told_nothing_of_the_store_in_an_error() {
    struct Broken;
    impl DurableObject for Broken {
        async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
            Err(dotdo_core::Error::corrupt("acme/shop/do/broken/a/log/1", "expected a record"))
        }
    }
    let edge = EdgeSettings { auth: spelled(), ..edge_settings() };
    let server = serving(App::new().class("Broken", || Broken), Settings::default(), edge).await;
    let told = async |who: &str| {
        let answer = ask(&server, who, (&Method::GET, "/do/a"), "").await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (500, Some("CORRUPT")),
            "{who}"
        );
        answer.text().to_owned()
    };
    assert!(!told("alice~acme").await.contains("acme/shop"));
    // The scopes of `ask`, and the operator's.
    assert!(told("alice~acme~o").await.contains("acme/shop"));
}
