//! A rate limiter: one bucket of tokens for each client, filled again as time passes.
//!
//! ```sh
//! curl -X POST http://127.0.0.1:8787/do/client-42/take    # {"remaining":9}, and 429 with Retry-After when it is empty
//! ```

use std::process::ExitCode;
use std::time::Duration;

use dotdo::{
    App, Class, Context, DurableObject, Error, ErrorKind, IntoResponse, Json, Matcher, Request,
    Response, Result,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Capacity of a bucket: the burst that a client may send.
const TOKENS_MAX: f64 = 10.0;
/// Tokens that are added per second: the sustained rate of a client.
const TOKENS_PER_SECOND: f64 = 1.0;

#[derive(Default)]
struct RateLimiter;

impl Class for RateLimiter {
    const NAME: &'static str = "RateLimiter";
}

#[derive(Serialize, Deserialize)]
struct Bucket {
    tokens: f64,
    at_ms: i64,
}

impl DurableObject for RateLimiter {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let full = Bucket { tokens: TOKENS_MAX, at_ms: ctx.now_ms() };
        let mut bucket = ctx.storage().get("bucket")?.unwrap_or(full);
        bucket.fill(ctx.now_ms());
        let mut on = Matcher::of(&request);
        if let Some([]) = on.post("/take") {
            bucket.take()?;
            ctx.storage().put("bucket", &bucket)?;
        } else if on.get::<0>("/").is_none() {
            return on.otherwise();
        }
        Json(json!({ "remaining": bucket.tokens.floor() })).into_response()
    }
}

impl Bucket {
    /// Adds the tokens of the time since the last request. A clock that was set back adds none.
    fn fill(&mut self, now_ms: i64) {
        let seconds = (now_ms - self.at_ms).max(0) as f64 / 1000.0;
        self.tokens = (self.tokens + seconds * TOKENS_PER_SECOND).min(TOKENS_MAX);
        self.at_ms = now_ms;
    }

    /// Takes a token. An error rolls the request back, so a refused one writes nothing.
    fn take(&mut self) -> Result<()> {
        if self.tokens < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - self.tokens) / TOKENS_PER_SECOND);
            return Err(
                Error::new(ErrorKind::RateLimited, "too many requests").with_retry_after(wait)
            );
        }
        self.tokens -= 1.0;
        Ok(())
    }
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().register::<RateLimiter>()
}

fn main() -> ExitCode {
    dotdo::run(app())
}
