//! Accounts that send each other money: what leaves one arrives at the other once, whatever happens
//! in between.
//!
//! `POST /deposit?cents=` pays in, `POST /transfer?to=&cents=` sends to another account, `GET
//! /balance` tells what is there.

use dotdo::{Context, DurableObject, Error, Request, Response, Result, json};
use serde_json::json;

use crate::{number, text};

pub(crate) struct Account;

impl DurableObject for Account {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&["CREATE TABLE moves (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)"])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let (head, _) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let cents = || {
            number(query, "cents")?
                .filter(|cents| *cents > 0)
                .ok_or_else(|| Error::invalid("cents is a number above 0"))
        };
        match (head.method.as_str(), head.uri.path()) {
            ("POST", "/deposit") => note(ctx, cents()?)?,
            ("POST", "/transfer") => {
                transfer(ctx, text(query, "to").unwrap_or_default(), cents()?)?
            }
            ("POST", "/receive") if ctx.sender().is_some() => note(ctx, cents()?)?,
            ("GET", "/balance") => {}
            (method, path) => {
                return Err(Error::not_found(format!("an account has no {method} {path}")));
            }
        }
        json(&json!({ "cents": balance(ctx)? }))
    }
}

fn transfer(ctx: &mut Context, to: &str, cents: i64) -> Result<()> {
    if balance(ctx)? < cents {
        return Err(Error::conflict("there is not enough").with_code("TOO_LITTLE"));
    }
    note(ctx, -cents)?;
    ctx.send(
        "Account",
        to,
        http::Request::post(format!("/receive?cents={cents}")).body(dotdo::Body::empty())?,
    )
}

fn note(ctx: &mut Context, cents: i64) -> Result<()> {
    ctx.sql().exec("INSERT INTO moves (cents) VALUES (?)", (cents,))?;
    Ok(())
}

fn balance(ctx: &mut Context) -> Result<i64> {
    ctx.sql().exec("SELECT coalesce(sum(cents), 0) FROM moves", ())?.one()
}
