//! The program and the test of docs/GETTING-STARTED.md, word for word.

#![expect(dead_code, reason = "`main` is not called here")]

use std::process::ExitCode;

use dotdo::{App, Class, Context, DurableObject, Matcher, Request, Response, Result};

/// A class of objects. Each id is an object with its own SQLite database.
#[derive(Default)]
struct Counter;

impl Class for Counter {
    const NAME: &'static str = "Counter";
}

impl DurableObject for Counter {
    /// Runs when an object comes into memory.
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        // Every object runs each step once. To change the schema, add a step at the end.
        ctx.migrate(&["CREATE TABLE clicks (at_ms INTEGER NOT NULL)"])
    }

    /// Answers one request. Its changes are one transaction, which is in the bucket before the
    /// response leaves. An error rolls it back.
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.post("/") {
            let now_ms = ctx.now_ms();
            ctx.sql().exec("INSERT INTO clicks VALUES (?)", (now_ms,))?;
            count(ctx)
        } else if let Some([]) = on.get("/") {
            count(ctx)
        } else {
            on.otherwise()
        }
    }
}

fn count(ctx: &mut Context) -> Result<Response> {
    let count: u64 = ctx.sql().exec("SELECT count(*) FROM clicks", ())?.one()?;
    dotdo::json(&count)
}

/// The classes of this program.
fn app() -> App {
    App::new().register::<Counter>()
}

fn main() -> ExitCode {
    dotdo::run(app())
}

use dotdo::testing::TestServer;

#[test]
fn clicks_are_counted_and_survive_a_crash() {
    dotdo::testing::run(async {
        let mut server = TestServer::start(app()).await;
        assert_eq!(server.post("/do/visits").await.json::<u64>(), 1);
        server.crash().await;
        assert_eq!(server.post("/do/visits").await.json::<u64>(), 2);
        assert_eq!(server.get("/do/others").await.json::<u64>(), 0);
    });
}

#[test]
fn the_page_has_this_program_and_this_test() {
    let page = dotdo_tests::code_blocks("docs/GETTING-STARTED.md");
    let blocks: Vec<_> = page.iter().filter(|block| block.language == "rust").collect();
    assert_eq!(blocks.len(), 2, "a program and a test");
    for block in blocks {
        assert!(include_str!("getting_started.rs").contains(&block.text), "{}", block.text);
    }
}
