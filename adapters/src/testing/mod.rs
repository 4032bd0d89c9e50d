//! Tests of your own classes, in process: the real engine on a real store in memory, with a clock
//! that costs no time and crashes that cost no process.
//!
//! ```
//! use dotdo::testing::TestServer;
//! use dotdo::{App, Context, DurableObject, Request, Response, Result};
//!
//! struct Counter;
//!
//! impl DurableObject for Counter {
//!     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
//!         let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
//!         ctx.storage().put("count", &count)?;
//!         dotdo::json(&count)
//!     }
//! }
//!
//! # dotdo::testing::run(async {
//! let mut server = TestServer::start(App::new().class("Counter", || Counter)).await;
//! assert_eq!(server.post("/do/visits").await.json::<u64>(), 1);
//! server.crash().await;
//! assert_eq!(server.post("/do/visits").await.json::<u64>(), 2);
//! # });
//! ```
//!
//! A test is an `async fn` under `#[tokio::test]`, or a plain one that calls [`run`]. Time stands
//! still, and jumps to the next moment at which something is due whenever everything waits for
//! one: a lease of ten seconds and a retention of three days take no time, and a test does the
//! same in every run. That includes `tokio::time` in your own code. What is not a matter of time
//! (sockets, other processes) is not waited for: timeouts that are due come first.
//!
//! `docs/TESTING.md` is a guide. What is below the engine (clocks that a test moves by hand,
//! buckets that fail, wait and record) is here too, for tests of programs that bring an engine of
//! their own.

mod clock;
mod process;
mod request;
mod rows;
mod server;
mod settled;

pub use clock::{RunningClock, run};
pub use dotdo_core::testing::{
    ConstantRandom, CountingRandom, CutBucket, Ended, Fault, FaultyBucket, ManualClock, Operation,
    Recorded, RecordingBucket, SlowBucket, TestStore,
};
pub use request::{TestRequest, TestResponse};
pub use server::{TestServer, TestServerBuilder};

#[cfg(test)]
mod tests;
