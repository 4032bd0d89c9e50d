//! What is believed of an owner, and for how long; and what becomes of a request that it does not
//! answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::FutureExt;
use uuid::Uuid;

use super::*;
use crate::activation::Components;
use crate::cluster::directory::Directory;
use crate::cluster::owner_cache::OwnerCache;
use crate::cluster::peers::{NotTaken, Peers, Received};
use crate::engine::Engine;
use crate::id::Tenant;
use crate::lease::Claim;
use crate::object::{App, Body, Context, DurableObject};
use crate::settings::Settings;
use crate::store::{Bucket, Key, Memory};
use crate::testing::{FaultyBucket, ManualClock};

mod again;

/// Answers with how often it was asked, and who asked. A PUT keeps the object, a DELETE gives it
/// up, a HEAD changes nothing.
struct Counter;

impl DurableObject for Counter {
    const STREAMS_REQUESTS: bool = true;

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match *request.method() {
            http::Method::HEAD => return again::look(request, ctx).await,
            http::Method::PUT => _ = ctx.acquire_fencing_token().await?,
            http::Method::DELETE => {
                let token = ctx.acquire_fencing_token().await?;
                ctx.release_fencing_token(token)?;
            }
            _ => {}
        }
        if request.headers().contains_key("x-rows") {
            let rows: i64 = ctx.sql().exec("SELECT count(*) FROM _dotdo_requests", ())?.one()?;
            return Ok(Response::new(format!("{rows} rows").into()));
        }
        let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
        ctx.storage().put("count", &count)?;
        let body = request.into_body().text().await?;
        Ok(Response::new(format!("{count}{body}").into()))
    }
}

/// What happens to a request on its way to another server.
pub(crate) enum Fate {
    /// It arrives.
    Arrives,
    /// It comes back.
    ComesBack,
    /// It comes back from an owner that goes on to write, and takes nothing new.
    ComesBackFromAWriter,
    /// It is not taken, and its body is gone.
    IsLost,
    /// It arrives, and the answer does not.
    IsUnanswered,
}

/// Carries requests between engines of one process, as scripted; unscripted ones arrive.
#[derive(Default)]
pub(crate) struct Carrier {
    engines: Mutex<Vec<(String, Engine)>>,
    script: Mutex<VecDeque<Fate>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Peers for Carrier {
    async fn send(&self, owner: &Owner, forward: Forward) -> Result<Forwarded, PeerError> {
        self.asked.lock().expect("no panics").push(owner.address.clone());
        let fate = self.script.lock().expect("no panics").pop_front().unwrap_or(Fate::Arrives);
        let engine = self
            .engines
            .lock()
            .expect("no panics")
            .iter()
            .find(|(address, _)| *address == owner.address)
            .map(|(_, engine)| engine.clone());
        if let (Some(engine), Fate::ComesBackFromAWriter) = (&engine, &fate) {
            ask(engine, post(Body::empty())).await.expect("it owns the object");
        }
        let (Some(engine), Fate::Arrives | Fate::IsUnanswered) = (engine, &fate) else {
            let request = (!matches!(fate, Fate::IsLost)).then(|| Box::new(forward.request));
            let cause = match fate {
                Fate::ComesBackFromAWriter => NotTaken::Declined,
                _ => NotTaken::Unreachable,
            };
            return Err(PeerError::NotTaken { request, cause, reason: "as scripted".to_owned() });
        };
        let answer =
            engine.receive(&forward.object, forward.request_context, forward.request).await;
        match answer {
            _ if matches!(fate, Fate::IsUnanswered) => {
                Err(PeerError::Unknown { reason: "as scripted".to_owned() })
            }
            Received::Answered(answer) => Ok(Forwarded::Answered(answer)),
            Received::NotOwner => Err(PeerError::NotTaken {
                request: None,
                cause: NotTaken::Declined,
                reason: "as it says".to_owned(),
            }),
        }
    }
}

impl Carrier {
    pub(crate) fn script(&self, fates: impl IntoIterator<Item = Fate>) {
        self.script.lock().expect("no panics").extend(fates);
    }

    /// Who was asked since the last call.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panics"))
    }
}

