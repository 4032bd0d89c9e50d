//! Counters: `POST /do/{id}` counts one more, `GET /do/{id}` tells how many.

use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, Request, Response, Result};

/// A class of objects. Each id is one, with a SQLite database of its own.
struct Counter;

impl DurableObject for Counter {
    /// Answers one request. All that it changes is one transaction, which is in the bucket before
    /// the response leaves; an error undoes it.
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS clicks (at_ms INTEGER NOT NULL)", ())?;
        if request.method() == "POST" {
            let now_ms = ctx.now_ms();
            ctx.sql().exec("INSERT INTO clicks VALUES (?)", (now_ms,))?;
        }
        let count: u64 = ctx.sql().exec("SELECT count(*) FROM clicks", ())?.one()?;
        dotdo::json(&count)
    }
}

/// What the program serves.
fn app() -> App {
    App::new().class("Counter", || Counter)
}

fn main() -> ExitCode {
    dotdo::run(app())
}

#[cfg(test)]
mod tests {
    use dotdo::testing::TestServer;

    use super::app;

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
}
