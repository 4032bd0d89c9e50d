//! Objects that tell who their callers are, and tokens that spell it out.
//!
//! Every request is answered with its caller, whether it came with a token, and the callers of all
//! writes so far. `POST /call?{id}` and `POST /tell?{id}` first send `POST /` to another such object,
//! as a call or as a message.

use dotdo::identity::{Scope, Scopes, Tenant};
use dotdo::{
    Authenticator, Body, Caller, Context, DurableObject, Error, ErrorKind, Request, Response,
    Result, json,
};
use serde_json::{Value, json};

pub(crate) struct Witness;

impl DurableObject for Witness {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.sql().exec("CREATE TABLE IF NOT EXISTS seen (caller TEXT)", ()).map(drop)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let other = request.uri().query().unwrap_or_default().to_owned();
        let write = http::Request::post("/").body(Body::empty())?;
        match request.uri().path() {
            "/call" => return ctx.object("Witness", &other)?.fetch(write).await,
            "/tell" => ctx.send("Witness", &other, write)?,
            _ => {}
        }
        let caller = told(ctx.caller());
        if !request.method().is_safe() {
            ctx.sql().exec("INSERT INTO seen VALUES (?)", (caller["name"].as_str(),))?;
        }
        let seen: Vec<(String,)> =
            ctx.sql().exec("SELECT caller FROM seen ORDER BY rowid", ())?.rows()?;
        let seen: Vec<String> = seen.into_iter().map(|(name,)| name).collect();
        let has_token = request.headers().contains_key(http::header::AUTHORIZATION);
        json(&json!({ "caller": caller, "hasToken": has_token, "seen": seen }))
    }
}

fn told(caller: &Caller) -> Value {
    let name = match (caller.subject(), caller.object()) {
        (Some(subject), _) => subject.to_owned(),
        (_, Some(object)) => format!("{}/{}", object.class(), object.id()),
        (None, None) => String::new(),
    };
    json!({
        "name": format!("{name} of {}", caller.tenant()),
        "scopes": caller.scopes().to_string(),
        "account": caller.account().map(|account| account.to_hex()),
    })
}

/// Knows tokens such as `alice~acme~rwo`: a subject, an organisation, and the first letters of
/// scopes.
pub(crate) struct Spelled;

impl Authenticator for Spelled {
    async fn authenticate(&self, token: &str, _: &http::request::Parts) -> Result<Caller> {
        let parts: Vec<&str> = token.split('~').collect();
        let [subject, org, letters] = parts[..] else {
            return Err(Error::new(ErrorKind::Unauthenticated, "this spells out no caller"));
        };
        let is_granted = |scope: &Scope| {
            let letter = scope.name().trim_start_matches("dotdo:").chars().next();
            letter.is_some_and(|letter| letters.contains(letter))
        };
        let scopes: Scopes = Scope::ALL.into_iter().filter(is_granted).collect();
        Ok(Caller::new(subject).of_tenant(Tenant::new(org, "shop")?).with_scopes(scopes))
    }
}
