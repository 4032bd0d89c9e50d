//! Two servers that talk to each other through real ports: who is believed, what passes, and what
//! comes back.

use std::net::SocketAddr;

use dotdo_core::{
    Body, Forward, Journey, ObjectId, Owner, Ownership, Passed, PeerError, Peers, Request, Secret,
};
use http::{HeaderMap, HeaderValue, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::envelope::Envelope;
use super::forwarded::ForwardedRequests;
use super::headers::strip;
use super::secrets::{Keys, place};
use super::tls::Identity;
use super::*;
use crate::config::{Config, Forwarding};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

fn keys(secret: &str) -> Keys {
    Keys::new(&Secret::new(secret))
}

fn identity(secret: &str) -> Identity {
    Identity::new(&keys(secret)).expect("the cryptography knows these keys")
}

fn me() -> Uuid {
    Uuid::from_u128(2)
}

/// A good envelope to this server.
fn envelope() -> Envelope {
    Envelope {
        from: Uuid::from_u128(1),
        to: me(),
        object: ("Counter".to_owned(), "a/b ü".to_owned()),
        uri: "/path?query".to_owned(),
        host: Some(b"example.com".to_vec()),
        length: Some(3),
        client: Some([192, 0, 2, 1].into()),
        visited: vec![Uuid::from_u128(1).to_string()],
        chain: vec![("Counter".to_owned(), "first".to_owned())],
        delivery: Some(("Counter".to_owned(), "sender".to_owned(), 7)),
        identity: None,
        attempt: None,
    }
}

/// What a gate makes of a request with this header: the object, or why it is refused.
fn ask(
    gate: &ForwardedRequests,
    value: HeaderValue,
    proven: Option<Proven>,
) -> Result<String, String> {
    let request = http::Request::builder().method(Method::POST).header(PEER_HEADER, value).body(());
    let (mut head, ()) = request.expect("a request").into_parts();
    proven.map(|proven| head.extensions.insert(proven));
    match gate.arrival(&head).expect("it claims to come from a peer") {
        Ok(arrival) => Ok(format!(
            "{} {:?} {:?}",
            arrival.object,
            arrival.journey.chain,
            arrival.journey.delivery.map(|message| message.number)
        )),
        Err(error) => {
            assert_eq!(
                (error.kind(), error.code()),
                (dotdo_core::ErrorKind::Forbidden, "PEER_REFUSED")
            );
            Err(error.message().rsplit(": ").next().unwrap_or_default().to_owned())
        }
    }
}

#[test]
fn a_peer_is_believed_on_a_connection_that_has_proved_it() {
    let (gate, value) = (ForwardedRequests::Peers(me()), envelope().sealed());
    assert_eq!(
        ask(&gate, value.clone(), Some(Proven)),
        Ok("Counter/a/b ü [Counter/first] Some(7)".to_owned())
    );
    assert_eq!(
        ask(&gate, value.clone(), None),
        Err("its connection does not prove that".to_owned())
    );
    for closed in [ForwardedRequests::Closed, ForwardedRequests::Fly] {
        assert_eq!(
            ask(&closed, value.clone(), Some(Proven)),
            Err("this server takes no requests of other servers".to_owned())
        );
    }
}

#[test]
fn a_proof_is_not_enough() {
    type Change = fn(&mut Envelope);
    let cases: [(&str, Change); 4] = [
        ("it is for another server", |envelope| envelope.to = Uuid::from_u128(3)),
        ("the request goes in circles", |envelope| envelope.visited.push(me().to_string())),
        ("the request goes in circles", |envelope| {
            envelope.visited = vec!["x".to_owned(); dotdo_core::HOPS_MAX + 1]
        }),
        ("it names no object", |envelope| envelope.object.1.clear()),
    ];
    for (why, change) in cases {
        let mut envelope = envelope();
        change(&mut envelope);
        assert_eq!(
            ask(&ForwardedRequests::Peers(me()), envelope.sealed(), Some(Proven)),
            Err(why.to_owned())
        );
    }
    for unreadable in ["", "x", "e30", "{}"] {
        let refusal = ask(
            &ForwardedRequests::Peers(me()),
            HeaderValue::from_static(unreadable),
            Some(Proven),
        );
        assert_eq!(
            refusal,
            Err("the header dotdo-peer can't be read".to_owned()),
            "{unreadable:?}"
        );
    }
}

#[test]
fn an_address_is_believed_of_whom_a_server_with_the_secret_has_said_it() {
    let signed = keys(SECRET).signed("http://10.0.0.7:80", me());
    let believed = |keys: Keys, text: &str, instance: Uuid| {
        keys.believed(text, instance).map(|uri| uri.to_string())
    };
    assert_eq!(believed(keys(SECRET), &signed, me()).as_deref(), Some("https://10.0.0.7:80/"));
    assert_eq!(believed(keys(OTHER), &signed, me()), None, "another secret");
    assert_eq!(believed(keys(SECRET), &signed, Uuid::from_u128(3)), None, "another process");
    for at in 0..signed.len() {
        let mut bytes = signed.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).expect("ASCII");
        assert_eq!(believed(keys(SECRET), &changed, me()), None, "{changed}");
    }
    for unsigned in ["http://10.0.0.7:80", "http://10.0.0.7:80#", "#", ""] {
        assert_eq!(believed(keys(SECRET), unsigned, me()), None, "{unsigned:?}");
    }
    let renewed = format!("{OTHER},{SECRET}");
    assert!(
        believed(keys(&renewed), &signed, me()).is_some(),
        "the old one is taken while it is renewed"
    );
}

