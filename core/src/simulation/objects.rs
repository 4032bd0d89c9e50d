//! What the simulated program serves: lists that grow, and hand values on to each other, by calls and by messages.

use crate::error::Result;
use crate::object::{App, Body, Context, DurableObject, Request, Response};

/// A list. Its answers are the whole list, so that they say what they have seen.
struct List;

/// The program that all machines run.
pub(super) fn app() -> App {
    App::new().class("List", || List)
}

impl DurableObject for List {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        if path == "/read" {
            return content(ctx);
        }
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS list (place INTEGER PRIMARY KEY, value INTEGER NOT NULL)", ())?;
        let (value, to) = query.split_once('&').unwrap_or((&query, ""));
        let value: i64 = value.parse().map_err(|_| crate::error::Error::invalid("no value"))?;
        // A call may be made again, so what is called makes sure that it does it once; whatever else is done twice can be seen.
        let unless = if path == "/take" { "WHERE NOT EXISTS (SELECT 1 FROM list WHERE value = ?1)" } else { "" };
        ctx.sql().exec(&format!("INSERT INTO list (value) SELECT ?1 {unless}"), [value])?;
        if path == "/send" {
            ctx.send("List", to, http::Request::post(format!("/arrive?{value}")).body(Body::empty())?)?;
        }
        if path == "/give" {
            let other = ctx.object("List", to)?;
            let uri = format!("/take?{value}");
            other.fetch(http::Request::get(uri).body(Body::empty())?).await?;
        }
        content(ctx)
    }
}

/// The whole list as text.
fn content(ctx: &mut Context) -> Result<Response> {
    let known: i64 = ctx.sql().exec("SELECT count(*) FROM sqlite_schema WHERE name = 'list'", ())?.one()?;
    if known == 0 {
        return Ok(Response::new(Body::empty()));
    }
    let values: Vec<i64> = ctx.sql().exec("SELECT value FROM list ORDER BY place", ())?.rows()?;
    let text: Vec<String> = values.iter().map(ToString::to_string).collect();
    Ok(Response::new(text.join(",").into()))
}
