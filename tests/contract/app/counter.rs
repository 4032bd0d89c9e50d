//! Objects that count: `GET /count` tells, `POST /add` adds one, and so does each message on a
//! WebSocket (`GET /socket`), which is answered with the count.
//!
//! With `gate=` the addition waits there before it answers; with `tell=` another counter adds one,
//! too, by a message; with `then=` it fails after it has written; with `later=` work that it leaves
//! behind passes that gate, [`LATER`] times.

use std::time::Duration;

use dotdo::sockets::{SocketMessage, WebSocket};
use dotdo::{
    Body, Context, DurableObject, Error, ErrorKind, Request, RequestExt, Response, Result, json,
};
use serde_json::json;

use crate::{gate, query};

/// How many steps the work has that an addition leaves behind.
const LATER: usize = 20;

pub(crate) struct Counter;

impl DurableObject for Counter {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        if request.uri().path() == "/socket" {
            let mut socket = request.websocket()?;
            ctx.accept(&mut socket, &[])?;
            return Ok(socket.upgraded());
        }
        let query = request.uri().query().unwrap_or_default();
        let mut count = ctx.storage().get::<u64>("count")?.unwrap_or(0);
        if request.uri().path() == "/add" {
            count += 1;
            ctx.storage().put("count", &count)?;
            if let Some(address) = query::text(query, "gate") {
                gate::pass(address, query::text(query, "word").unwrap_or("add")).await?;
            }
            if let Some(other) = query::text(query, "tell") {
                ctx.send("Counter", other, http::Request::post("/add").body(Body::empty())?)?;
            }
            if let Some(address) = query::text(query, "later") {
                ctx.wait_until(later(address.to_owned()));
            }
            failure(query::text(query, "then"))?;
        }
        json(&json!({ "count": count }))
    }

    async fn websocket_message(
        &mut self,
        socket: WebSocket,
        _: SocketMessage,
        ctx: &mut Context,
    ) -> Result<()> {
        let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
        ctx.storage().put("count", &count)?;
        socket.send(ctx, count.to_string())
    }
}

/// Work behind an answer.
async fn later(gate: String) {
    for step in 1..=LATER {
        // A gate that is gone has nobody who would miss the rest.
        if gate::pass(&gate, &format!("step {step}")).await.is_err() {
            return;
        }
    }
}

/// The failure that was asked for.
fn failure(then: Option<&str>) -> Result<()> {
    match then {
        None => Ok(()),
        Some("conflict") => Err(Error::conflict("it is as you asked")
            .with_code("AS_ASKED")
            .with_details(json!({ "why": ["asked", "for"] }))),
        Some("missing") => Err(Error::not_found("there is no such thing")),
        Some("busy") => {
            Err(Error::new(ErrorKind::Busy, "come again").with_retry_after(Duration::from_secs(7)))
        }
        Some("fail") => Err(Error::handler("it went wrong")),
        Some("panic") => panic!("as asked"),
        Some(other) => Err(Error::invalid(format!(
            "then is conflict, missing, busy, fail or panic, not {other:?}"
        ))),
    }
}
