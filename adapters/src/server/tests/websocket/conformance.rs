//! RFC 6455, case by case: what a client sends, byte by byte, and what it must get. The cases are
//! those of the Autobahn test suite, in its order.

use super::super::Server;
use super::frames::*;
use super::server;
use dotdo_core::Engine;

/// What a client gets for what it sends.
enum Expected {
    /// These frames, and then an orderly end.
    Frames(Vec<(u8, Vec<u8>)>),
    /// These frames, and then a close frame with one of these codes.
    Closed(Vec<(u8, Vec<u8>)>, &'static [u16]),
}

use Expected::{Closed, Frames};

/// The frames that come before the end of a case.
fn before(expected: &Expected) -> &[(u8, Vec<u8>)] {
    let (Frames(frames) | Closed(frames, _)) = expected;
    frames
}

async fn check(server: &Server<Engine>, name: &str, sent: &[u8], expected: &Expected) {
    let (mut socket, _) = Socket::open(server.connect().await, "/do/echo", "").await;
    // A server that fails the connection need not read the rest.
    socket.send(sent).await;
    for (opcode, payload) in before(expected) {
        let frame = socket.frame().await.unwrap_or_else(|| panic!("{name}: the end came early"));
        assert!(
            frame.opcode == *opcode && frame.payload == *payload,
            "{name}: {:?}",
            (frame.opcode, frame.payload.len())
        );
    }
    match expected {
        Frames(_) => {
            socket.send(whole(CLOSE, &closing(1000, b""))).await;
            let code = socket.closed().await;
            assert_eq!(code, Some(1000), "{name}");
        }
        Closed(_, codes) => {
            let frame = socket.frame().await.unwrap_or_else(|| panic!("{name}: no close frame"));
            let code = frame.code().unwrap_or(1005);
            assert!(codes.contains(&code), "{name}: {code}");
        }
    }
    assert_eq!(socket.frame().await, None, "{name}: nothing comes after the close frame");
}

async fn check_all(cases: Vec<(String, Vec<u8>, Expected)>) {
    let server = server().await;
    assert!(!cases.is_empty());
    for (name, sent, expected) in &cases {
        check(&server, name, sent, expected).await;
    }
}

fn case(name: impl Into<String>, sent: Vec<u8>, expected: Expected) -> (String, Vec<u8>, Expected) {
    (name.into(), sent, expected)
}

fn echo(opcode: u8, payload: &[u8]) -> Expected {
    Frames(vec![(opcode, payload.to_vec())])
}

#[tokio::test]
async fn messages_of_every_length_come_back() {
    let mut cases = Vec::new();
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536, 1 << 20] {
        let payload = vec![b'*'; length];
        for opcode in [TEXT, BINARY] {
            let name = format!("1 and 9: {length} bytes of {opcode}");
            cases.push(case(name, whole(opcode, &payload), echo(opcode, &payload)));
        }
    }
    let payload = vec![b'*'; 65_536];
    for piece in [64, 256, 1024, 4096, 65_536] {
        let pieces: Vec<&[u8]> = payload.chunks(piece).collect();
        let sent = in_pieces(BINARY, &pieces);
        cases.push(case(format!("9.3: in pieces of {piece}"), sent, echo(BINARY, &payload)));
    }
    check_all(cases).await;
}

#[tokio::test]
async fn pings_are_answered_and_pongs_are_not() {
    let long = [0xfe; 125];
    let mut cases = vec![
        case("2.1: an empty ping", whole(PING, b""), echo(PONG, b"")),
        case("2.2: a ping with text", whole(PING, b"Hello"), echo(PONG, b"Hello")),
        case("2.3: a ping with bytes", whole(PING, &[0, 0xff, 0xfe]), echo(PONG, &[0, 0xff, 0xfe])),
        case("2.4: the longest ping", whole(PING, &long), echo(PONG, &long)),
        case("2.5: a longer ping", whole(PING, &[0xfe; 126]), Closed(vec![], &[1002])),
        case("2.7: a pong that nobody asked for", whole(PONG, b""), Frames(vec![])),
        case("2.8: one with a payload", whole(PONG, b"x"), Frames(vec![])),
    ];
    let sent = [whole(PONG, b"x"), whole(PING, b"ping")].concat();
    cases.push(case("2.9: a pong and a ping", sent, echo(PONG, b"ping")));
    check_all(cases).await;
    // Ten pings one by one: a server may answer only the last of several.
    let server = server().await;
    let (mut socket, _) = Socket::open(server.connect().await, "/do/echo", "").await;
    for number in 0..10_u8 {
        socket.send(whole(PING, &[number])).await;
        let frame = socket.frame().await.expect("a pong");
        assert_eq!((frame.opcode, frame.payload), (PONG, vec![number]), "2.10");
    }
}

