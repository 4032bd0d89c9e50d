//! Who a handler is told that its caller is.

use super::*;
use crate::cluster::{Received, RequestContext};
use crate::object::{Caller, Scope};
use crate::router::At;

/// Notes the caller of everything that it does, and does what the path says.
struct Witness;

/// A short name of a caller.
fn name(caller: &Caller) -> String {
    match (caller.subject(), caller.object()) {
        (Some(subject), None) => {
            format!("{subject} of {} with {}", caller.tenant(), caller.scopes())
        }
        (None, Some(object)) => format!("{object}"),
        (None, None) if caller.is_anonymous() => format!("anonymous of {}", caller.tenant()),
        other => format!("{other:?}"),
    }
}

fn note(ctx: &mut Context, what: &str) -> Result<()> {
    let name = name(ctx.caller());
    ctx.sql().exec("CREATE TABLE IF NOT EXISTS seen (what, name)", ())?;
    ctx.sql().exec("INSERT INTO seen VALUES (?, ?)", (what, name)).map(drop)
}

impl DurableObject for Witness {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        // A call of the start is the object's own, too.
        if ctx.id().id() == "starter" {
            ctx.object("Witness", "a")?
                .fetch(http::Request::get("/start").body(Body::empty())?)
                .await?;
        }
        if ctx.id().id() == "watched" { note(ctx, "start") } else { Ok(()) }
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let to = |path: &str| http::Request::get(path).body(Body::empty());
        match request.uri().path() {
            "/seen" => {
                let seen: Vec<(String, String)> =
                    ctx.sql().exec("SELECT what, name FROM seen ORDER BY rowid", ())?.rows()?;
                let lines = seen.into_iter().map(|(what, name)| format!("{what}: {name}\n"));
                return Ok(Response::new(lines.collect::<String>().into()));
            }
            "/call" => return ctx.object("Witness", "b")?.fetch(to("/called")?).await,
            "/call-twice" => return ctx.object("Witness", "c")?.fetch(to("/call")?).await,
            "/pass-on" if ctx.id().id() != "b" => {
                return ctx.object("Witness", "b")?.fetch(request).await;
            }
            "/send" => ctx.send("Witness", "b", to("/sent")?)?,
            "/leave" => {
                let (other, request) = (ctx.object("Witness", "b")?, to("/left")?);
                ctx.wait_until(async move { _ = other.fetch(request).await });
            }
            "/name" | "/pass-on" => return Ok(Response::new(name(ctx.caller()).into())),
            path => note(ctx, path)?,
        }
        Ok(Response::new(name(ctx.caller()).into()))
    }
}

fn alice() -> Caller {
    Caller::new("alice").with_scopes(Scope::Read)
}

async fn ask(engine: &Engine, id: &str, path: &str, caller: Option<Caller>) -> String {
    let mut request = http::Request::get(path).body(Body::empty()).expect("a request");
    caller.map(|caller| request.extensions_mut().insert(caller));
    let object = Tenant::local().object("Witness", id).expect("a good id");
    let response = engine.fetch(&object, None, request).await.expect("an answer");
    response.into_body().text().await.expect("text")
}

fn world() -> World {
    World::of(App::new().class("Witness", || Witness))
}

const ALICE: &str = "alice of local/local with dotdo:read";

#[tokio::test]
async fn a_handler_is_told_who_was_verified_and_calls_are_made_for_its_caller() {
    let world = world();
    for engine in [world.server(1).await, world.function(2).await] {
        assert_eq!(ask(&engine, "a", "/name", Some(alice())).await, ALICE);
        assert_eq!(ask(&engine, "a", "/name", None).await, "anonymous of local/local");
        for path in ["/call", "/call-twice", "/pass-on"] {
            assert_eq!(ask(&engine, "a", path, Some(alice())).await, ALICE, "{path}");
            assert_eq!(ask(&engine, "a", path, None).await, "anonymous of local/local", "{path}");
        }
        engine.shutdown(Duration::from_secs(5)).await;
    }
}

#[tokio::test]
async fn messages_and_work_that_is_left_behind_are_the_objects_own() {
    let world = world();
    let engine = world.server(1).await;
    ask(&engine, "a", "/send", Some(alice())).await;
    engine.finish_background().await;
    ask(&engine, "a", "/leave", Some(alice())).await;
    engine.finish_background().await;
    assert_eq!(ask(&engine, "b", "/seen", None).await, "/sent: Witness/a\n/left: Witness/a\n");
}

#[tokio::test]
async fn a_class_starts_for_all_callers() {
    let world = world();
    let engine = world.server(1).await;
    assert_eq!(ask(&engine, "watched", "/first", Some(alice())).await, ALICE);
    let seen = format!("start: Witness/watched\n/first: {ALICE}\n");
    assert_eq!(ask(&engine, "watched", "/seen", None).await, seen);
    ask(&engine, "starter", "/name", Some(alice())).await;
    assert_eq!(ask(&engine, "a", "/seen", None).await, "/start: Witness/starter\n");
}

#[tokio::test]
async fn an_earlier_state_is_asked_by_todays_caller() {
    let world = world();
    let engine = world.server(1).await;
    ask(&engine, "a", "/first", None).await;
    let object = Tenant::local().object("Witness", "a").expect("a good id");
    for (caller, expected) in [(Some(alice()), ALICE), (None, "anonymous of local/local")] {
        let mut request = http::Request::get("/name").body(Body::empty()).expect("a request");
        caller.map(|caller| request.extensions_mut().insert(caller));
        let at = Some(At::Sequence(1));
        let response = engine.fetch(&object, at, request).await.expect("an answer");
        assert_eq!(response.into_body().text().await.expect("text"), expected);
    }
}

#[tokio::test]
async fn a_caller_of_another_tenant_reaches_no_object() {
    let world = world();
    let engine = world.server(1).await;
    let acme = Tenant::new("acme", "shop").expect("a tenant");
    let theirs = acme.object("Witness", "a").expect("a good id");
    let own = Tenant::local().object("Witness", "a").expect("a good id");
    for (object, caller) in [
        (&theirs, alice()),
        (&theirs, Caller::anonymous()),
        (&own, alice().of_tenant(acme.clone())),
    ] {
        for at in [None, Some(At::Sequence(1))] {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(caller.clone());
            let refused = engine.fetch(object, at, request).await.expect_err("it is another's");
            assert_eq!((refused.kind(), refused.code()), (ErrorKind::Forbidden, "WRONG_TENANT"));
        }
        let context = RequestContext { caller: Some(caller), ..RequestContext::default() };
        let received = engine.receive(object, context, Request::new(Body::empty())).await;
        let Received::Answered(Err(refused)) = received else { panic!("{received:?}") };
        assert_eq!(refused.code(), "WRONG_TENANT");
    }
    assert_eq!(world.records(), 0);
}
