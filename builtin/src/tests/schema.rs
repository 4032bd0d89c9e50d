//! The tables of the class, and objects that were written before they changed.

use dotdo::{App, Context, DurableObject, Request, Response, Result, Step, json as answer};
use serde_json::{Value, json};

use super::world::{World, fixture};
use crate::fields::Collection;
use crate::{Graph, schema};

/// A column more in `events`, as a later program would add it.
const COLUMN: &str = r#"ALTER TABLE events ADD COLUMN "trace_id" TEXT"#;

/// A later program: it has one more step, and shows its tables.
struct Later {
    steps: Vec<Step>,
}

impl DurableObject for Later {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&self.steps)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match request.uri().path().strip_prefix("/columns/") {
            Some(table) => {
                let query = format!("SELECT * FROM {table} LIMIT 0");
                answer(ctx.sql().exec(&query, ())?.column_names())
            }
            None => Graph::default().fetch(request, ctx).await,
        }
    }
}

fn later(more: &[&'static str]) -> App {
    let steps = schema::STEPS.iter().chain(more).map(|step| Step::sql(step));
    let steps: Vec<Step> = steps.collect();
    App::new().class("DO", move || Later { steps: steps.clone() })
}

/// What the fixture's object held when it was written.
fn before() -> Value {
    let text = std::fs::read(fixture().join("content.json")).expect("the fixture is there");
    serde_json::from_slice(&text).expect("it is JSON")
}

async fn is_as_before(world: &World) {
    let before = before();
    for collection in Collection::ALL {
        let list = world.get(&format!("/{}", collection.name())).await;
        assert_eq!(list, before[collection.name()], "{}", collection.name());
    }
}

#[tokio::test]
async fn every_field_is_a_column_and_every_column_a_field() {
    let mut world = World::new().await;
    world.restart_as(later(&[])).await;
    for collection in Collection::ALL {
        let columns = world.get(&format!("/columns/{}", collection.name())).await;
        let fields = collection.fields().iter().map(|field| field.name);
        // A thing's version is its row's number.
        let fields: Vec<&str> = fields.filter(|name| *name != "version").collect();
        assert_eq!(columns, json!(fields), "{}", collection.name());
    }
}

#[tokio::test]
async fn an_object_of_the_first_program_is_read_and_written() {
    let mut world = World::frozen().await;
    is_as_before(&world).await;
    let draft = world.get("/things/note?branch=draft&version=3").await;
    assert_eq!((&draft["type"], &draft["deleted"]), (&json!("Note"), &json!(false)));
    let changed = world.ok("PATCH", "/things/beetle", json!({"name": "Old Beetle"})).await;
    assert_eq!(changed["version"], 5);
    world.restart().await;
    assert_eq!(world.get("/things/beetle?version=2").await["name"], "Beetle");
    assert_eq!(world.get("/events").await["count"], 6);
}

#[tokio::test]
async fn a_column_more_is_a_step_for_objects_of_the_first_program() {
    let mut world = World::frozen().await;
    world.restart_as(later(&[COLUMN])).await;
    is_as_before(&world).await;
    let columns = world.get("/columns/events").await;
    assert_eq!(columns.as_array().expect("a list").last(), Some(&json!("trace_id")));
    world.ok("POST", "/events", json!({"id": "snowed", "verb": "snowed"})).await;
    world.restart_as(later(&[COLUMN])).await;
    assert_eq!(world.get("/events/snowed").await["sequence"], 6);
    assert_eq!(world.get("/events").await["items"][4], before()["events"]["items"][4]);

    world.restart().await;
    assert_eq!(world.code("GET", "/events", Value::Null).await, "SCHEMA_VERSION");
    assert_eq!(world.code("POST", "/things", json!({})).await, "SCHEMA_VERSION");
}