/// Servers on one bucket.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) bucket: Arc<Memory>,
    pub(crate) carrier: Arc<Carrier>,
    pub(crate) directory: Option<Arc<dyn Directory>>,
    pub(crate) app: App,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(App::new().class("Counter", || Counter))
    }

    /// Servers of another program.
    pub(crate) fn of(app: App) -> Self {
        let clock = Arc::new(ManualClock::default());
        Self {
            bucket: Arc::new(Memory::new(clock.clone())),
            clock,
            carrier: Arc::default(),
            directory: None,
            app,
        }
    }

    /// A server that others reach at `name`.
    pub(crate) async fn server(&self, name: &str) -> Engine {
        self.server_with(name, Settings::default()).await
    }

    /// The same, with other settings.
    pub(crate) async fn server_with(&self, name: &str, settings: Settings) -> Engine {
        self.server_on(self.bucket.clone(), name, settings).await
    }

    /// The same, with a way of its own to the bucket.
    pub(crate) async fn server_on(
        &self,
        bucket: Arc<dyn Bucket>,
        name: &str,
        settings: Settings,
    ) -> Engine {
        let number = u128::from(*name.as_bytes().first().expect("a name"));
        let components = Components {
            peers: Some(self.carrier.clone()),
            directory: self.directory.clone(),
            ..Components::of_test(bucket, self.clock.clone(), number)
        };
        let settings = Settings { address: Some(name.to_owned()), ..settings };
        let engine =
            Engine::start(self.app.clone(), settings, components).await.expect("it starts");
        self.carrier.engines.lock().expect("no panics").push((name.to_owned(), engine.clone()));
        engine
    }
}

impl World {
    /// Whoever asks the store from now on finds objects that nobody has written.
    pub(crate) async fn empty_the_store(&self) {
        let all = self.bucket.list(&Key::new("local"), None, 1000).await.expect("memory lists");
        let keys: Vec<Key> = all.into_iter().map(|entry| entry.key).collect();
        self.bucket.delete(&keys).await.expect("memory deletes");
    }
}

/// Lets time pass until `work` is done.
pub(crate) async fn in_time<T>(world: &World, work: impl Future<Output = T>) -> T {
    futures_util::pin_mut!(work);
    loop {
        if let Some(done) = (&mut work).now_or_never() {
            return done;
        }
        tokio::task::yield_now().await;
        world.clock.advance(Duration::from_millis(100));
    }
}

pub(crate) fn object() -> ObjectId {
    Tenant::local().object("Counter", "one").expect("a good id")
}

pub(crate) async fn ask(engine: &Engine, request: Request) -> Result<String> {
    Box::pin(engine.fetch(&object(), None, request)).await?.into_body().text().await
}

pub(crate) fn post(body: Body) -> Request {
    let mut request = Request::new(body);
    *request.method_mut() = http::Method::POST;
    request
}

/// A body that can be read once.
fn streamed(text: &'static str) -> Body {
    Body::new(Body::from(text))
}

#[tokio::test]
async fn a_request_reaches_the_owner_and_later_ones_without_asking_the_store() {
    let world = World::new();
    let (a, b) = (world.server("a").await, world.server("b").await);
    assert_eq!(ask(&a, post(streamed("!"))).await.expect("a owns it"), "1!");
    assert_eq!(ask(&b, post(streamed("!"))).await.expect("a answers"), "2!");
    world.empty_the_store().await;
    assert_eq!(ask(&b, Request::default()).await.expect("a answers"), "3");
    assert_eq!(world.carrier.asked(), ["a", "a"]);
}

#[tokio::test]
async fn an_owner_that_is_gone_is_asked_once_and_succeeded_when_its_lease_is_over() {
    let world = World::new();
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    world.carrier.script([Fate::ComesBack]);
    assert_eq!(in_time(&world, ask(&b, post(streamed("!")))).await.expect("b takes it over"), "2!");
    assert_eq!(ask(&b, post(Body::empty())).await.expect("b owns it"), "3");
    assert_eq!(world.carrier.asked(), ["a"]);
    // The former owner finds its record's slot taken; then it knows the new one.
    let error = ask(&a, post(Body::empty())).await.map(|text| assert_eq!(text, "4")).err();
    assert!(error.is_none_or(|error| error.kind() == ErrorKind::Fenced));
}

#[tokio::test]
async fn an_owner_that_still_writes_and_takes_nothing_new_is_asked_until_it_is_done() {
    let world = World::new();
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    world.carrier.script((0..12).map(|_| Fate::ComesBackFromAWriter));
    assert_eq!(
        in_time(&world, ask(&b, post(Body::empty()))).await.expect("a answers in the end"),
        "14"
    );
    assert_eq!(world.carrier.asked(), ["a"; 13]);
    world.carrier.script((0..1000).map(|_| Fate::ComesBackFromAWriter));
    let error =
        in_time(&world, ask(&b, post(Body::empty()))).await.expect_err("nobody waits for ever");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, OWNED_BY_OTHER_INSTANCE));
}

