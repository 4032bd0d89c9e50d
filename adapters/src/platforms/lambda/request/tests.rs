use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::*;

fn arrival(event: &Value) -> EventRequest {
    let event: LambdaRequest = serde_json::from_value(event.clone()).expect("an event");
    let mut context = Context::default();
    context.request_id = "lambda-1".to_owned();
    context.xray_trace_id = Some("Root=1-a".to_owned());
    EventRequest::new(event, &context).expect("a known event")
}

async fn bytes(arrival: EventRequest) -> Bytes {
    arrival.request.expect("a request").into_body().collect().await.expect("it is here").to_bytes()
}

/// The least that a REST API sends.
fn rest(change: &Value) -> Value {
    let identity = json!({ "sourceIp": "203.0.113.7" });
    let mut event = json!({ "httpMethod": "GET", "path": "/x", "requestContext": { "httpMethod": "GET", "identity": identity, "stage": "prod" } });
    merge(&mut event, change);
    event
}

/// The least that an HTTP API or a function URL sends.
fn version_2(change: &Value) -> Value {
    let context = json!({ "apiId": "a", "domainName": "a.execute-api.eu-west-1.amazonaws.com", "http": { "method": "GET" }, "stage": "prod" });
    let mut event = json!({ "version": "2.0", "rawPath": "/prod/x", "rawQueryString": "", "requestContext": context });
    merge(&mut event, change);
    event
}

fn merge(event: &mut Value, change: &Value) {
    match (event, change) {
        (Value::Object(event), Value::Object(change)) => change
            .iter()
            .for_each(|(key, value)| merge(event.entry(key).or_insert(Value::Null), value)),
        (event, change) => *event = change.clone(),
    }
}

fn values<'a>(request: &'a http::Request<Full<Bytes>>, name: &str) -> Vec<&'a str> {
    request
        .headers()
        .get_all(name)
        .iter()
        .map(|value| std::str::from_utf8(value.as_bytes()).expect("text"))
        .collect()
}

#[test]
fn a_rest_api_s_repeated_headers_and_its_decoded_query_arrive() {
    let event = rest(&json!({
        "path": "/do/a%2Fb/own",
        "headers": { "x-many": "2", "x-one": "grüße" },
        "multiValueHeaders": { "x-many": ["1", "2"], "x-one": ["grüße"] },
        "queryStringParameters": { "q": "b&c" },
        "multiValueQueryStringParameters": { "q": ["a b", "b&c"] },
    }));
    let arrival = arrival(&event);
    assert_eq!((arrival.front, arrival.is_vouched_for), (Front::RestApi, false));
    let request = arrival.request.expect("a request");
    assert_eq!(request.uri(), "/do/a%2Fb/own?q=a%20b&q=b%26c");
    assert_eq!(
        (values(&request, "x-many"), values(&request, "x-one")),
        (vec!["1", "2"], vec!["grüße"])
    );
    assert_eq!(
        (values(&request, "x-request-id"), values(&request, "x-amzn-trace-id")),
        (vec!["lambda-1"], vec!["Root=1-a"])
    );
}

#[test]
fn an_http_api_s_stage_is_not_the_object_s_business_and_its_cookies_are_one_header() {
    let event = version_2(&json!({
        "rawPath": "/prod/do/a b%/own",
        "rawQueryString": "a=1&a=%26",
        "cookies": ["a=1", "b=2"],
        "headers": { "x-request-id": "mine" },
    }));
    let arrival = arrival(&event);
    assert_eq!(arrival.front, Front::HttpApi);
    let request = arrival.request.expect("a request");
    assert_eq!(request.uri(), "/do/a%20b%25/own?a=1&a=%26");
    assert_eq!(
        (values(&request, "cookie"), values(&request, "x-request-id")),
        (vec!["a=1; b=2"], vec!["mine"])
    );
}