#[test]
fn an_address_is_a_host_and_a_port_and_nothing_more() {
    for good in [
        "http://10.0.0.7:80",
        "http://10.0.0.7:80/",
        "http://[fd00::7]:8787",
        "http://name.internal:1",
        "http://name",
    ] {
        assert!(place(good).is_some(), "{good}");
    }
    for bad in [
        "https://10.0.0.7",
        "10.0.0.7:80",
        "http://",
        "http://a@b:80",
        "http://a/b",
        "http://a?b",
        "http://a#b",
        "http://a b",
        "http://:80",
    ] {
        assert!(place(bad).is_none(), "{bad}");
    }
}

#[test]
fn a_secret_is_renewed_in_steps_and_each_part_is_long_enough() {
    assert!(are_secrets(SECRET) && are_secrets(&format!("{OTHER}, {SECRET}")));
    for short in ["", "short", &format!("{SECRET},short"), &format!("{SECRET},")] {
        assert!(!are_secrets(short), "{short:?}");
    }
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
    assert_eq!(
        left,
        ["authorization", "cookie", "cookie", "trailer", "x-do-id"],
        "what Connection names is no client's to take away"
    );
}

/// A port, and the address as `secret` signs it.
async fn listen(secret: &str) -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, signed(secret, address))
}

fn signed(secret: &str, address: SocketAddr) -> String {
    keys(secret).signed(&format!("http://{address}"), me())
}

/// What a server with `secret` gets when it sends to `address`.
async fn send_with(secret: &str, address: &str, body: Body) -> Result<Passed, PeerError> {
    let proxy = proxy::Proxy::new(keys(secret), &identity(secret), Uuid::from_u128(1));
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    let object = ObjectId::new("Counter", "a").expect("an id");
    proxy
        .send(
            &Owner { instance: me(), address: address.to_owned() },
            Forward { object, request, journey: Journey::default() },
        )
        .await
}

async fn send(address: &str, body: Body) -> Result<Passed, PeerError> {
    send_with(SECRET, address, body).await
}

/// A body that can be read once.
fn once() -> Body {
    Body::new(Body::from("precious"))
}

async fn comes_back(outcome: Result<Passed, PeerError>, expected: &str) {
    match outcome {
        Err(PeerError::NotTaken { request: Some(request), what, reason }) => {
            assert_eq!(what, expected, "{reason}");
            assert_eq!(request.into_body().text().await.expect("the whole body"), "precious");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_that_was_not_taken_comes_back_whole() {
    let (listener, address) = listen(SECRET).await;
    comes_back(send("nonsense", once()).await, "unreachable").await;
    let stranger = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut heard = vec![0; 4096];
        let read = stream.read(&mut heard).await.expect("something");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
            .await
            .expect("it is open");
        heard.truncate(read);
        stream.read_to_end(&mut heard).await.expect("the rest");
        let (second, _) = listener.accept().await.expect("a connection");
        drop(second);
        // Whoever has another secret is a stranger too, however well it speaks.
        let (third, _) = listener.accept().await.expect("a connection");
        assert!(identity(OTHER).acceptor().accept(third).await.is_none());
        heard
    });
    comes_back(send(&address, once()).await, "stranger").await;
    comes_back(send(&address, once()).await, "unreachable").await;
    comes_back(send(&address, once()).await, "stranger").await;
    let heard = stranger.await.expect("it does not panic");
    assert_eq!(heard[0], FIRST_BYTE);
    let heard = String::from_utf8_lossy(&heard).into_owned();
    assert!(
        !["precious", "POST", "Counter", "127.0.0.1", SECRET]
            .iter()
            .any(|word| heard.contains(word)),
        "{heard}"
    );
    // Nobody listens there any more.
    comes_back(send(&address, once()).await, "unreachable").await;
}

#[tokio::test]
async fn a_server_takes_nothing_from_whoever_proves_nothing() {
    let (listener, address) = listen(SECRET).await;
    let server = tokio::spawn(async move {
        let mut taken = Vec::new();
        for _ in 0..3 {
            let (stream, _) = listener.accept().await.expect("a connection");
            taken.push(identity(SECRET).acceptor().accept(stream).await.is_some());
        }
        taken
    });
    let to =
        address.trim_start_matches("http://").split('#').next().expect("the address").to_owned();
    // TLS that shows no key, TLS that shows another one, and what only begins like TLS.
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let nobody = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("it knows TLS 1.3")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    for config in [std::sync::Arc::new(nobody), std::sync::Arc::clone(&identity(OTHER).client)] {
        let stream = TcpStream::connect(&to).await.expect("it listens");
        let name = rustls::pki_types::ServerName::try_from("server.invalid").expect("a name");
        assert!(tokio_rustls::TlsConnector::from(config).connect(name, stream).await.is_err());
    }
    let mut stream = TcpStream::connect(&to).await.expect("it listens");
    stream.write_all(&[FIRST_BYTE, 3, 1, 0, 5, 0, 0, 0, 0, 0]).await.expect("it is open");
    let _ = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(server.await.expect("it does not panic"), [false; 3]);
}

#[tokio::test]
async fn servers_know_each_other_at_each_step_of_a_renewal() {
    let (both, renewed) = (format!("{SECRET},{OTHER}"), format!("{OTHER},{SECRET}"));
    let steps = [SECRET, &both, &renewed, OTHER];
    for (sender, receiver) in
        steps.windows(2).flat_map(|pair| [(pair[0], pair[1]), (pair[1], pair[0])])
    {
        let (listener, address) = listen(receiver).await;
        let acceptor = identity(receiver).acceptor();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            acceptor.accept(stream).await.is_some()
        });
        let _ = send_with(sender, &address, once()).await;
        assert!(server.await.expect("it does not panic"), "{sender} to {receiver}");
    }
}