#[tokio::test]
async fn what_may_have_been_done_is_repeated_only_when_that_does_no_harm() {
    let world = World::new();
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    world.carrier.script([Fate::IsUnanswered]);
    let error = ask(&b, post(Body::empty())).await.expect_err("nobody knows");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unknown, "OUTCOME_UNKNOWN"));
    world.clock.advance(Duration::from_secs(20));
    ask(&a, post(Body::empty())).await.expect("a owns it again");
    world.carrier.script([Fate::IsUnanswered]);
    // The handler counts reads too, which shows that it ran once.
    assert_eq!(in_time(&world, ask(&b, Request::default())).await.expect("a GET is repeated"), "4");
}

#[tokio::test]
async fn what_may_have_been_done_is_not_said_to_be_undone_when_its_repetition_fails() {
    for method in [http::Method::POST, http::Method::GET] {
        let world = World::new();
        let faulty = Arc::new(FaultyBucket::around(world.bucket.clone()));
        let a = world.server("a").await;
        let b = world.server_on(faulty.clone(), "b", Settings::default()).await;
        ask(&a, post(Body::empty())).await.expect("a owns it");
        ask(&b, post(Body::empty())).await.expect("b finds a");
        faulty.outage();
        world.carrier.script([Fate::IsUnanswered]);
        let mut request = post(Body::empty());
        request.headers_mut().insert("idempotency-key", http::HeaderValue::from_static("\"once\""));
        *request.method_mut() = method;
        let error = in_time(&world, ask(&b, request)).await.expect_err("b has no store");
        assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
    }
}

#[tokio::test]
async fn a_body_that_is_gone_is_not_made_up() {
    let world = World::new();
    let (a, b) = (world.server("a").await, world.server("b").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    world.carrier.script([Fate::IsLost]);
    let error = ask(&b, post(streamed("!"))).await.expect_err("the client has to send it again");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Busy, OWNED_BY_OTHER_INSTANCE));
    assert!(error.retry_after().is_some());
}

#[tokio::test]
async fn a_server_that_does_not_own_the_object_declines_and_leaves_no_trace() {
    let world = World::new();
    let (a, b, c) = (world.server("a").await, world.server("b").await, world.server("c").await);
    ask(&a, post(Body::empty())).await.expect("a owns it");
    assert!(!b.admits(&object()).await && !c.admits(&object()).await && a.admits(&object()).await);
    let received = b.receive(&object(), RequestContext::default(), post(Body::empty())).await;
    assert!(matches!(received, Received::NotOwner), "{received:?}");
    assert_eq!(world.carrier.asked(), [""; 0], "what was passed on is not passed on again");
    a.shutdown(Duration::from_secs(1)).await;
    assert!(!a.admits(&object()).await, "whoever stops takes nothing more");
    world.clock.advance(Duration::from_secs(20));
    assert!(c.admits(&object()).await, "what nobody owns is taken over");
}

#[test]
fn knowledge_ends_with_the_lease_and_an_answer_renews_it() {
    let clock = ManualClock::default();
    let claim = Claim {
        epoch: 3,
        sequence: 7,
        holder: Uuid::from_u128(9),
        address: Some("there".to_owned()),
        duration: Duration::from_secs(10),
        modified_ms: 0,
        observed: Instant::now(&clock),
        over: false,
    };
    let owner_cache = OwnerCache::default();
    let nowhere = Claim { address: None, ..claim.clone() };
    assert!(!owner_cache.learn(&nowhere, claim.duration, &clock), "nobody knows where it is");
    assert!(owner_cache.learn(&claim, Duration::from_secs(4), &clock));
    clock.advance(Duration::from_secs(3));
    let known = owner_cache.known(&clock).expect("its lease is not over");
    owner_cache.confirm(&known, &clock);
    clock.advance(Duration::from_secs(9));
    assert!(owner_cache.is_known(&clock), "an answer is as good as a record");
    clock.advance(Duration::from_secs(1));
    assert_eq!(owner_cache.known(&clock), None);

    owner_cache.avoid(&known);
    assert!(!owner_cache.learn(&claim, claim.duration, &clock), "it is not asked again");
    let next = Claim { sequence: 8, ..claim };
    assert!(owner_cache.learn(&next, next.duration, &clock), "until it has written another record");
}
