//! Two tenants whose objects have the same class and id, on the same servers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::cluster::{
    Directory, Holding, Listener, OwnershipChange, Received, RequestContext as Forwarded,
};
use crate::idempotency::{IDEMPOTENCY_KEY_HEADER, IDEMPOTENCY_REPLAYED_HEADER};
use crate::messages::Delivery;
use crate::object::Caller;
use crate::router::At;
use crate::settings::Checkpoint;
use crate::testing::CutBucket;

/// What each tenant writes. Nothing of it can be compressed, so it can be seen in files.
const WORDS: [&str; 2] = ["k7Qz0xVb3LmT9sWy", "h2Jd8uRe5NcP1oAf"];

pub(super) fn tenants() -> [Tenant; 2] {
    ["one", "other"].map(|name| Tenant::new("acme", name).expect("a good tenant"))
}

/// Keeps words, and hands them on.
pub(super) struct Keeper;

impl DurableObject for Keeper {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let word = request.uri().query().unwrap_or_default().to_owned();
        let path = request.uri().path().to_owned();
        if !word.is_empty() {
            ctx.sql().exec("CREATE TABLE IF NOT EXISTS words (word TEXT)", ())?;
            ctx.sql().exec("INSERT INTO words VALUES (?)", (&word,))?;
        }
        let put = || http::Request::post(format!("/put?{word}")).body(Body::empty());
        match path.as_str() {
            "/send" => ctx.send("Keeper", "receiver", put()?)?,
            "/call" => _ = ctx.object("Keeper", "callee")?.fetch(put()?).await?,
            _ => {}
        }
        let query = "SELECT count(*) FROM sqlite_schema WHERE name = 'words'";
        let known: i64 = ctx.sql().exec(query, ())?.one()?;
        let mut words: Vec<String> = Vec::new();
        if known > 0 {
            words = ctx.sql().exec("SELECT word FROM words ORDER BY rowid", ())?.rows()?;
        }
        Ok(Response::new(words.join(",").into()))
    }
}

pub(super) fn keeper(tenant: &Tenant, id: &str) -> ObjectId {
    tenant.object("Keeper", id).expect("a good id")
}

/// What the object answers, and whether that is an answer of before.
async fn said(engine: &Engine, object: &ObjectId, request: Request) -> Result<(String, bool)> {
    let response = engine.fetch(object, None, request).await?;
    let is_old = response.headers().contains_key(IDEMPOTENCY_REPLAYED_HEADER);
    Ok((response.into_body().text().await?, is_old))
}

pub(super) async fn ask(engine: &Engine, object: &ObjectId, uri: &str) -> Result<String> {
    let request = http::Request::get(uri).body(Body::empty())?;
    said(engine, object, request).await.map(|(text, _)| text)
}

/// Remembers what it is told.
#[derive(Default)]
struct Board(Mutex<BTreeMap<ObjectId, Holding>>);

#[async_trait]
impl Directory for Board {
    fn listen(&self, _: Listener) {}

    async fn find(&self, object: &ObjectId) -> Option<Holding> {
        self.0.lock().expect("no panics").get(object).cloned()
    }

    fn announce(&self, object: &ObjectId, holding: Holding, _: OwnershipChange) {
        self.0.lock().expect("no panics").insert(object.clone(), holding);
    }

    async fn flush(&self) {}
}

pub(super) fn world() -> World {
    World::of(App::new().class("Keeper", || Keeper))
}

/// A server that writes snapshots often and tells `directory` what it owns.
async fn server(world: &World, instance: u128, directory: Arc<Board>) -> Engine {
    let components = Components { directory: Some(directory), ..world.components(instance) };
    let settings = Settings {
        address: Some("http://10.0.0.1:8787".to_owned()),
        checkpoint: Checkpoint { min_changes: 1, ..Checkpoint::default() },
        ..Settings::default()
    };
    world.server_of(components, settings).await
}

/// Lets so many seconds pass, with all that they bring.
pub(super) async fn pass(world: &World, seconds: u64) {
    for _ in 0..seconds {
        run_ready().await;
        world.clock.advance(Duration::from_secs(1));
    }
    run_ready().await;
}

