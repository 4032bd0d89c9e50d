//! Ledgers that leave their turn: `POST /ask?of=&depth=` takes an entry, asks another ledger outside
//! of its turn, which asks back as often as `depth` says, takes another entry, and answers with the
//! number of its entries. `POST /wait?ms=` takes an entry, waits outside, and takes another.

use std::time::Duration;

use dotdo::{Body, Context, Error, Request, Response, Result, Turns, http, json};

use crate::{Ledger, append, count, number, text};

/// Whoever asks appends as this client.
const CLIENT: u64 = 7;

fn enter(ctx: &mut Context, n: i64) -> Result<()> {
    append(ctx, &format!("client={CLIENT}&n={n}")).map(drop)
}

pub(crate) fn ask(ctx: &mut Context, query: &str) -> Result<Response> {
    let of = text(query, "of").ok_or_else(|| Error::invalid("of is missing"))?.to_owned();
    let depth = number(query, "depth")?.unwrap_or(0);
    enter(ctx, depth)?;
    let me = ctx.id().id().to_owned();
    ctx.leave_turn(move |object: Turns<Ledger>| async move {
        if depth > 0 {
            let uri = format!("/ask?of={me}&depth={}", depth - 1);
            let request: Request = http::Request::post(uri).body(Body::empty())?;
            let answer = object.object("Ledger", &of)?.fetch(request).await?;
            if !answer.status().is_success() {
                return Ok(answer);
            }
        }
        answer(&object, depth).await
    })
}

pub(crate) fn wait(ctx: &mut Context, query: &str) -> Result<Response> {
    let ms = number(query, "ms")?.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0);
    enter(ctx, 0)?;
    ctx.leave_turn(move |object: Turns<Ledger>| async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        answer(&object, 1).await
    })
}

async fn answer(object: &Turns<Ledger>, n: i64) -> Result<Response> {
    let count = object.turn(move |_, ctx| enter(ctx, n).and_then(|()| count(ctx))).await?;
    json(&count)
}
