use serde_json::{Value, json};

use super::*;

/// The event of a connection as API Gateway's documentation shows it, with `change`.
fn event(kind: &str, change: &Value) -> Value {
    let context = json!({
        "routeKey": "$connect", "eventType": kind, "messageDirection": "IN", "stage": "prod",
        "connectedAt": 1_583_348_638_390_i64, "requestTimeEpoch": 1_583_348_638_391_i64,
        "requestId": "JKJaXmPLvHcESHA=", "extendedRequestId": "JKJaXmPLvHcESHA=",
        "domainName": "a1b2c3.execute-api.eu-west-1.amazonaws.com", "apiId": "a1b2c3",
        "connectionId": "JKJaVpL0vHcCIhw=", "identity": { "sourceIp": "203.0.113.7" },
    });
    let mut event = json!({ "requestContext": context, "isBase64Encoded": false });
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

fn read(event: &Value) -> Option<Result<SocketArrival>> {
    SocketArrival::of(&serde_json::to_vec(event).expect("JSON"), &Context::default())
}

fn arrived(event: &Value) -> SocketArrival {
    read(event).expect("an event of a WebSocket API").expect("a good one")
}

fn handshake(query: Value) -> (http::Request<Full<Bytes>>, bool) {
    let headers = json!({ "Host": ["a1b2c3.execute-api.eu-west-1.amazonaws.com"], "Sec-WebSocket-Key": ["x3JJHMbDL1EzLkh9GBhXDw=="], "Sec-WebSocket-Protocol": ["chat"], "Sec-WebSocket-Extensions": ["permessage-deflate"] });
    let change = json!({ "multiValueHeaders": headers, "multiValueQueryStringParameters": query });
    match arrived(&event("CONNECT", &change)).arrived {
        SocketArrived::Connect { request, is_vouched_for } => {
            (*request.expect("a request"), is_vouched_for)
        }
        _ => panic!("expected a handshake"),
    }
}

#[test]
fn a_handshake_is_a_request_to_the_path_in_its_query() {
    for (query, expected) in [
        (json!({ "path": ["/do/Room/lobby/live"] }), "/do/Room/lobby/live"),
        (
            json!({ "path": ["/do/a%2Fb/live?as=ada"], "x": ["1 2", "&"] }),
            "/do/a%2Fb/live?as=ada&x=1%202&x=%26",
        ),
        (json!({ "as": ["ada"] }), "/?as=ada"),
        (json!({ "path": ["live"] }), "/live"),
        (json!(null), "/"),
    ] {
        let (request, is_vouched_for) = handshake(query);
        assert_eq!(request.uri().to_string(), expected);
        assert!(!is_vouched_for);
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.headers()["upgrade"], "websocket");
        assert_eq!(request.headers()["sec-websocket-protocol"], "chat");
        assert!(!request.headers().contains_key("sec-websocket-extensions"));
        assert!(request.extensions().get::<ClientAddress>().is_some());
    }
}

#[test]
fn whoever_an_authorizer_lets_in_is_vouched_for() {
    for context in [
        json!({ "authorizer": { "principalId": "ada" } }),
        json!({ "identity": { "userArn": "arn:aws:iam::123456789012:user/ada" } }),
    ] {
        let change = json!({ "requestContext": context });
        let arrival = arrived(&event("CONNECT", &change)).arrived;
        assert!(matches!(arrival, SocketArrived::Connect { is_vouched_for: true, .. }));
    }
}

#[test]
fn messages_and_ends_belong_to_their_connection() {
    let text = arrived(&event("MESSAGE", &json!({ "body": "héllo" })));
    assert_eq!(text.address, "a1b2c3/prod/JKJaVpL0vHcCIhw=");
    assert!(matches!(text.arrived, SocketArrived::Message(message) if message == "héllo".into()));
    let bytes = event("MESSAGE", &json!({ "body": "AP8=", "isBase64Encoded": true }));
    let expected = SocketMessage::from(vec![0, 255]);
    assert!(matches!(arrived(&bytes).arrived, SocketArrived::Message(got) if got == expected));
    for (change, code, is_broken) in [
        (json!({ "disconnectStatusCode": 1001, "disconnectReason": "away" }), 1001, false),
        (json!({ "disconnectStatusCode": 1006, "disconnectReason": "" }), 1006, true),
        (json!({}), 1006, true),
    ] {
        let change = json!({ "requestContext": change });
        let SocketArrived::Disconnect(end) = arrived(&event("DISCONNECT", &change)).arrived else {
            panic!("expected an end");
        };
        assert_eq!((end.close.code, end.error.is_some()), (code, is_broken));
    }
}

#[test]
fn an_event_of_another_kind_or_with_strange_ids_is_none() {
    assert!(read(&json!({ "requestContext": { "http": { "method": "GET" } } })).is_none());
    for (kind, change) in [
        ("AUTHORIZE", json!({})),
        ("MESSAGE", json!({ "body": "!", "isBase64Encoded": true })),
        ("MESSAGE", json!({ "requestContext": { "apiId": "evil.example/" } })),
        ("MESSAGE", json!({ "requestContext": { "stage": "a/b" } })),
        ("MESSAGE", json!({ "requestContext": { "connectionId": "../x" } })),
        ("MESSAGE", json!({ "requestContext": { "connectionId": "" } })),
    ] {
        let error = read(&event(kind, &change)).expect("one of a WebSocket API");
        assert_eq!(error.err().expect("a wrong one").code(), "BAD_EVENT", "{kind} {change}");
    }
}
