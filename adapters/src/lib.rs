//! Durable objects without a server to run or a database to rent.
//!
//! Write a type with a `fetch` method, give it a class name, and serve it: each id of the class is
//! an object with one writer and a SQLite database of its own, whose every acknowledged write is in
//! a bucket.
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use dotdo::{App, Context, DurableObject, Request, Response, Result};
//!
//! struct Counter;
//!
//! impl DurableObject for Counter {
//!     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
//!         let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
//!         ctx.storage().put("count", &count)?;
//!         Ok(Response::new(count.to_string().into()))
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     dotdo::run(App::new().class("Counter", || Counter))
//! }
//! ```
//!
//! This crate is the core's interface, and the adapters that bring requests to it.

mod auth;
mod cluster;
mod config;
mod edge;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod options;
mod platforms;
mod program;
mod run;
mod serve;
mod server;
pub mod service;
mod system;
mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub mod graph;

// What a class is made of.
pub use dotdo_core::{
    App, At, Body, Context, Delivery, DurableObject, Error, ErrorKind, FencingToken, IntoParams,
    IntoValue, ListOptions, ObjectId, RemoteObject, Request, Response, Result, Sql, SqlCursor,
    Storage, Value, ValueRef, json,
};
// What an engine is made of, for programs that bring a server of their own.
pub use dotdo_core::{
    AzureConfig, AzureCredentials, Bucket, Checkpoint, CheckpointMode, Clock, Components, Engine,
    Executor, Forward, GcsConfig, GcsCredentials, Inline, Journey, Memory, NotTaken, Owner,
    Ownership, Passed, PeerError, Peers, Random, Received, Route, Router, S3Config, S3Credentials,
    Secret, Settings, StoreConfig, Target, Tenant, open,
};

pub use crate::auth::{Authenticator, Caller};
pub use crate::config::{settings_matching, settings_reference};
pub use crate::health::{Health, health};
pub use crate::options::ServeOptions;
pub use crate::run::{Serve, run, run_with};
pub use crate::system::components::{OsRandom, SystemClock};
pub use crate::telemetry::metrics_reference;

/// The pages whose programs are compiled with the tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../adapters/README.md")]
    struct CrateReadme;

    #[doc = include_str!("../../docs/MIDDLEWARE.md")]
    struct Middleware;

    #[cfg(feature = "testing")]
    #[doc = include_str!("../../docs/TESTING.md")]
    struct Testing;
}
