//! What examples in the documentation begin with, in lines that are not shown.
//!
//! This crate's examples name items where programs find them, in `dotdo`, which depends on this
//! crate and not the other way round. [`dotdo`] stands for it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use uuid::Uuid;

use super::{CountingRandom, ManualClock, TestStore};
use crate::activation::Components;
use crate::engine::Engine;
use crate::error::{Error as Failure, Result};
use crate::executor::Inline;
use crate::id::{ObjectId, Tenant};
use crate::object::{App, Body, Context, DurableObject, Request, RequestExt, Response, WebSocket};
use crate::settings::Settings;
use crate::sockets::SocketMessage;
use crate::store::{Bucket, Memory};
use crate::tenants::SharedBucket;

/// What an example ends with.
pub type Outcome = std::result::Result<(), Box<dyn Error>>;

/// The facade, as far as this crate makes it.
pub mod dotdo {
    pub use crate::*;
    pub use {bytes, http};

    /// As `dotdo::engine`.
    pub mod engine {
        pub use crate::*;
        pub use async_trait::async_trait;
        pub use uuid::Uuid;
    }

    /// As `dotdo::identity`.
    pub mod identity {
        pub use crate::*;
    }

    /// As `dotdo::sockets`.
    pub mod sockets {
        pub use crate::*;
    }

    /// As `dotdo::sql`.
    pub mod sql {
        pub use crate::*;
    }

    /// As `dotdo::testing`.
    pub mod testing {
        pub use crate::testing::*;
    }
}

/// Keeps orders, and sets an alarm and a schedule with each.
struct Shop;

impl DurableObject for Shop {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&["CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)"])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match request.uri().path() {
            "/live" => {
                let mut socket = request.websocket()?;
                ctx.accept(&mut socket, &[])?;
                return Ok(socket.upgraded());
            }
            "/refuse" => return Err(Failure::handler("the shop is closed")),
            "/tell" => {
                ctx.send("Shop", "south", http::Request::post("/refuse").body(Body::empty())?)?
            }
            _ => {
                let item = request.into_body().text().await?;
                ctx.sql().exec("INSERT INTO orders (item) VALUES (?)", (item,))?;
                ctx.set_alarm(ctx.now_ms() + 3_600_000)?;
                ctx.schedule("report", "@daily", &())?;
            }
        }
        Ok(Response::default())
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        socket.send(ctx, message)
    }
}

/// A program with the class of the example's object.
pub fn app() -> App {
    App::new().class("Shop", || Shop)
}

/// Runs an example with an engine on a store in memory, and an object that has two orders.
///
/// # Panics
///
/// When the example fails.
pub fn with_object(example: impl AsyncFnOnce(Engine, ObjectId) -> Outcome) {
    run(async || {
        let (engine, object) = opened().await?;
        example(engine, object).await
    });
}

/// Runs an example that waits for something.
///
/// # Panics
///
/// When the example fails.
pub fn run(example: impl AsyncFnOnce() -> Outcome) {
    finish(Box::pin(example()));
}

/// Not generic, so that it is compiled once for all examples.
fn finish(example: Pin<Box<dyn Future<Output = Outcome> + '_>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let outcome = runtime.expect("the system gives a runtime").block_on(example);
    outcome.expect("the example does what it says");
}

async fn opened() -> Result<(Engine, ObjectId)> {
    let engine = Engine::start(app(), Settings::default(), components()).await?;
    let object = Tenant::local().object("Shop", "north")?;
    for item in ["tea", "jam"] {
        engine.fetch(&object, None, Request::new(item.into())).await?;
    }
    engine.finish_background().await;
    Ok((engine, object))
}

/// What an engine runs on.
pub fn components() -> Components {
    let clock = Arc::new(ManualClock::new());
    Components {
        buckets: Arc::new(SharedBucket(Arc::new(Memory::new(clock.clone())))),
        clock,
        random: Arc::new(CountingRandom::starting_at(1)),
        executor: Arc::new(Inline),
        peers: None,
        directory: None,
        transport: None,
        instance: Uuid::from_u128(1),
    }
}

/// An empty bucket, whose clock stands still.
pub fn bucket() -> Arc<dyn Bucket> {
    Arc::new(TestStore::new(Arc::new(ManualClock::new())))
}
