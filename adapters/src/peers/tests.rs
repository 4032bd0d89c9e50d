//! Two servers that talk to each other through real ports: who is believed, what passes, and what comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dotdo_core::{Body, Clock, Forward, Journey, ObjectId, Owner, Ownership, Passed, PeerError, Peers, Request, Secret};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use uuid::Uuid;

use super::gate::Gate;
use super::headers::strip;
use super::seen::Seen;
use super::token::{Keys, Kind, Token, VERSION};
use super::*;
use crate::components::SystemClock;
use crate::config::{Config, Forwarding};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A wall clock that is wrong by as much as one says.
struct WrongClock {
    clock: SystemClock,
    wrong_ms: AtomicI64,
}

impl WrongClock {
    fn by(wrong_ms: i64) -> Arc<Self> {
        Arc::new(Self { clock: SystemClock::new(), wrong_ms: AtomicI64::new(wrong_ms) })
    }
}

impl Clock for WrongClock {
    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    fn wall_ms(&self) -> i64 {
        self.clock.wall_ms() + self.wrong_ms.load(Ordering::Relaxed)
    }

    fn sleep(&self, duration: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.clock.sleep(duration)
    }
}

fn keys(secret: &str) -> Keys {
    Keys::new(&Secret::new(secret))
}

fn me() -> Uuid {
    Uuid::from_u128(2)
}

/// A good token for `POST` to this server.
fn token() -> Token {
    Token {
        version: VERSION,
        from: Uuid::from_u128(1),
        to: me(),
        method: "POST".to_owned(),
        object: ("Counter".to_owned(), "a/b ü".to_owned()),
        uri: "/path?query".to_owned(),
        host: Some(b"example.com".to_vec()),
        length: Some(3),
        request_id: Some(b"id-1".to_vec()),
        client: Some([192, 0, 2, 1].into()),
        visited: vec![Uuid::from_u128(1).to_string()],
        chain: vec![("Counter".to_owned(), "first".to_owned())],
        delivery: Some(("Counter".to_owned(), "sender".to_owned(), 7)),
        time_ms: SystemClock::new().wall_ms(),
        nonce: Uuid::from_u128(77),
    }
}

/// What the gate makes of a request with this header: the object, or why it is refused.
fn ask(gate: &Gate, value: HeaderValue, method: Method, id: &'static str) -> Result<String, String> {
    let request = http::Request::builder().method(method).header("x-request-id", id).header(PEER_HEADER, value).body(());
    let (head, ()) = request.expect("a request").into_parts();
    match gate.arrival(&head).expect("it claims to come from a peer") {
        Ok(arrival) => {
            Ok(format!("{} {:?} {:?}", arrival.object, arrival.journey.chain, arrival.journey.delivery.map(|message| message.number)))
        }
        Err(error) => {
            assert_eq!((error.kind(), error.code()), (dotdo_core::ErrorKind::Forbidden, "PEER_REFUSED"));
            assert!(!error.message().contains(SECRET));
            Err(error.message().rsplit(": ").next().unwrap_or_default().to_owned())
        }
    }
}

fn gate() -> Gate {
    Gate::of_peers(&Secret::new(SECRET), me(), Arc::new(SystemClock::new()))
}

#[test]
fn a_peer_is_believed_once() {
    let (gate, value) = (gate(), keys(SECRET).seal(&token()).0);
    assert_eq!(ask(&gate, value.clone(), Method::POST, "id-1"), Ok("Counter/a/b ü [Counter/first] Some(7)".to_owned()));
    assert_eq!(ask(&gate, value, Method::POST, "id-1"), Err("it was sent before".to_owned()));
}

#[test]
fn whoever_changes_anything_is_not_believed() {
    let (gate, value) = (gate(), keys(SECRET).seal(&token()).0);
    let text = value.to_str().expect("text").to_owned();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let changed = HeaderValue::from_bytes(&bytes).expect("a legal value");
        assert!(ask(&gate, changed, Method::POST, "id-1").is_err(), "byte {at}");
    }
    for short in ["", ".", "e30", &text[1..], &text[..text.len() - 1], &text[..text.len() - 64]] {
        assert!(ask(&gate, HeaderValue::from_str(short).expect("a legal value"), Method::POST, "id-1").is_err(), "{short:?}");
    }
    assert!(ask(&gate, value.clone(), Method::PUT, "id-1").is_err(), "another method");
    assert!(ask(&gate, value.clone(), Method::POST, "id-2").is_err(), "another request id");
    assert!(ask(&gate, value, Method::POST, "id-1").is_ok(), "what was refused was not taken");
}