/// Every key of the bucket with its content.
pub(super) async fn content(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut content = BTreeMap::new();
    for entry in world.bucket.memory.list(&Key::new(""), None, usize::MAX).await.expect("a listing")
    {
        let stored = world.bucket.memory.get(&entry.key).await.expect("memory answers");
        let bytes = stored.map(|stored| stored.bytes.to_vec()).unwrap_or_default();
        content.insert(entry.key.as_str().to_owned(), bytes);
    }
    content
}

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Each tenant does everything that an object can do, under the same names.
async fn do_everything(world: &World, engine: &Engine) {
    for (tenant, word) in tenants().iter().zip(WORDS) {
        let object = keeper(tenant, "a");
        for expected in [(word.to_owned(), false), (word.to_owned(), true)] {
            let request = http::Request::post(format!("/put?{word}"))
                .header(IDEMPOTENCY_KEY_HEADER, "\"the-same\"")
                .body(Body::empty())
                .expect("a request");
            assert_eq!(said(engine, &object, request).await.expect("it keeps"), expected);
        }
        ask(engine, &keeper(tenant, "sender"), &format!("/send?{word}")).await.expect("it sends");
        ask(engine, &keeper(tenant, "caller"), &format!("/call?{word}")).await.expect("it calls");
    }
    pass(world, 2).await;
}

/// What each tenant's objects say.
async fn check_all(engine: &Engine) {
    for (tenant, word) in tenants().iter().zip(WORDS) {
        for id in ["a", "sender", "receiver", "caller", "callee"] {
            let object = keeper(tenant, id);
            assert_eq!(ask(engine, &object, "/get").await.expect("it answers"), word, "{object}");
        }
        let request = http::Request::get("/get").body(Body::empty()).expect("a request");
        let then = engine.fetch(&keeper(tenant, "a"), Some(At::Sequence(1)), request).await;
        let then = then.expect("a former state").into_body().text().await.expect("a text");
        assert_eq!(then, word);
    }
    let nobody = ask(engine, &keeper(&Tenant::local(), "a"), "/get").await.expect("it answers");
    assert_eq!(nobody, "", "a third tenant has none of it");
}

#[tokio::test]
async fn objects_of_two_tenants_with_the_same_class_and_id_never_meet() {
    let (world, board) = (world(), Arc::<Board>::default());
    let first = server(&world, 1, board.clone()).await;
    do_everything(&world, &first).await;
    check_all(&first).await;
    let [one, other] = tenants().map(|tenant| {
        first.activations().existing(&keeper(&tenant, "a")).expect("it is in memory")
    });
    assert!(!Arc::ptr_eq(&one, &other));
    drop((one, other));
    let told: BTreeSet<ObjectId> = board.0.lock().expect("no panics").keys().cloned().collect();
    for tenant in tenants() {
        assert!(told.contains(&keeper(&tenant, "a")), "{tenant}: {told:?}");
    }
    pass(&world, 100).await;
    first.shutdown(Duration::from_secs(5)).await;
    drop(first);
    check_all(&server(&world, 2, Arc::default()).await).await;

    let (content, [one, other]) = (content(&world).await, tenants());
    let of = |tenant: &Tenant, key: &str| key.starts_with(&tenant.prefix().below());
    for (key, bytes) in &content {
        let owners = [of(&one, key), of(&other, key)];
        let is_shared = key.starts_with(".dotdo/") || key.starts_with(".tenants/");
        assert_eq!(
            owners.into_iter().filter(|owner| *owner).count(),
            usize::from(!is_shared),
            "{key}"
        );
        for (word, is_own) in WORDS.into_iter().zip(owners) {
            assert!(is_own || !has(bytes, word), "{key} has what another tenant wrote");
        }
    }
    for (tenant, word) in [(&one, WORDS[0]), (&other, WORDS[1])] {
        for part in ["/log/", "/snapshots/latest", "/data/", "/lock"] {
            let prefix = keeper(tenant, "a").prefix().below();
            let mut keys = content.keys().filter(|key| key.starts_with(&prefix));
            assert!(keys.any(|key| key.contains(part)), "{tenant} has no {part}");
        }
        let own = content.iter().filter(|(key, bytes)| of(tenant, key) && has(bytes, word));
        assert!(own.count() >= 2, "{word} can be seen where it belongs");
    }
    assert!(
        content.contains_key(".tenants/acme~one") && content.contains_key(".tenants/acme~other")
    );
}

