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
#[cfg(feature = "broker")]
mod broker;
#[cfg(feature = "client")]
pub mod client;
mod cluster;
mod config;
mod credentials;
mod doctor;
mod edge;
mod fetching;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod health;
mod libsql;
mod login;
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

// What a class is made of, and a program that serves it. Everything else has a module: `tests/tidy`
// keeps the list short.
pub use dotdo_core::{
    AlarmInfo, App, At, Body, Caller, Class, Context, DurableObject, Error, ErrorKind,
    FencingToken, IntoResponse, Json, ListOptions, Matcher, Message, ObjectId, RemoteObject,
    Request, RequestExt, Response, Result, ResultExt, Sql, Step, Storage, Stub, Turns, json,
};

pub use crate::auth::Authenticator;
pub use crate::options::ServeOptions;
pub use crate::run::{Serve, run};
pub use {bytes, http};

/// What SQL is given and gives: parameters, values, and rows while they are read.
pub mod sql {
    pub use dotdo_core::{IntoParams, IntoValue, SqlCursor, Value, ValueRef};
}

/// WebSockets and event streams of objects: the handle, its messages, and how it ends
/// (`docs/WEBSOCKETS.md`).
pub mod sockets {
    pub use dotdo_core::{SocketClose, SocketMessage, WebSocket};
}

/// Schedules of objects ([`Context::schedule`]): when they run, and what their handler is told.
pub mod schedules {
    pub use dotdo_core::{Schedule, When};
}

/// What callers are made of, for programs with an [`Authenticator`] and objects that ask what their
/// [`Caller`] may do.
pub mod identity {
    pub use dotdo_core::{Identity, Scope, Scopes, Tenant, TenantClaims};
}

/// What a command line of one's own needs besides [`Serve`]: health checks, the settings with their
/// values and origins, what a check of the machine and the store finds, and the references of
/// settings and metrics.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use dotdo::commands::{self, Health};
/// use dotdo::{App, ServeOptions};
/// # use dotdo::{Context, DurableObject, Request, Response, Result};
/// # struct Hello;
/// # impl DurableObject for Hello {
/// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
/// #         Ok(Response::new("hello".into()))
/// #     }
/// # }
///
/// fn main() -> ExitCode {
///     let options = ServeOptions { port: Some("8080".to_owned()), ..ServeOptions::default() };
///     match std::env::args().nth(1).as_deref() {
///         Some("health") => commands::health(options, Health::Up),
/// #       #[cfg(feature = "broker")]
///         Some("broker") => commands::run_broker(options),
///         _ => commands::run_with(App::new().class("Hello", || Hello), options),
///     }
/// }
/// ```
pub mod commands {
    pub use dotdo_core::{SqliteColumn, SqliteFile, SqliteObject, SqliteTable};

    pub use crate::config::{
        EffectiveSetting, EffectiveSettings, KnownSetting, Origin, SettingShape, project_file,
        settings_matching, settings_matching_as_json, settings_reference, user_file,
    };
    pub use crate::credentials::TokenSource;
    pub use crate::doctor::{DatabaseCheck, MemoryLimit, Premises, StoreCheck, StoreLatencies};
    pub use crate::fetching::{FetchSettings, WorkerSettings};
    pub use crate::health::{Health, health};
    pub use crate::login::LoginSettings;
    #[cfg(feature = "broker")]
    pub use crate::run::run_broker;
    pub use crate::run::{administration, run_with};
    pub use crate::telemetry::metrics_reference;
}

/// Everything below a class, for programs that bring a server, a store, a way to other servers or
/// a directory of their own.
///
/// An [`Engine`](engine::Engine) answers requests to objects. It is started with
/// [`Components`](engine::Components): a [`Bucket`](engine::Bucket), a [`Clock`](engine::Clock), a
/// source of [`Random`](engine::Random), an [`Executor`](engine::Executor), and, where there are
/// several servers, [`Peers`](engine::Peers) and a [`Directory`](engine::Directory). Each of them
/// can be implemented with what is here; `examples/own_store.rs` is a store and an engine on it.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use dotdo::engine::{
///     Components, Engine, Inline, Memory, OsRandom, Random, Settings, SharedBucket, SystemClock, Tenant, Uuid,
/// };
/// # use dotdo::{App, Body, Context, DurableObject, Request, Response, Result};
/// # struct Hello;
/// # impl DurableObject for Hello {
/// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
/// #         Ok(Response::new("hello".into()))
/// #     }
/// # }
///
/// let clock = Arc::new(SystemClock::new());
/// let components = Components {
///     buckets: Arc::new(SharedBucket(Arc::new(Memory::new(clock.clone())))),
///     clock,
///     random: Arc::new(OsRandom),
///     executor: Arc::new(Inline),
///     peers: None,
///     directory: None,
///     transport: None,
///     instance: Uuid::from_bytes(OsRandom.bytes16()),
/// };
/// let app = App::new().class("Hello", || Hello);
/// let engine = Engine::start(app, Settings::default(), components).await?;
/// let object = Tenant::new("acme", "shop")?.object("Hello", "ada")?;
/// let response = engine.fetch(&object, None, Request::new(Body::empty())).await?;
/// assert_eq!(response.into_body().text().await?, "hello");
/// # Ok::<(), dotdo::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub mod engine {
    // The core's own list, whole: what is public there can be used, and implemented, from here.
    pub use async_trait::async_trait;
    pub use dotdo_core::*;
    pub use uuid::Uuid;

    pub use crate::libsql::LibsqlAccess;
    #[cfg(feature = "turso")]
    pub use crate::libsql::open_libsql;
    pub use crate::system::components::{OsRandom, SystemClock};
}

/// The pages whose programs are compiled with the tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../README.md")]
    struct Readme;

    #[doc = include_str!("../../adapters/README.md")]
    struct CrateReadme;

    #[doc = include_str!("../../docs/MIDDLEWARE.md")]
    struct Middleware;

    #[doc = include_str!("../../docs/WEBSOCKETS.md")]
    struct WebSockets;

    #[cfg(feature = "testing")]
    #[doc = include_str!("../../docs/TESTING.md")]
    struct Testing;
}