#[test]
fn a_good_hash_is_not_enough() {
    type Change = fn(&mut Token);
    let cases: [(&str, Change); 7] = [
        ("its version is another", |token| token.version += 1),
        ("it is for another server", |token| token.to = Uuid::from_u128(3)),
        ("the request goes in circles", |token| token.visited.push(me().to_string())),
        ("the request goes in circles", |token| token.visited = vec!["x".to_owned(); dotdo_core::HOPS_MAX + 1]),
        ("the clocks of the two servers are too far apart", |token| token.time_ms -= 31_000),
        ("the clocks of the two servers are too far apart", |token| token.time_ms += 31_000),
        ("it names no object", |token| token.object.1.clear()),
    ];
    for (why, change) in cases {
        let mut token = token();
        change(&mut token);
        assert_eq!(ask(&gate(), keys(SECRET).seal(&token).0, Method::POST, "id-1"), Err(why.to_owned()));
    }
    let stranger = keys("another secret that is long enough").seal(&token()).0;
    assert!(ask(&gate(), stranger, Method::POST, "id-1").is_err());
}

#[test]
fn a_clock_that_is_set_while_a_server_runs_changes_nothing() {
    let clock = WrongClock::by(0);
    let gate = Gate::of_peers(&Secret::new(SECRET), me(), clock.clone());
    clock.wrong_ms.store(-3_600_000, Ordering::Relaxed);
    assert!(ask(&gate, keys(SECRET).seal(&token()).0, Method::POST, "id-1").is_ok());
    let old = Token { time_ms: token().time_ms - 3_600_000, nonce: Uuid::from_u128(78), ..token() };
    assert!(ask(&gate, keys(SECRET).seal(&old).0, Method::POST, "id-1").is_err(), "an old request does not become new");
}

#[test]
fn numbers_are_known_for_as_long_as_their_requests_would_be_taken() {
    let (seen, number) = (Seen::default(), Uuid::from_u128(1));
    let at = |seconds: u64| Duration::from_secs(1000 + seconds);
    assert!(seen.is_new(number, at(0)));
    for seconds in [0, 30, 59, 60, 61, 119] {
        assert!(!seen.is_new(number, at(seconds)), "after {seconds} s");
    }
    assert!(seen.is_new(number, at(300)));
}

#[test]
fn an_answer_belongs_to_one_request_and_one_status() {
    let (ours, theirs) = (keys(SECRET), keys("another secret that is long enough"));
    let (_, mac) = ours.seal(&token());
    let (_, other) = ours.seal(&Token { nonce: Uuid::from_u128(5), ..token() });
    let proof = ours.prove(&mac, StatusCode::OK, Kind::Response);
    assert_eq!(ours.check(&mac, StatusCode::OK, Some(&proof)).as_deref(), Some(Kind::RESPONSE));
    assert_eq!(ours.check(&other, StatusCode::OK, Some(&proof)), None);
    assert_eq!(ours.check(&mac, StatusCode::NOT_FOUND, Some(&proof)), None);
    assert_eq!(theirs.check(&mac, StatusCode::OK, Some(&proof)), None);
    assert_eq!(ours.check(&mac, StatusCode::OK, None), None);
    let renamed = proof.to_str().expect("text").replace("response", "not-owner");
    assert_eq!(ours.check(&mac, StatusCode::OK, Some(&HeaderValue::from_str(&renamed).expect("legal"))), None);
}

#[test]
fn headers_of_one_connection_stay_there() {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "close, X-DO-ID"),
        ("connection", "cookie"),
        ("x-do-id", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("expect", "100-continue"),
        ("proxy-authorization", "secret"),
        ("dotdo-peer", "x"),
        ("authorization", "mine"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("trailer", "x-sum"),
    ] {
        headers.append(name, value.parse().expect("a value"));
    }
    strip(&mut headers);
    let mut left: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    left.sort_unstable();
    assert_eq!(left, ["authorization", "cookie", "cookie", "trailer", "x-do-id"], "what Connection names is no client's to take away");
}

/// What sending to `address` gives.
async fn send(address: &str, body: Body) -> Result<Passed, PeerError> {
    let proxy = proxy::Proxy::new(&Secret::new(SECRET), Uuid::from_u128(1), Arc::new(SystemClock::new()), Arc::new(crate::OsRandom));
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    let object = ObjectId::new("Counter", "a").expect("an id");
    proxy.send(&Owner { instance: me(), address: address.to_owned() }, Forward { object, request, journey: Journey::default() }).await
}

/// A body that can be read once.
fn once() -> Body {
    Body::new(Body::from("precious"))
}