#[tokio::test]
async fn a_message_a_call_or_a_caller_of_another_tenant_is_refused() {
    let (world, [one, other]) = (world(), tenants());
    let engine = world.server(1).await;
    let (object, stranger) = (keeper(&one, "a"), keeper(&other, "a"));
    let delivery = || Delivery { sender: stranger.clone(), number: 1 };
    let mut request = http::Request::get("/put?x").body(Body::empty()).expect("a request");
    request.extensions_mut().insert(delivery());
    let error = engine.fetch(&object, None, request).await.expect_err("another tenant's message");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "WRONG_TENANT"));
    let mut request = http::Request::get("/put?x").body(Body::empty()).expect("a request");
    request.extensions_mut().insert(Caller::new("alice").of_tenant(other.clone()));
    let error = engine.fetch(&object, None, request).await.expect_err("another tenant's caller");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "WRONG_TENANT"));
    for context in [
        Forwarded { caller: Some(Caller::new("alice")), ..Forwarded::default() },
        Forwarded { delivery: Some(delivery()), ..Forwarded::default() },
        Forwarded { chain: vec![object.clone(), stranger.clone()], ..Forwarded::default() },
    ] {
        let request = http::Request::get("/put?x").body(Body::empty()).expect("a request");
        let received = engine.receive(&object, context, request).await;
        let error = match received {
            Received::Answered(Err(error)) => error,
            other => panic!("{other:?}"),
        };
        assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, "WRONG_TENANT"));
    }
    assert_eq!(world.records(), 0);
}

#[tokio::test]
async fn messages_of_every_tenant_are_delivered_when_their_server_has_crashed() {
    let (world, [one, other]) = (world(), tenants());
    let access = Arc::new(CutBucket::around(world.bucket.clone()));
    let buckets = Arc::new(SharedBucket(access.clone()));
    let components = Components { buckets, ..world.components(1) };
    let first = world.server_of(components, Settings::default()).await;
    world.bucket.faults().fail_while(
        |operation, key| operation.is_commit(key) && key.as_str().contains("/receiver/"),
        Fault::NotApplied,
    );
    for (tenant, word) in [(&one, WORDS[0]), (&other, WORDS[1])] {
        ask(&first, &keeper(tenant, "sender"), &format!("/send?{word}")).await.expect("it sends");
    }
    run_ready().await;
    access.cut();
    drop(first);
    world.bucket.faults().heal();
    // Nobody asks for an object of theirs.
    let second = world.server(2).await;
    pass(&world, 200).await;
    for (tenant, word) in [(&one, WORDS[0]), (&other, WORDS[1])] {
        let taken = ask(&second, &keeper(tenant, "receiver"), "/get").await;
        assert_eq!(taken.expect("it answers"), word, "{tenant}");
    }
}

#[tokio::test]
async fn the_search_for_messages_costs_the_same_however_many_tenants_there_are() {
    let listings = |tenants: usize| async move {
        let world = world();
        for number in 0..tenants {
            let key = Key::new(format!(".tenants/acme~{number}"));
            world.bucket.memory.put(&key, "{}".into()).await.expect("memory stores");
        }
        let _engine = world.server(1).await;
        pass(&world, 5).await;
        world.bucket.record().take_recorded();
        pass(&world, 60).await;
        world.bucket.record().count(Operation::List, "")
    };
    let (few, many) = (listings(0).await, listings(3000).await);
    assert!((1..=4).contains(&few), "{few} listings in a minute");
    assert!((few..=70).contains(&many), "{many} listings in a minute");
}
