//! Runs tests of your classes in process: on the real engine and a store in memory, with a
//! simulated clock and simulated crashes.
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
//! A test is an `async fn` with `#[tokio::test]`, or a plain function that calls [`run`]. The clock
//! stands still, and jumps to the next time that a task waits for when all tasks wait. So a lease
//! of ten seconds or a retention time of three days takes no real time, and tests are
//! deterministic. `tokio::time` in your own code uses the same clock. The clock does not wait for
//! sockets and other processes: timeouts are reached first.
//!
//! `docs/TESTING.md` is a guide. For programs with their own engine, this module also has the parts
//! below it: clocks that a test advances, and buckets that fail, wait and record.

mod clock;
mod process;
mod request;
mod rows;
mod server;
mod settled;
mod socket;

pub use clock::{RunningClock, run};
pub use dotdo_core::testing::{
    ConstantRandom, CountingRandom, CutBucket, Ended, Fault, FaultyBucket, ManualClock, Operation,
    Recorded, RecordingBucket, SlowBucket, TestStore,
};
pub use request::{TestRequest, TestResponse};
pub use server::{TestServer, TestServerBuilder};
pub use socket::TestSocket;

#[cfg(test)]
mod tests;
