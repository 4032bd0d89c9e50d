//! Objects that show what reaches them: `/echo` gives the body back with the headers `x-many`,
//! `/headers` tells all headers, `POST /own` writes something, and `POST /call?class=&id=&to=`
//! sends `POST {to}` to another object and tells what came of it.

use std::collections::BTreeMap;

use dotdo::{Context, DurableObject, Error, Request, Response, Result, json};
use serde_json::json;

/// Such an object.
pub(crate) struct Mirror;

impl DurableObject for Mirror {
    const STREAMS_REQUESTS: bool = true;

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        match request.uri().path() {
            "/echo" => Ok(echo(request)),
            "/headers" => json(&headers(&request)),
            "/own" => {
                let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
                ctx.storage().put("count", &count)?;
                json(&json!({ "count": count }))
            }
            "/call" => call(request.uri().query().unwrap_or_default().to_owned(), ctx).await,
            "/fail" => Err(Error::conflict("as asked")
                .with_code("AS_ASKED")
                .with_details(json!({ "why": "asked" }))),
            other => Err(Error::not_found(format!("a mirror has no {other}"))),
        }
    }
}

fn echo(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut response = Response::new(body);
    for value in head.headers.get_all("x-many") {
        response.headers_mut().append("x-many", value.clone());
    }
    let seen = json!({ "method": head.method.as_str(), "uri": head.uri.to_string() }).to_string();
    response.headers_mut().insert("x-seen", seen.parse().expect("it is visible text"));
    response
}

/// Each header with its values.
fn headers(request: &Request) -> BTreeMap<String, Vec<String>> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let values = |name| request.headers().get_all(name).iter().map(text).collect();
    request.headers().keys().map(|name| (name.to_string(), values(name))).collect()
}

/// The value in the query.
fn value<'a>(query: &'a str, name: &str) -> Result<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .ok_or_else(|| Error::invalid(format!("{name} is missing")))
}

async fn call(query: String, ctx: &mut Context) -> Result<Response> {
    let other = ctx.object(value(&query, "class")?, value(&query, "id")?)?;
    // What else the query says goes along, for calls that go on.
    let uri =
        format!("{}?{}", value(&query, "to")?, query.split("then=").nth(1).unwrap_or_default());
    let mut sent = Request::new("hello".into());
    *sent.method_mut() = http::Method::POST;
    *sent.uri_mut() = uri.parse().map_err(|cause| Error::invalid(format!("{uri}: {cause}")))?;
    match other.fetch(sent).await {
        Ok(response) => {
            let status = response.status().as_u16();
            json(&json!({ "status": status, "body": response.into_body().text().await? }))
        }
        Err(error) => json(
            &json!({ "kind": format!("{:?}", error.kind()), "code": error.code(), "error": error.message(), "details": error.details() }),
        ),
    }
}
