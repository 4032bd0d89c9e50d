//! The class that most of these tests use.

use crate::error::{Error, Result};
use crate::lease::FencingToken;
use crate::object::{Body, Context, DurableObject, Request, Response};

/// Counts in a table; paths make it misbehave.
pub(super) struct Counter;

impl DurableObject for Counter {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let (head, body) = request.into_parts();
        body.bytes().await?;
        let request = Request::from_parts(head, Body::empty());
        let path = request.uri().path().to_owned();
        if path == "/get" {
            let known: i64 =
                ctx.sql().exec("SELECT count(*) FROM sqlite_schema WHERE name = 'n'", ())?.one()?;
            let value: i64 =
                if known == 0 { 0 } else { ctx.sql().exec("SELECT value FROM n", ())?.one()? };
            return Ok(Response::new(value.to_string().into()));
        }
        if path == "/acquire" {
            let token = ctx.acquire_fencing_token().await?;
            return Ok(Response::new(format!("{}.{}", token.epoch, token.sequence).into()));
        }
        if path == "/release" {
            let epoch =
                request.uri().query().and_then(|query| query.parse().ok()).unwrap_or_default();
            ctx.release_fencing_token(FencingToken { epoch, sequence: 0 })?;
        }
        if path == "/break" {
            ctx.database.break_down();
        }
        if path.starts_with("/unkept") {
            ctx.database.refuse_commits();
        }
        if path == "/unkept/same" {
            // SQLite has something to commit, and nothing has changed.
            ctx.sql().exec("DELETE FROM n WHERE value < 0", ())?;
            return Ok(Response::new("the same".into()));
        }
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS n (value INTEGER)", ())?;
        ctx.sql().exec("INSERT INTO n SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM n)", ())?;
        let value: i64 =
            ctx.sql().exec("UPDATE n SET value = value + 1 RETURNING value", ())?.one()?;
        match path.as_str() {
            "/refuse" => Err(Error::conflict(format!("refused at {}", value - 1))),
            "/fail" => Err(Error::handler("on purpose")),
            "/panic" => panic!("on purpose"),
            "/hang" => std::future::pending().await,
            "/call" => {
                let other = ctx.object("Counter", request.uri().query().unwrap_or("other"))?;
                let response = other.fetch(Request::new(Body::empty())).await?;
                Ok(Response::new(response.into_body()))
            }
            _ => Ok(Response::new(value.to_string().into())),
        }
    }
}