#[tokio::test]
async fn reserved_bits_and_opcodes_are_refused() {
    let mut cases = Vec::new();
    for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        for opcode in [TEXT, BINARY, PING, CLOSE] {
            let name = format!("3: the bits {bits:#x} with {opcode}");
            cases.push(case(name, raw(FIN | bits | opcode, b""), Closed(vec![], &[1002])));
        }
        let sent = [whole(TEXT, b"first"), raw(FIN | bits | TEXT, b"second")].concat();
        let name = format!("3: the bits {bits:#x} after a message");
        // The message before may be answered or not.
        let server = server().await;
        let (mut socket, _) = Socket::open(server.connect().await, "/do/echo", "").await;
        socket.send(sent).await;
        let first = socket.frame().await.expect("a frame");
        let last =
            if first.opcode == TEXT { socket.frame().await.expect("a frame") } else { first };
        assert_eq!(last.code(), Some(1002), "{name}");
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in [&b""[..], b"x"] {
            let name = format!("4: the opcode {opcode}");
            cases.push(case(name, whole(opcode, payload), Closed(vec![], &[1002])));
        }
    }
    check_all(cases).await;
}

#[tokio::test]
async fn fragments_are_put_together_and_control_frames_come_between() {
    let refused = || Closed(vec![], &[1002][..]);
    let halves: [&[u8]; 2] = [b"frag", b"ment"];
    let between = [raw(TEXT, b"frag"), whole(PING, b"p"), raw(FIN, b"ment")].concat();
    let answers = Frames(vec![(PONG, b"p".to_vec()), (TEXT, b"fragment".to_vec())]);
    let mut cases = vec![
        case("5.1: a ping in two", in_pieces(PING, &halves), refused()),
        case("5.2: a pong in two", in_pieces(PONG, &halves), refused()),
        case("5.3: a text in two", in_pieces(TEXT, &halves), echo(TEXT, b"fragment")),
        case("5.6: with a ping between", between, answers),
        case("5.9: a continuation of nothing", whole(CONTINUATION, b"x"), refused()),
        case("5.12: an unfinished one", raw(CONTINUATION, b"x"), refused()),
        case(
            "5.18: two messages at once",
            [raw(TEXT, b"a"), whole(TEXT, b"b")].concat(),
            refused(),
        ),
    ];
    let pieces: [&[u8]; 5] = [b"f1", b"f2", b"f3", b"f4", b"f5"];
    cases.push(case("5.19: five pieces", in_pieces(TEXT, &pieces), echo(TEXT, b"f1f2f3f4f5")));
    let empty: [&[u8]; 3] = [b"", b"", b""];
    cases.push(case("6.1: nothing, in three", in_pieces(TEXT, &empty), echo(TEXT, b"")));
    check_all(cases).await;
}

