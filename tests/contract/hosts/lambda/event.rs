//! From requests to events, as each front end makes them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::Front;

/// The stage of the APIs in `../../events/`.
const STAGE: &str = "production";

/// The event for a request whose body is `body`; its sender has announced that it has `announced`
/// bytes, if anything.
pub(super) fn of(front: Front, head: &Parts, body: &[u8], announced: Option<u64>) -> Value {
    let mut event = recorded(front);
    let mut headers = head.headers.clone();
    if let Some(bytes) = announced.filter(|bytes| *bytes > 0) {
        headers.insert(header::CONTENT_LENGTH, bytes.into());
    }
    match front {
        Front::HttpApi | Front::FunctionUrl => version_2(&mut event, front, head, &mut headers),
        Front::RestApi | Front::LoadBalancer => version_1(&mut event, front, head, &headers),
    }
    let (text, is_base64) = written(front, &head.headers, body);
    event["body"] =
        if body.is_empty() && front == Front::RestApi { Value::Null } else { text.into() };
    event["isBase64Encoded"] = is_base64.into();
    event
}

fn recorded(front: Front) -> Value {
    let text = match front {
        Front::RestApi => include_str!("../../events/rest-api.json"),
        Front::HttpApi => include_str!("../../events/http-api.json"),
        Front::FunctionUrl => include_str!("../../events/function-url.json"),
        Front::LoadBalancer => include_str!("../../events/load-balancer.json"),
    };
    serde_json::from_str(text).expect("JSON")
}

/// Function URLs and HTTP APIs: repeated headers are joined, cookies stand apart, and the query is
/// as it was sent. HTTP APIs decode the path.
fn version_2(event: &mut Value, front: Front, head: &Parts, headers: &mut HeaderMap) {
    let cookies: Vec<String> = values(headers, &header::COOKIE)
        .iter()
        .flat_map(|line| line.split(';'))
        .map(|part| part.trim().to_owned())
        .collect();
    headers.remove(header::COOKIE);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    for name in headers.keys() {
        event["headers"][name.as_str()] = values(headers, name).join(",").into();
    }
    let path = match front {
        Front::HttpApi => format!("/{STAGE}{}", decoded(head.uri.path())),
        _ => head.uri.path().to_owned(),
    };
    event["rawPath"] = path.clone().into();
    event["rawQueryString"] = head.uri.query().unwrap_or_default().into();
    event["requestContext"]["http"]["method"] = head.method.as_str().into();
    event["requestContext"]["http"]["path"] = path.into();
}

/// REST APIs and load balancers: headers and the query come in parts, which REST APIs decode.
fn version_1(event: &mut Value, front: Front, head: &Parts, headers: &HeaderMap) {
    let recorded = event["multiValueHeaders"].as_object_mut().expect("an object");
    recorded.retain(|name, _| !headers.contains_key(name.as_str()));
    for name in headers.keys() {
        recorded.insert(name.as_str().to_owned(), json!(values(headers, name)));
    }
    let mut query: Map<String, Value> = Map::new();
    for (name, value) in head
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    {
        let part = |text: &str| {
            if front == Front::RestApi { decoded(&text.replace('+', " ")) } else { text.to_owned() }
        };
        if !name.is_empty() {
            let all = query
                .entry(part(name))
                .or_insert_with(|| json!([]))
                .as_array_mut()
                .expect("an array");
            all.push(part(value).into());
        }
    }
    let last = |all: &Map<String, Value>| {
        all.iter()
            .map(|(name, values)| {
                (name.clone(), values.as_array().and_then(|values| values.last()).cloned().into())
            })
            .collect::<Map<_, _>>()
    };
    if front == Front::RestApi {
        event["headers"] = last(event["multiValueHeaders"].as_object().expect("an object")).into();
        event["queryStringParameters"] =
            if query.is_empty() { Value::Null } else { last(&query).into() };
        event["requestContext"]["httpMethod"] = head.method.as_str().into();
        event["requestContext"]["path"] = format!("/{STAGE}{}", head.uri.path()).into();
    }
    event["multiValueQueryStringParameters"] =
        if query.is_empty() && front == Front::RestApi { Value::Null } else { query.into() };
    event["httpMethod"] = head.method.as_str().into();
    event["path"] = head.uri.path().into();
}

/// The body as text, or in base64: always for REST APIs whose every type is binary, else for types
/// that are none of text.
fn written(front: Front, headers: &HeaderMap, body: &[u8]) -> (String, bool) {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_text = ["text/", "application/json", "application/javascript", "application/xml"]
        .iter()
        .any(|text| kind.starts_with(text));
    match std::str::from_utf8(body) {
        Ok(text) if body.is_empty() || (is_text && front != Front::RestApi) => {
            (text.to_owned(), false)
        }
        _ => (BASE64_STANDARD.encode(body), true),
    }
}

fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
