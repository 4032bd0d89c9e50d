//! A counter: the smallest durable object.
//!
//! ```sh
//! curl -X POST http://127.0.0.1:8787/do/visits     # 1
//! curl -X POST http://127.0.0.1:8787/do/visits     # 2
//! curl http://127.0.0.1:8787/do/visits             # 2, also after kill -9
//! ```

use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, IntoResponse, Request, Response, Result};

struct Counter;

impl DurableObject for Counter {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut value: u64 = ctx.storage().get("value")?.unwrap_or(0);
        if request.method() == "POST" {
            value += 1;
            ctx.storage().put("value", &value)?;
        }
        value.to_string().into_response()
    }
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Counter", || Counter)
}

fn main() -> ExitCode {
    dotdo::run(app())
}