async fn comes_back(outcome: Result<Passed, PeerError>, expected: &str) {
    match outcome {
        Err(PeerError::NotTaken { request: Some(request), what, .. }) => {
            assert_eq!(what, expected);
            assert_eq!(request.into_body().text().await.expect("the whole body"), "precious");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_that_was_not_taken_comes_back_whole() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    comes_back(send("nonsense", once()).await, "unreachable").await;
    let stranger = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut head = [0; 4096];
        let read = stream.read(&mut head).await.expect("a head");
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await.expect("it is open");
        let (mut second, _) = listener.accept().await.expect("a connection");
        let _ = second.read(&mut [0; 4096]).await.expect("a head");
        drop(second);
        String::from_utf8_lossy(&head[..read]).into_owned()
    });
    comes_back(send(&address, once()).await, "stranger").await;
    comes_back(send(&address, once()).await, "broken").await;
    let head = stranger.await.expect("it does not panic");
    assert!(!head.contains("precious") && !head.contains(SECRET), "{head}");
    // Nobody listens there any more.
    comes_back(send(&address, once()).await, "unreachable").await;
}

#[tokio::test]
async fn a_request_that_was_taken_and_not_answered_may_have_been_done() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let dying = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut bytes = [0; 4096];
        let _ = stream.read(&mut bytes).await.expect("a head");
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.expect("it is open");
        let read = stream.read(&mut bytes).await.expect("a body");
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    });
    let outcome = send(&address, once()).await;
    assert!(matches!(outcome, Err(PeerError::Unknown { .. })), "{outcome:?}");
    assert!(dying.await.expect("it does not panic").contains("precious"), "the body was sent when it was asked for");
}

/// How a server forwards that has these settings and listens at `bound`: the way and the address, or why it does not start.
fn plan(change: fn(&mut Config), bound: &str) -> Result<(&'static str, Option<String>), String> {
    let mut config = Config::default();
    change(&mut config);
    let plan = Plan::new(&config, bound.parse().expect("an address")).map_err(|error| error.message().to_owned())?;
    Ok((plan.name(), plan.address()))
}

#[test]
fn a_server_forwards_where_it_can() {
    let secret = |config: &mut Config| config.peer_secret = Some(Secret::new(SECRET));
    let address = |text: &str| Some(text.to_owned());
    assert_eq!(plan(|_| (), "127.0.0.1:80"), Ok(("off", None)));
    assert_eq!(plan(secret, "127.0.0.1:80"), Ok(("proxy", address("http://127.0.0.1:80"))));
    assert_eq!(plan(secret, "[::1]:80"), Ok(("proxy", address("http://[::1]:80"))));
    assert!(plan(secret, "0.0.0.0:80").expect_err("nobody knows where it is").contains("set DOTDO_ADDRESS"));
    let named = |config: &mut Config| {
        config.peer_secret = Some(Secret::new(SECRET));
        config.settings.address = Some("http://10.0.0.7:80".to_owned());
    };
    assert_eq!(plan(named, "0.0.0.0:80"), Ok(("proxy", address("http://10.0.0.7:80"))));
    let encrypted = |config: &mut Config| {
        config.peer_secret = Some(Secret::new(SECRET));
        config.settings.address = Some("https://10.0.0.7".to_owned());
    };
    assert!(plan(encrypted, "0.0.0.0:80").expect_err("no TLS").contains("plain HTTP"));
    let function = |config: &mut Config| {
        config.peer_secret = Some(Secret::new(SECRET));
        config.settings.ownership = Ownership::PerRequest;
    };
    assert_eq!(plan(function, "127.0.0.1:80"), Ok(("proxy", None)), "it owns nothing, so nobody has to reach it");
    let on_fly = |config: &mut Config| config.fly_machine = Some("91857d6c".to_owned());
    assert_eq!(plan(on_fly, "0.0.0.0:80"), Ok(("fly-replay", address("fly-machine:91857d6c"))));
    assert!(plan(|config| config.fly_machine = Some("a;b".to_owned()), "0.0.0.0:80").is_err());
    assert!(plan(|config| config.forwarding = Forwarding::Proxy, "0.0.0.0:80").expect_err("no secret").contains("DOTDO_PEER_SECRET"));
    assert!(plan(|config| config.forwarding = Forwarding::FlyReplay, "0.0.0.0:80").is_err());
    let off = |config: &mut Config| (config.forwarding, config.peer_secret) = (Forwarding::Off, Some(Secret::new(SECRET)));
    assert_eq!(plan(off, "0.0.0.0:80"), Ok(("off", None)));
}
