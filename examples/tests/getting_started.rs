//! The program and the test of docs/GETTING-STARTED.md, word for word.

#![expect(dead_code, reason = "`main` is not called here")]

use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, IntoResponse, Request, Response, Result};

struct Counter;

impl DurableObject for Counter {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&["CREATE TABLE clicks (at_ms INTEGER NOT NULL)"])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        if request.method() == "POST" {
            let now_ms = ctx.now_ms();
            ctx.sql().exec("INSERT INTO clicks VALUES (?)", (now_ms,))?;
        }
        let count: u64 = ctx.sql().exec("SELECT count(*) FROM clicks", ())?.one()?;
        count.to_string().into_response()
    }
}

fn main() -> ExitCode {
    dotdo::run(App::new().class("Counter", || Counter))
}

#[test]
fn clicks_survive_a_crash() {
    dotdo::testing::run(async {
        let app = App::new().class("Counter", || Counter);
        let mut server = dotdo::testing::TestServer::start(app).await;
        assert_eq!(server.post("/do/visits").await.text(), "1");
        server.crash().await;
        assert_eq!(server.get("/do/visits").await.text(), "1");
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
