//! A bank: money moves between two objects, and none is lost or made, whatever fails in between.
//!
//! Two objects have no transaction in common. So the paying account takes the money off its own
//! balance and *sends* it, in one transaction: both happen or neither does. The message is
//! delivered once that is durable, until it has arrived, and the other account takes it exactly
//! once. In between the money is on its way: it is in the balance of neither account, and in nobody
//! else's either.
//!
//! A client that does not know whether its request was done sends it again with the same
//! `Idempotency-Key`, and it is done once.
//!
//! ```sh
//! curl -H 'Idempotency-Key: "d1"' -d '{"cents": 5000}' http://127.0.0.1:8787/do/ada/deposit
//! curl -H 'Idempotency-Key: "t1"' -d '{"to": "bob", "cents": 2000}' http://127.0.0.1:8787/do/ada/transfer
//! curl http://127.0.0.1:8787/do/bob                          # {"cents":2000}
//! ```

use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, Error, Request, Response, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Money that came (positive) and money that went (negative), from or to `other`: an account, or
/// nobody for money paid in.
const SCHEMA: &str =
    "CREATE TABLE IF NOT EXISTS moves (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL, other TEXT)";

struct Account;

#[derive(Serialize, Deserialize)]
struct Money {
    cents: i64,
}

#[derive(Deserialize)]
struct Transfer {
    to: String,
    cents: i64,
}

impl DurableObject for Account {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        ctx.sql().exec(SCHEMA, ())?;
        let (head, body) = request.into_parts();
        match (head.method.as_str(), head.uri.path()) {
            ("GET", "/") => {}
            ("GET", "/moves") => return moves(ctx),
            ("POST", "/deposit") => deposit(&body.json().await?, ctx)?,
            ("POST", "/transfer") => transfer(&body.json().await?, ctx)?,
            ("POST", "/receive") => receive(&body.json().await?, ctx)?,
            (method, path) => {
                return Err(Error::not_found(format!(
                    "expected GET / or /moves, or POST /deposit or /transfer, got {method} {path}"
                )));
            }
        }
        dotdo::json(&Money { cents: balance(ctx)? })
    }
}

/// Takes money over the counter.
fn deposit(money: &Money, ctx: &mut Context) -> Result<()> {
    check_amount(money.cents)?;
    note(money.cents, None, ctx)
}

/// Takes the money off this account and sends it to another one.
fn transfer(transfer: &Transfer, ctx: &mut Context) -> Result<()> {
    check_amount(transfer.cents)?;
    if transfer.to == ctx.id().id() {
        return Err(Error::invalid("expected a transfer to another account"));
    }
    let balance = balance(ctx)?;
    if balance < transfer.cents {
        return Err(Error::conflict(format!(
            "expected a balance of at least {} cents, got {balance}",
            transfer.cents
        )));
    }
    note(-transfer.cents, Some(&transfer.to), ctx)?;
    let money = json!(Money { cents: transfer.cents });
    ctx.send("Account", &transfer.to, http::Request::post("/receive").body(money.into())?)
}

/// Takes money that another account has sent. Only accounts can send any: a client is nobody's
/// sender.
fn receive(money: &Money, ctx: &mut Context) -> Result<()> {
    let sender = ctx
        .sender()
        .cloned()
        .ok_or_else(|| Error::not_found("expected a message from an account; use /deposit"))?;
    note(money.cents, Some(sender.id()), ctx)
}

fn note(cents: i64, other: Option<&str>, ctx: &mut Context) -> Result<()> {
    ctx.sql().exec("INSERT INTO moves (cents, other) VALUES (?, ?)", (cents, other))?;
    Ok(())
}

fn balance(ctx: &mut Context) -> Result<i64> {
    ctx.sql().exec("SELECT coalesce(sum(cents), 0) FROM moves", ())?.one()
}

/// The account's statement: each move with whom it was, in order.
fn moves(ctx: &mut Context) -> Result<Response> {
    let moves: Vec<(Option<String>, i64)> =
        ctx.sql().exec("SELECT other, cents FROM moves ORDER BY id", ())?.rows()?;
    dotdo::json(&moves)
}

fn check_amount(cents: i64) -> Result<()> {
    if cents > 0 {
        Ok(())
    } else {
        Err(Error::invalid(format!("expected an amount of more than 0 cents, got {cents}")))
    }
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Account", || Account)
}

fn main() -> ExitCode {
    dotdo::run(app())
}
