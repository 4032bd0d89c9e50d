//! The ends of classes and objects, and classes with new names, with programs of two versions side
//! by side.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::activation::Precondition;
use crate::object::IntoResponse;

/// How long a pass through an ended class must have waited to be the last one.
const END_WAIT: Duration = Duration::from_secs(3601);

fn old() -> App {
    App::new().class("Counter", || Counter).class("Old", || Counter)
}

fn new() -> App {
    App::new().class("Counter", || Counter).deleted("Old")
}

/// A server of another program on the same bucket.
async fn server(world: &World, app: App, instance: u128) -> Engine {
    let ownership = Ownership::PerRequest;
    let settings = Settings { ownership, ..Settings::default() };
    Engine::start(app, settings, world.components(instance)).await.expect("it starts")
}

async fn ask(engine: &Engine, (class, id): (&str, &str), path: &str) -> Result<String> {
    let object = Tenant::local().object(class, id).expect("good names");
    let request = http::Request::get(path).body(Body::empty())?;
    engine.fetch(&object, None, request).await?.into_body().text().await
}

/// What the bucket says about the end of the class.
async fn end_file(world: &World) -> Option<String> {
    let stored = world.bucket.get_within(&Key::new("local/local/classes/old"), 1000).await;
    let stored = stored.expect("memory answers")?;
    Some(String::from_utf8(stored.bytes.to_vec()).expect("JSON"))
}

