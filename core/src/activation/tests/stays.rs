//! Objects that stay in memory between their turns.

use super::*;
use crate::object::{IntoResponse, Stay};

/// Counts in memory.
#[derive(Default)]
struct Tally {
    count: u64,
    stay: Option<Stay>,
}

impl DurableObject for Tally {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        self.count += 1;
        match request.uri().path() {
            "/linger" => ctx.linger(),
            "/stay" => self.stay = Some(ctx.stay().await?),
            "/end" => self.stay.take().map_or(Ok(()), |stay| ctx.end_stay(stay))?,
            "/write" => ctx.storage().put("written", &self.count)?,
            _ => {}
        }
        self.count.to_string().into_response()
    }
}

fn tallies() -> World {
    World::of(App::new().class("Tally", Tally::default))
}

async fn ask(engine: &Engine, id: &str, path: &'static str) -> Result<String> {
    let object = Tenant::local().object("Tally", id)?;
    let request = http::Request::get(path).body(Body::empty())?;
    engine.fetch(&object, None, request).await?.into_body().text().await
}

#[tokio::test]
async fn an_object_that_lingers_keeps_its_fields_though_it_has_stored_nothing() {
    let world = tallies();
    for engine in [world.server(1).await, world.function(2).await] {
        for _ in 0..2 {
            assert_eq!(ask(&engine, "a", "/count").await.expect("an answer"), "1");
        }
        for expected in ["1", "2", "3"] {
            assert_eq!(ask(&engine, "b", "/linger").await.expect("an answer"), expected);
        }
        assert_eq!(engine.activations().lists.residents.len(), 1);
    }
    assert_eq!(world.records(), 0, "it does not exist");
}

#[tokio::test]
async fn an_object_that_stays_is_not_let_go_while_there_are_too_many() {
    let world = tallies();
    let engine = world.server_with(1, Settings { objects_max: 2, ..Settings::default() }).await;
    ask(&engine, "stays", "/write").await.expect("an answer");
    ask(&engine, "stays", "/stay").await.expect("an answer");
    ask(&engine, "never stored", "/stay").await.expect("an answer");
    let crowd = async |round: u64| {
        for number in 0..4 {
            ask(&engine, &format!("{round}-{number}"), "/write").await.expect("an answer");
            world.clock.advance(Duration::from_millis(500));
            run_ready().await;
        }
    };
    crowd(1).await;
    assert_eq!(ask(&engine, "stays", "/end").await.expect("an answer"), "3");
    assert_eq!(ask(&engine, "never stored", "/end").await.expect("an answer"), "2");
    crowd(2).await;
    assert_eq!(ask(&engine, "stays", "/count").await.expect("an answer"), "1");
    assert_eq!(ask(&engine, "never stored", "/count").await.expect("an answer"), "1");
}

#[tokio::test]
async fn on_functions_others_are_kept_away_from_an_object_that_stays() {
    let world = tallies();
    let (first, second) = (world.function(1).await, world.function(2).await);
    ask(&first, "a", "/stay").await.expect("an answer");
    let refused = ask(&second, "a", "/stay").await.expect_err("it is held");
    assert_eq!(refused.kind(), ErrorKind::Busy, "{refused}");
    assert_eq!(ask(&first, "a", "/write").await.expect("an answer"), "2");
    assert_eq!(ask(&first, "a", "/end").await.expect("an answer"), "3");
    assert_eq!(ask(&second, "a", "/stay").await.expect("at once"), "1");
}

#[tokio::test]
async fn a_function_looks_again_before_it_refuses_for_anothers_claim() {
    let world = tallies();
    let settings = Settings {
        ownership: Ownership::PerRequest,
        lease_duration: crate::limits::TAKE_OVER_WAIT_MAX * 2,
        ..Settings::default()
    };
    let first = world.server_with(1, settings.clone()).await;
    let second = world.server_with(2, settings).await;
    ask(&first, "a", "/stay").await.expect("an answer");
    let refused = ask(&second, "a", "/write").await.expect_err("it is held for too long");
    assert_eq!(refused.kind(), ErrorKind::Busy, "{refused}");
    assert_eq!(ask(&first, "a", "/end").await.expect("an answer"), "2");
    assert_eq!(ask(&second, "a", "/write").await.expect("it was given up"), "1");
}
