//! Who is believed, what passes, and how a server decides to forward.

mod proxy;

use dotdo_core::{Caller, Ownership, SealedCaller, Secret};
use http::{HeaderMap, HeaderValue, Method};
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
        tenant: ("acme".to_owned(), "shop".to_owned()),
        object: ("Counter".to_owned(), "a/b ü".to_owned()),
        uri: "/path?query".to_owned(),
        host: Some(b"example.com".to_vec()),
        length: Some(3),
        client: Some([192, 0, 2, 1].into()),
        visited: vec![Uuid::from_u128(1).to_string()],
        chain: vec![("Counter".to_owned(), "first".to_owned())],
        hops: 3,
        delivery: Some(("Counter".to_owned(), "sender".to_owned(), 7)),
        caller: Some(SealedCaller::new(&Caller::new("alice"))),
        attempt: None,
        socket: None,
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
            arrival.request_context.chain,
            arrival.request_context.delivery.map(|message| message.number)
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
fn a_peer_header_counts_only_on_an_authenticated_connection() {
    let (gate, value) = (ForwardedRequests::Peers(me()), envelope().sealed());
    assert_eq!(
        ask(&gate, value.clone(), Some(Proven)),
        Ok("acme/shop/Counter/a/b ü [acme/shop/Counter/first] Some(7)".to_owned())
    );
    assert_eq!(
        ask(&gate, value.clone(), None),
        Err("its connection does not prove that".to_owned())
    );
    for closed in [ForwardedRequests::Closed, ForwardedRequests::Fly] {
        assert_eq!(
            ask(&closed, value.clone(), Some(Proven)),
            Err("this server does not accept requests from other servers".to_owned())
        );
    }
}

#[test]
fn a_proof_is_not_enough() {
    type Change = fn(&mut Envelope);
    let cases: [(&str, Change); 5] = [
        ("it is for another server", |envelope| envelope.to = Uuid::from_u128(3)),
        ("the request goes in circles", |envelope| envelope.visited.push(me().to_string())),
        ("the request goes in circles", |envelope| {
            envelope.visited = vec!["x".to_owned(); dotdo_core::HOPS_MAX + 1]
        }),
        ("it names no tenant", |envelope| envelope.tenant.0.clear()),
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
        assert_eq!(refusal, Err("cannot parse the header dotdo-peer".to_owned()), "{unreadable:?}");
    }
}

#[test]
fn an_address_is_accepted_only_with_a_valid_signature() {
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
fn every_part_of_a_rotated_secret_must_be_long_enough() {
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
