//! A bank: money moves between two objects, and none is lost or made, whatever fails in between.
//!
//! Two objects have no transaction in common. So the paying account first notes the transfer as pending and takes the money off
//! its own balance: that is one durable write. Only then does it tell the other account, which takes each transfer once, by its id,
//! however often it is told. At last the paying account notes that the money has arrived. What stops in between goes on with the
//! next `settle`, and every step may be repeated.
//!
//! ```sh
//! curl -d '{"id": "d1", "cents": 5000}' http://127.0.0.1:8787/do/ada/deposit
//! curl -d '{"id": "t1", "to": "bob", "cents": 2000}' http://127.0.0.1:8787/do/ada/transfer
//! curl http://127.0.0.1:8787/do/bob                          # {"cents":2000,"pending":0}
//! ```

use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, Error, RemoteObject, Request, Response, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Money that came (no `payee`) and money that went (negative, to `payee`; pending until it has arrived).
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS moves (
        id TEXT PRIMARY KEY, cents INTEGER NOT NULL, payee TEXT, pending INTEGER NOT NULL DEFAULT 0
    )";

struct Account;

#[derive(Serialize, Deserialize)]
struct Deposit {
    id: String,
    cents: i64,
}

#[derive(Serialize, Deserialize)]
struct Transfer {
    id: String,
    to: String,
    cents: i64,
}

#[derive(Serialize, Deserialize)]
struct Arrived {
    id: String,
}

impl DurableObject for Account {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        ctx.sql().exec(SCHEMA, ())?;
        let (head, body) = request.into_parts();
        match (head.method.as_str(), head.uri.path()) {
            ("GET", "/") => {}
            ("POST", "/deposit") => deposit(&body.json().await?, ctx)?,
            ("POST", "/transfer") => {
                transfer(&body.json().await?, ctx)?;
                settle(ctx)?;
            }
            ("POST", "/settle") => settle(ctx)?,
            ("POST", "/arrived") => arrived(&body.json().await?, ctx)?,
            (method, path) => return Err(Error::not_found(format!("{method} {path}: there are GET /, POST /deposit, /transfer, /settle"))),
        }
        state(ctx)
    }
}

/// Takes money. The same deposit again changes nothing.
fn deposit(deposit: &Deposit, ctx: &mut Context) -> Result<()> {
    check_amount(deposit.cents)?;
    if is_new(&deposit.id, deposit.cents, None, ctx)? {
        ctx.sql().exec("INSERT INTO moves (id, cents) VALUES (?, ?)", (&deposit.id, deposit.cents))?;
    }
    Ok(())
}

/// Takes the money off and notes that it must go to another account. The same transfer again changes nothing.
fn transfer(transfer: &Transfer, ctx: &mut Context) -> Result<()> {
    check_amount(transfer.cents)?;
    if transfer.to == ctx.id().id() {
        return Err(Error::invalid("a transfer goes to another account"));
    }
    if !is_new(&transfer.id, -transfer.cents, Some(&transfer.to), ctx)? {
        return Ok(());
    }
    let balance = balance(ctx)?;
    if balance < transfer.cents {
        return Err(Error::conflict(format!("the account has {balance} cents, the transfer needs {}", transfer.cents)));
    }
    let insert = "INSERT INTO moves (id, cents, payee, pending) VALUES (?, ?, ?, 1)";
    ctx.sql().exec(insert, (&transfer.id, -transfer.cents, &transfer.to))?;
    Ok(())
}

/// Delivers what is pending, after this request's own changes are durable and while the account already serves others.
fn settle(ctx: &mut Context) -> Result<()> {
    let select = "SELECT id, payee AS 'to', -cents AS cents FROM moves WHERE pending = 1";
    let pending: Vec<Transfer> = ctx.sql().exec(select, ())?.rows()?;
    let me = ctx.object("Account", ctx.id().id())?;
    for transfer in pending {
        let payee = ctx.object("Account", &transfer.to)?;
        ctx.wait_until(deliver(transfer, me.clone(), payee));
    }
    Ok(())
}

/// Brings money to the payee, then notes at home that it has arrived. If either fails, the next `settle` does both again.
async fn deliver(transfer: Transfer, me: RemoteObject, payee: RemoteObject) {
    // Two payers may choose the same id.
    let deposit = Deposit { id: format!("{}/{}", me.id().id(), transfer.id), cents: transfer.cents };
    if post(&payee, "/deposit", json!(deposit)).await.is_ok() {
        let _ = post(&me, "/arrived", json!(Arrived { id: transfer.id })).await;
    }
}

fn arrived(arrived: &Arrived, ctx: &mut Context) -> Result<()> {
    ctx.sql().exec("UPDATE moves SET pending = 0 WHERE id = ? AND pending = 1", (&arrived.id,))?;
    Ok(())
}

fn state(ctx: &mut Context) -> Result<Response> {
    let pending: i64 = ctx.sql().exec("SELECT count(*) FROM moves WHERE pending = 1", ())?.one()?;
    dotdo::json(&json!({ "cents": balance(ctx)?, "pending": pending }))
}

fn balance(ctx: &mut Context) -> Result<i64> {
    ctx.sql().exec("SELECT coalesce(sum(cents), 0) FROM moves", ())?.one()
}

/// Whether no move has this id yet. An id that stands for another move is refused.
fn is_new(id: &str, cents: i64, payee: Option<&str>, ctx: &mut Context) -> Result<bool> {
    let known: Option<(i64, Option<String>)> = ctx.sql().exec("SELECT cents, payee FROM moves WHERE id = ?", (id,))?.first()?;
    match known {
        None => Ok(true),
        Some((its_cents, its_payee)) if its_cents == cents && its_payee.as_deref() == payee => Ok(false),
        Some(_) => Err(Error::conflict(format!("the id {id:?} stands for another move"))),
    }
}

fn check_amount(cents: i64) -> Result<()> {
    if cents > 0 { Ok(()) } else { Err(Error::invalid(format!("an amount is more than 0 cents, got {cents}"))) }
}

async fn post(object: &RemoteObject, path: &str, body: Value) -> Result<Response> {
    object.fetch(http::Request::post(path).body(body.into())?).await
}

fn main() -> ExitCode {
    dotdo::run(App::new().class("Account", || Account))
}
