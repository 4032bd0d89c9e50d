//! An axum program with objects next to its own routes: dotdo is mounted at `/objects`.
//!
//! ```sh
//! DOTDO_ALLOW_UNAUTHENTICATED=1 cargo run -p dotdo-examples --example axum-mounted
//! curl http://127.0.0.1:3000/                                   # the program's own page
//! curl -X POST http://127.0.0.1:3000/objects/do/visits          # 1, from an object
//! ```

use axum::Router;
use axum::routing::get;
use dotdo::service::ObjectService;
use dotdo::{App, Context, DurableObject, Request, Response, Result, Serve};

struct Counter;

impl DurableObject for Counter {
    async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
        let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
        ctx.storage().put("count", &count)?;
        Ok(Response::new(count.to_string().into()))
    }
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Counter", || Counter)
}

/// The program's routes, and the objects.
pub(crate) fn routes(objects: ObjectService) -> Router {
    Router::new().route("/", get(async || "a page")).nest_service("/objects", objects)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (objects, handle) = Serve::new(app()).into_service().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    // First the server stops to accept requests, then the objects are released.
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, routes(objects)).with_graceful_shutdown(stop).await?;
    handle.shutdown().await;
    Ok(())
}
