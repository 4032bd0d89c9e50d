//! A bank: money moves between two objects, and none is lost or created, whatever fails in between.
//!
//! Two objects share no transaction. So the paying account subtracts the money from its own balance
//! and *sends* it, in one transaction: both happen or neither does. Once that is durable, the
//! message is delivered, with retries, and the other account executes it exactly once. Until then
//! the money is in the balance of neither account.
//!
//! A client that does not know whether its request was executed sends it again with the same
//! `Idempotency-Key`, and it is executed once.
//!
//! ```sh
//! curl -H 'Idempotency-Key: "d1"' -d '{"cents": 5000}' http://127.0.0.1:8787/do/ada/deposit
//! curl -H 'Idempotency-Key: "t1"' -d '{"to": "bob", "cents": 2000}' http://127.0.0.1:8787/do/ada/transfer
//! curl http://127.0.0.1:8787/do/bob                          # {"cents":2000}
//! ```

use std::process::ExitCode;

use dotdo::{
    App, Class, Context, DurableObject, Error, IntoResponse, Json, Matcher, Message, Request,
    RequestExt, Response, Result, ResultExt,
};
use serde::{Deserialize, Serialize};

/// Money received (positive) or sent (negative), from or to the account `other`; null for a
/// deposit.
const SCHEMA: &str =
    "CREATE TABLE moves (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL, other TEXT)";

#[derive(Default)]
struct Account;

impl Class for Account {
    const NAME: &'static str = "Account";
}

#[derive(Serialize, Deserialize)]
struct Money {
    cents: i64,
}

/// Money that one account sends to another.
#[derive(Serialize, Deserialize)]
struct Receive {
    cents: i64,
}

impl Message for Receive {
    type Class = Account;
    type Answer = Money;
    const PATH: &'static str = "/receive";
}

#[derive(Deserialize)]
struct Transfer {
    to: String,
    cents: i64,
}

impl DurableObject for Account {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&[SCHEMA])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.get("/") {
            Json(balance(ctx)?).into_response()
        } else if let Some([]) = on.get("/moves") {
            Json(moves(ctx)?).into_response()
        } else if let Some([]) = on.post("/deposit") {
            Json(deposit(&request.json().await?, ctx)?).into_response()
        } else if let Some([]) = on.post("/transfer") {
            Json(transfer(&request.json().await?, ctx)?).into_response()
        } else if let Some(taken) = on.message::<Receive>() {
            taken.answer(&receive(&taken.read(request).await?, ctx)?)
        } else {
            on.otherwise()
        }
    }
}

/// A deposit of cash.
fn deposit(money: &Money, ctx: &mut Context) -> Result<Money> {
    check_amount(money.cents)?;
    note(money.cents, None, ctx)
}

/// Subtracts money from this account and sends it to another one.
fn transfer(transfer: &Transfer, ctx: &mut Context) -> Result<Money> {
    check_amount(transfer.cents)?;
    if transfer.to == ctx.id().id() {
        return Err(Error::invalid("expected a transfer to another account"));
    }
    let balance = balance(ctx)?.cents;
    if balance < transfer.cents {
        return Err(Error::conflict(format!(
            "expected a balance of at least {} cents, got {balance}",
            transfer.cents
        )));
    }
    ctx.tell(&transfer.to, &Receive { cents: transfer.cents })?;
    note(-transfer.cents, Some(&transfer.to), ctx)
}

/// Receives money that another account has sent. Only accounts can send it: a client's request has
/// no sender.
fn receive(money: &Receive, ctx: &mut Context) -> Result<Money> {
    let sender =
        ctx.sender().cloned().or_not_found("expected a message from an account; use /deposit")?;
    note(money.cents, Some(sender.id()), ctx)
}

/// Records a movement, and returns the balance after it.
fn note(cents: i64, other: Option<&str>, ctx: &mut Context) -> Result<Money> {
    ctx.sql().exec("INSERT INTO moves (cents, other) VALUES (?, ?)", (cents, other))?;
    balance(ctx)
}

fn balance(ctx: &mut Context) -> Result<Money> {
    ctx.sql().exec("SELECT coalesce(sum(cents), 0) AS cents FROM moves", ())?.one()
}

/// The account's statement: each movement with the other account, in order.
fn moves(ctx: &mut Context) -> Result<Vec<(Option<String>, i64)>> {
    ctx.sql().exec("SELECT other, cents FROM moves ORDER BY id", ())?.rows()
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
    App::new().register::<Account>()
}

fn main() -> ExitCode {
    dotdo::run(app())
}