#[tokio::test]
async fn a_request_that_was_taken_and_not_answered_may_have_been_done() {
    let (listener, address) = listen(SECRET).await;
    let dying = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut stream =
            identity(SECRET).acceptor().accept(stream).await.expect("it proves itself");
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.expect("a head");
        let head = String::from_utf8_lossy(&bytes[..read]).into_owned();
        assert!(head.contains("dotdo-peer") && !head.contains("precious"), "{head}");
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.expect("it is open");
        let read = stream.read(&mut bytes).await.expect("a body");
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    });
    let outcome = send(&address, once()).await;
    assert!(matches!(outcome, Err(PeerError::Unknown { .. })), "{outcome:?}");
    assert!(
        dying.await.expect("it does not panic").contains("precious"),
        "the body was sent when it was asked for"
    );
}

/// How a server forwards that has these settings and listens at `bound`: the way and the address,
/// or why it does not start.
fn plan(change: fn(&mut Config), bound: &str) -> Result<(&'static str, Option<String>), String> {
    let mut config = Config::default();
    change(&mut config);
    let plan = Plan::new(&config, bound.parse().expect("an address"))
        .map_err(|error| error.message().to_owned())?;
    Ok((plan.name(), plan.address()))
}

#[test]
fn a_server_forwards_where_it_can() {
    let secret = |config: &mut Config| config.peer_secret = Some(Secret::new(SECRET));
    let address = |text: &str| Some(text.to_owned());
    assert_eq!(plan(|_| (), "127.0.0.1:80"), Ok(("off", None)));
    assert_eq!(plan(secret, "127.0.0.1:80"), Ok(("proxy", address("http://127.0.0.1:80"))));
    assert_eq!(plan(secret, "[::1]:80"), Ok(("proxy", address("http://[::1]:80"))));
    assert!(
        plan(secret, "0.0.0.0:80")
            .expect_err("nobody knows where it is")
            .contains("set DOTDO_ADDRESS")
    );
    let named = |config: &mut Config| {
        config.peer_secret = Some(Secret::new(SECRET));
        config.settings.address = Some("http://10.0.0.7:80".to_owned());
    };
    assert_eq!(plan(named, "0.0.0.0:80"), Ok(("proxy", address("http://10.0.0.7:80"))));
    let encrypted = |config: &mut Config| {
        config.peer_secret = Some(Secret::new(SECRET));
        config.settings.address = Some("https://10.0.0.7".to_owned());
    };
    assert!(plan(encrypted, "0.0.0.0:80").expect_err("no TLS").contains("http://host:port"));
    let function = |config: &mut Config| {
        config.peer_secret = Some(Secret::new(SECRET));
        config.settings.ownership = Ownership::PerRequest;
    };
    assert_eq!(
        plan(function, "127.0.0.1:80"),
        Ok(("proxy", None)),
        "it owns nothing, so nobody has to reach it"
    );
    let on_fly = |config: &mut Config| config.fly_machine = Some("91857d6c".to_owned());
    assert_eq!(plan(on_fly, "0.0.0.0:80"), Ok(("fly-replay", address("fly-machine:91857d6c"))));
    assert!(plan(|config| config.fly_machine = Some("a;b".to_owned()), "0.0.0.0:80").is_err());
    assert!(
        plan(|config| config.forwarding = Forwarding::Proxy, "0.0.0.0:80")
            .expect_err("no secret")
            .contains("DOTDO_PEER_SECRET")
    );
    assert!(plan(|config| config.forwarding = Forwarding::FlyReplay, "0.0.0.0:80").is_err());
    let off = |config: &mut Config| {
        (config.forwarding, config.peer_secret) = (Forwarding::Off, Some(Secret::new(SECRET)))
    };
    assert_eq!(plan(off, "0.0.0.0:80"), Ok(("off", None)));
}