#[tokio::test]
async fn a_function_url_s_path_is_kept_and_its_body_may_be_base64() {
    let url = json!({ "requestContext": { "domainName": "id.lambda-url.eu-west-1.on.aws", "stage": "$default" } });
    let mut event =
        version_2(&json!({ "rawPath": "/do/a%2Fb", "body": "AAH/", "isBase64Encoded": true }));
    merge(&mut event, &url);
    let here = arrival(&event);
    assert_eq!(here.front, Front::FunctionUrl);
    assert_eq!(here.request.as_ref().expect("a request").uri(), "/do/a%2Fb");
    assert_eq!(bytes(here).await, [0, 1, 255][..]);
    merge(&mut event, &json!({ "body": "not base64" }));
    assert_eq!(arrival(&event).request.expect_err("it is broken").code(), "BAD_EVENT");
}

#[tokio::test]
async fn a_load_balancer_s_query_is_not_decoded_twice() {
    let elb = json!({ "elb": { "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/t/1" } });
    let one = json!({ "httpMethod": "POST", "path": "/x", "queryStringParameters": { "a": "%26" }, "headers": { "h": "1" }, "requestContext": elb, "body": "text" });
    let here = arrival(&one);
    assert_eq!((here.front, here.is_vouched_for), (Front::LoadBalancer { has_many: false }, false));
    assert_eq!(here.request.as_ref().expect("a request").uri(), "/x?a=%26");
    assert_eq!(bytes(here).await, "text");
    let many = json!({
        "httpMethod": "GET", "path": "/x", "multiValueQueryStringParameters": { "a": ["1", "%26"] }, "multiValueHeaders": { "h": ["1", "2"] },
        "requestContext": elb, "body": "",
    });
    let here = arrival(&many);
    assert_eq!(here.front, Front::LoadBalancer { has_many: true });
    let request = here.request.expect("a request");
    assert_eq!(
        (request.uri().to_string().as_str(), values(&request, "h")),
        ("/x?a=1&a=%26", vec!["1", "2"])
    );
}

#[test]
fn only_authentication_by_the_front_end_counts() {
    for (by, expected) in [
        (json!(null), false),
        (json!({}), false),
        (json!({ "iam": { "userArn": "arn:aws:iam::123456789012:user/a" } }), true),
        (json!({ "jwt": { "claims": { "sub": "a" }, "scopes": null } }), true),
        (json!({ "lambda": { "who": "a" } }), true),
    ] {
        assert_eq!(
            arrival(&version_2(&json!({ "requestContext": { "authorizer": by } }))).is_vouched_for,
            expected,
            "{by}"
        );
    }
    for (context, expected) in [
        (json!({ "identity": { "userArn": null, "sourceIp": "203.0.113.7" } }), false),
        (json!({ "identity": { "userArn": "arn:aws:iam::123456789012:user/a" } }), true),
        (json!({ "authorizer": { "principalId": "a" } }), true),
        (json!({ "authorizer": null }), false),
    ] {
        assert_eq!(
            arrival(&rest(&json!({ "requestContext": context }))).is_vouched_for,
            expected,
            "{context}"
        );
    }
}

#[test]
fn the_client_address_comes_from_the_front_end() {
    let client = |event: &Value| {
        arrival(event).request.expect("a request").extensions().get::<ClientAddress>().copied()
    };
    let here = Some(ClientAddress(IpAddr::from([203, 0, 113, 7])));
    assert_eq!(client(&rest(&json!({ "headers": { "x-forwarded-for": "198.51.100.1" } }))), here);
    assert_eq!(
        client(&version_2(&json!({ "requestContext": { "http": { "sourceIp": "203.0.113.7" } } }))),
        here
    );
    assert_eq!(client(&version_2(&json!({}))), None);
    for (forwarded, expected) in
        [("198.51.100.1, 203.0.113.7", here), ("203.0.113.7:4711", here), ("unknown", None)]
    {
        let elb = json!({ "elb": {} });
        let event = json!({ "httpMethod": "GET", "path": "/x", "headers": { "x-forwarded-for": forwarded }, "requestContext": elb, "body": "" });
        assert_eq!(client(&event), expected, "{forwarded}");
    }
}