#[tokio::test]
async fn text_is_utf_8_however_it_is_split() {
    let greek = "κόσμε, Hello-µ@ßöäüàá-UTF-8!!";
    let mut cases =
        vec![case("6.2: greek", whole(TEXT, greek.as_bytes()), echo(TEXT, greek.as_bytes()))];
    let bytes: Vec<&[u8]> = greek.as_bytes().chunks(1).collect();
    cases.push(case("6.2: byte by byte", in_pieces(TEXT, &bytes), echo(TEXT, greek.as_bytes())));
    for good in [
        "\u{0}",
        "\u{7f}",
        "\u{80}",
        "\u{7ff}",
        "\u{800}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{fffd}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{10000}",
        "\u{1fffe}",
        "\u{10ffff}",
    ] {
        cases.push(case(
            format!("6.5: {good:?}"),
            whole(TEXT, good.as_bytes()),
            echo(TEXT, good.as_bytes()),
        ));
    }
    let bad: [&[u8]; 22] = [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\x80",
        b"\xbf",
        b"\x80\xbf",
        b"\xc0",
        b"\xe0 ",
        b"\xf0 ",
        b"\xc3",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"\xfe",
        b"\xff",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xc1\xbf",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xed\xa0\x80\xed\xb0\x80",
    ];
    for bad in bad {
        cases.push(case(
            format!("6.6 to 6.21: {bad:x?}"),
            whole(TEXT, bad),
            Closed(vec![], &[1007]),
        ));
        let (one, two) = bad.split_at(bad.len() / 2);
        let sent = in_pieces(TEXT, &[one, two]);
        cases.push(case(format!("6.6 to 6.21: {bad:x?} in two"), sent, Closed(vec![], &[1007])));
    }
    cases.push(case(
        "binary may be anything",
        whole(BINARY, b"\xff\xfe"),
        echo(BINARY, b"\xff\xfe"),
    ));
    check_all(cases).await;
}

#[tokio::test]
async fn the_close_handshake_is_as_the_standard_says() {
    let close = |payload: &[u8]| whole(CLOSE, payload);
    let mut cases = vec![
        case("7.1.1: after a message", whole(TEXT, b"x"), echo(TEXT, b"x")),
        case(
            "7.1.2: two close frames",
            [close(&closing(1000, b"")), close(&closing(1000, b""))].concat(),
            Closed(vec![], &[1000]),
        ),
        case(
            "7.1.3: a ping after it",
            [close(&closing(1000, b"")), whole(PING, b"")].concat(),
            Closed(vec![], &[1000]),
        ),
        case(
            "7.1.4: a message after it",
            [close(&closing(1000, b"")), whole(TEXT, b"late")].concat(),
            Closed(vec![], &[1000]),
        ),
        case("7.3.1: without a code", close(b""), Closed(vec![], &[1000, 1005])),
        case("7.3.2: half a code", close(b"x"), Closed(vec![], &[1002])),
        case("7.3.3: a code", close(&closing(1000, b"")), Closed(vec![], &[1000])),
        case("7.3.4: with a reason", close(&closing(1000, b"Hello")), Closed(vec![], &[1000])),
        case(
            "7.3.5: the longest reason",
            close(&closing(1000, &[b'*'; 123])),
            Closed(vec![], &[1000]),
        ),
        case("7.3.6: a longer one", close(&closing(1000, &[b'*'; 124])), Closed(vec![], &[1002])),
        case(
            "7.5.1: a reason that is not UTF-8",
            close(&closing(1000, b"\xed\xa0\x80")),
            Closed(vec![], &[1007, 1002]),
        ),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let codes: &'static [u16] = Box::leak(Box::new([code]));
        cases.push(case(format!("7.7: {code}"), close(&closing(code, b"")), Closed(vec![], codes)));
    }
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        cases.push(case(
            format!("7.9: {code}"),
            close(&closing(code, b"")),
            Closed(vec![], &[1002]),
        ));
    }
    check_all(cases).await;
}

#[tokio::test]
async fn frames_that_no_client_may_send_are_refused() {
    let unmasked = vec![FIN | TEXT, 1, b'x'];
    let endless = [&[FIN | BINARY, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
    let large = [&[FIN | BINARY, 0xff][..], &(1_u64 << 20 | 1).to_be_bytes(), &[0; 4]].concat();
    let half = vec![b'*'; 1 << 19];
    let many: [&[u8]; 3] = [&half, &half, b"x"];
    check_all(vec![
        case("a frame that is not masked", unmasked, Closed(vec![], &[1002])),
        case("a length that nobody has", endless, Closed(vec![], &[1009, 1002])),
        case("a frame that is too long", large, Closed(vec![], &[1009])),
        case(
            "a message that is too long, in pieces",
            in_pieces(BINARY, &many),
            Closed(vec![], &[1009]),
        ),
    ])
    .await;
}