#[tokio::test]
async fn a_class_that_has_ended_is_deleted_once_and_its_name_can_be_used_again() {
    let world = World::new();
    let before = server(&world, old(), 1).await;
    for id in ["a", "b", "c"] {
        assert_eq!(ask(&before, ("Old", id), "/add").await.expect("it counts"), "1");
    }
    assert_eq!(ask(&before, ("Counter", "a"), "/add").await.expect("it counts"), "1");
    let engine = server(&world, new(), 2).await;
    let refused = ask(&engine, ("Old", "a"), "/get").await.expect_err("it has ended");
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Gone, "CLASS_DELETED"));
    engine.tick().await.expect("it looks");
    for id in ["a", "b", "c"] {
        assert_eq!(ask(&before, ("Old", id), "/get").await.expect("an empty object"), "0");
    }
    // What the old version writes meanwhile is deleted, too.
    assert_eq!(ask(&before, ("Old", "b"), "/add").await.expect("it begins anew"), "1");
    world.clock.advance(END_WAIT);
    engine.tick().await.expect("it looks");
    assert_eq!(ask(&before, ("Old", "b"), "/get").await.expect("an empty object"), "0");
    assert!(end_file(&world).await.is_some_and(|file| file.contains(r#""done":false"#)));
    engine.tick().await.expect("it looks");
    assert!(end_file(&world).await.is_some_and(|file| file.contains(r#""done":true"#)));
    // A later class has the name, and servers with the declaration leave it alone.
    let later = server(&world, old(), 3).await;
    assert_eq!(ask(&later, ("Old", "a"), "/add").await.expect("it is new"), "1");
    server(&world, new(), 4).await.tick().await.expect("it looks");
    engine.tick().await.expect("it looks");
    assert_eq!(ask(&later, ("Old", "a"), "/get").await.expect("it stays"), "1");
    assert_eq!(ask(&later, ("Counter", "a"), "/get").await.expect("another class"), "1");
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_continued_by_the_next_server() {
    let world = World::new();
    let before = server(&world, old(), 1).await;
    for id in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(ask(&before, ("Old", id), "/add").await.expect("it counts"), "1");
    }
    let first = server(&world, new(), 2).await;
    // Nothing more reaches the store after the first deletions.
    let faults = world.bucket.faults();
    let created = AtomicUsize::new(0);
    faults.fail_while(
        move |operation, key| {
            let is_deletion = operation.is_commit(key) && key.as_str().contains("/do/old/");
            created.fetch_add(usize::from(is_deletion), Ordering::Relaxed);
            created.load(Ordering::Relaxed) > 2
        },
        Fault::NotApplied,
    );
    let ticking = tokio::spawn({
        let first = first.clone();
        async move { first.tick().await }
    });
    for _ in 0..2000 {
        world.clock.advance(Duration::from_millis(100));
        tokio::task::yield_now().await;
    }
    ticking.abort();
    world.bucket.faults().heal();
    let alive = |engine: Engine| async move {
        let mut alive = 0;
        for id in ["a", "b", "c", "d", "e", "f"] {
            alive += usize::from(ask(&engine, ("Old", id), "/get").await.expect("read") == "1");
        }
        alive
    };
    assert_eq!(alive(before.clone()).await, 4, "two were deleted");
    let second = server(&world, new(), 3).await;
    second.tick().await.expect("it goes on");
    assert_eq!(alive(before).await, 0);
}

#[tokio::test]
async fn an_object_of_an_ended_class_that_has_changed_since_it_was_listed_is_left_for_the_next_pass()
 {
    let world = World::new();
    let before = server(&world, old(), 1).await;
    ask(&before, ("Old", "a"), "/add").await.expect("it counts");
    let object = Tenant::local().object("Old", "a").expect("good names");
    let engine = server(&world, new(), 2).await;
    let administration = engine.administration();
    ask(&before, ("Old", "a"), "/add").await.expect("it counts");
    let stale = administration.delete_object(&object, Precondition::Unchanged(1)).await;
    assert_eq!(stale.expect_err("it has changed").code(), "OBJECT_CHANGED");
    assert_eq!(ask(&before, ("Old", "a"), "/get").await.expect("it stays"), "2");
}

#[tokio::test]
async fn a_message_to_a_class_that_has_ended_does_not_wait_for_ever() {
    let world = World::of(old());
    let before = server(&world, old(), 1).await;
    world.clock.advance(Duration::from_secs(1));
    let mailer = |app: App| app.class("Mailer", || Mailer);
    let sender = server(&world, mailer(old()), 2).await;
    drop(before);
    let faulty = world.bucket.faults();
    faulty.fail_while(|_, key| key.as_str().contains("/do/old/"), Fault::NotApplied);
    ask(&sender, ("Mailer", "a"), "/send").await.expect("it is sent");
    world.bucket.faults().heal();
    sender.shutdown(Duration::from_secs(1)).await;
    let engine = server(&world, mailer(new()), 3).await;
    engine.tick().await.expect("it delivers");
    let waiting = ask(&engine, ("Mailer", "a"), "/waiting").await.expect("it is asked");
    assert_eq!(waiting, "0");
}

/// Sends a message to an object of the class that ends.
struct Mailer;

impl DurableObject for Mailer {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        if request.uri().path() == "/send" {
            ctx.send("Old", "x", http::Request::post("/add").body(Body::empty())?)?;
            return "sent".into_response();
        }
        let waiting: u64 = ctx.sql().exec("SELECT count(*) FROM _dotdo_outbox", ())?.one()?;
        waiting.to_string().into_response()
    }
}

#[tokio::test]
async fn two_names_of_a_class_lead_to_the_same_objects_in_programs_of_both_versions() {
    let world = World::new();
    let before = server(&world, App::new().class("Chat", || Counter), 1).await;
    let renamed = App::new().class("Room", || Counter).renamed("Chat", "Room");
    let after = server(&world, renamed.clone(), 2).await;
    assert_eq!(ask(&before, ("Chat", "a"), "/add").await.expect("it counts"), "1");
    assert_eq!(ask(&after, ("Room", "a"), "/add").await.expect("the same object"), "2");
    assert_eq!(ask(&before, ("Chat", "a"), "/add").await.expect("the same object"), "3");
    assert_eq!(ask(&after, ("Chat", "a"), "/get").await.expect("its former name"), "3");
    let listed = crate::ObjectQuery { class: Some("Room".to_owned()), ..Default::default() };
    let page = after.inspection().objects(&Tenant::local(), &listed).await.expect("a page");
    assert_eq!(page.items.len(), 1);
    assert_eq!((page.items[0].class.as_str(), page.items[0].id.as_str()), ("Chat", "a"));
    let classes = after.inspection().classes(&Tenant::local()).await.expect("classes");
    assert!(classes.iter().all(|class| class.registered), "{classes:?}");
    let keys = world.bucket.list(&Key::new("local/local/do"), None, 1000).await.expect("listed");
    let is_stored = |entry: &crate::store::Entry| entry.key.as_str().contains("/do/chat/");
    assert!(keys.iter().all(is_stored), "nothing is stored under the new name");
    // Once more, and the class that is called from inside.
    let hall = App::new().class("Hall", || Counter).class("Asker", || Asker);
    let hall = hall.renamed("Chat", "Room").renamed("Room", "Hall");
    let last = server(&world, hall, 3).await;
    for name in ["Hall", "Room", "Chat"] {
        let asked = ask(&last, ("Asker", "x"), &format!("/{name}")).await.expect("it asks");
        assert_eq!(asked, "Chat/a 3", "{name}");
    }
}

/// Asks an object by the name of its class.
struct Asker;

impl DurableObject for Asker {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let other = ctx.object(request.uri().path().trim_start_matches('/'), "a")?;
        let get = http::Request::get("/get").body(Body::empty())?;
        let count = other.fetch(get).await?.into_body().text().await?;
        format!("{} {count}", other.id()).into_response()
    }
}

#[tokio::test]
async fn a_program_whose_names_make_no_sense_does_not_start() {
    let world = World::new();
    for app in [
        App::new().class("Room", || Counter).renamed("Chat", "Hall"),
        App::new().class("Old", || Counter).deleted("Old"),
    ] {
        let started = Engine::start(app, Settings::default(), world.components(1)).await;
        assert_eq!(started.err().expect("it makes no sense").code(), "BAD_CLASSES");
    }
}

/// Has a schema, keys and an alarm, and forgets them.
struct Full;

impl DurableObject for Full {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&[
            "CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE \"Chil\"\"dren\" (id INTEGER REFERENCES parents(id))",
            "CREATE VIEW names AS SELECT id FROM parents; CREATE VIRTUAL TABLE words USING fts5(word); CREATE TRIGGER t AFTER INSERT ON parents BEGIN INSERT INTO words VALUES (new.id); END",
        ])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match request.uri().path() {
            "/fill" => {
                ctx.sql().exec("INSERT INTO parents DEFAULT VALUES", ())?;
                ctx.sql().exec("INSERT INTO \"Chil\"\"dren\" SELECT max(id) FROM parents", ())?;
                ctx.storage().put("key", &1)?;
                ctx.set_alarm(ctx.now_ms() + 3_600_000)?;
            }
            "/forget" => {
                ctx.delete_all()?;
                let query = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'";
                let left: Vec<String> = ctx.sql().exec(query, ())?.rows()?;
                return left.join(",").into_response();
            }
            "/end" => {
                ctx.delete_all()?;
                ctx.delete_if_empty();
                return "ended".into_response();
            }
            "/end-and-keep" => {
                ctx.delete_if_empty();
                return "kept".into_response();
            }
            "/forget-and-fail" => {
                ctx.delete_all()?;
                return Err(Error::conflict("on purpose"));
            }
            _ => {}
        }
        let children: Vec<i64> = ctx.sql().exec("SELECT * FROM \"Chil\"\"dren\"", ())?.rows()?;
        let words: u64 = ctx.sql().exec("SELECT count(*) FROM words", ())?.one()?;
        let (key, alarm) = (ctx.storage().get::<u64>("key")?, ctx.alarm()?.is_some());
        format!("{children:?} {words} {key:?} {alarm}").into_response()
    }
}

#[tokio::test]
async fn an_object_that_deletes_all_begins_anew_with_the_next_request() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::of(App::new().class("Counter", || Full));
        let engine = world.server_with(1, Settings { ownership, ..Settings::default() }).await;
        let full = "[1, 2] 2 Some(1) true";
        get(&engine, "/fill").await.expect("it is filled");
        assert_eq!(get(&engine, "/fill").await.expect("it is filled"), full);
        assert_eq!(kind(get(&engine, "/forget-and-fail").await), ErrorKind::Conflict);
        assert_eq!(get(&engine, "/").await.expect("nothing is gone"), full);
        let left = get(&engine, "/forget").await.expect("it forgets");
        assert_eq!(left, "_dotdo_alarm_marker", "what stands for the marker in the bucket");
        assert_eq!(get(&engine, "/").await.expect("it starts"), "[] 0 None false");
        assert_eq!(get(&engine, "/fill").await.expect("anew"), "[1] 1 Some(1) true");
        get(&engine, "/forget").await.expect("it forgets");
        engine.shutdown(Duration::from_secs(5)).await;
        let engine = world.server_with(2, Settings { ownership, ..Settings::default() }).await;
        assert_eq!(get(&engine, "/").await.expect("it starts"), "[] 0 None false");
    }
}

#[tokio::test]
async fn an_object_with_nothing_can_end_itself_and_one_with_something_can_not() {
    for ownership in [Ownership::Leased, Ownership::PerRequest] {
        let world = World::of(App::new().class("Counter", || Full));
        let engine = world.server_with(1, Settings { ownership, ..Settings::default() }).await;
        let listed = async || {
            engine.finish_background().await;
            let all = crate::ObjectQuery::default();
            let page = engine.inspection().objects(&Tenant::local(), &all).await.expect("a page");
            page.items.len()
        };
        get(&engine, "/fill").await.expect("it is filled");
        get(&engine, "/end-and-keep").await.expect("it answers");
        assert_eq!(listed().await, 1);
        assert_eq!(get(&engine, "/").await.expect("it is there"), "[1] 1 Some(1) true");
        get(&engine, "/end").await.expect("it ends");
        assert_eq!(listed().await, 0);
        assert_eq!(get(&engine, "/fill").await.expect("anew"), "[1] 1 Some(1) true");
        assert_eq!(listed().await, 1);
    }
}
