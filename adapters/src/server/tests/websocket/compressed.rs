//! RFC 7692, byte by byte: what is agreed on, and what becomes of compressed messages. The cases
//! are of the kind of the Autobahn test suite's sections 12 and 13.

use dotdo_core::Engine;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use super::frames::*;
use super::*;
use crate::edge::CompressionSettings;

/// The limit of a message, in bytes.
const BYTES_MAX: usize = 1 << 20;
/// Messages of at least so many bytes are compressed.
const BYTES_MIN: u64 = 64;

/// "Hello", as RFC 7692 compresses it in section 7.2.3.1.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

async fn compressing() -> Server<Engine> {
    let compression = CompressionSettings { is_on: true, bytes_min: BYTES_MIN };
    let sockets =
        SocketSettings { compression, message_bytes_max: BYTES_MAX, ..SocketSettings::default() };
    with(ServerSettings { sockets, ..server_settings() }, edge_settings()).await
}

/// Opens a socket with an offer, and returns what is agreed on.
async fn offering(server: &Server<Engine>, offer: &str) -> (Socket, Option<String>) {
    let offer = format!("sec-websocket-extensions: {offer}\r\n");
    let (socket, mut answer) = Socket::open(server.connect().await, "/do/echo", &offer).await;
    (socket, answer.headers.remove("sec-websocket-extensions"))
}

/// A message as a client compresses it that has this window.
fn compressed(plain: &[u8], window_bits: u8) -> Vec<u8> {
    let mut compress =
        Compress::new_with_window_bits(Compression::default(), false, window_bits.max(9));
    let mut small = Vec::with_capacity(plain.len() + plain.len() / 100 + 64);
    compress.compress_vec(plain, &mut small, FlushCompress::Sync).expect("it is compressed");
    assert_eq!(small.split_off(small.len() - 4), [0, 0, 0xff, 0xff]);
    small
}

/// A message that a client uncompresses that remembers nothing, and has this window.
fn plain(small: &[u8], window_bits: u8) -> Vec<u8> {
    let mut decompress = Decompress::new_with_window_bits(false, window_bits.max(9));
    let mut plain = Vec::with_capacity(2 << 20);
    let small = [small, &[0, 0, 0xff, 0xff]].concat();
    decompress.decompress_vec(&small, &mut plain, FlushDecompress::Sync).expect("deflate data");
    assert_eq!(decompress.total_in(), small.len() as u64);
    plain
}

/// Text that can be compressed.
fn words(length: usize) -> Vec<u8> {
    let words = (0_u64..).map(|number| format!("{{\"n\":{}}},", number * number % 9973));
    words.flat_map(String::into_bytes).take(length).collect()
}

/// Bytes that can't.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Sends a message that comes back, and expects that it comes back compressed or not.
async fn echoed(socket: &mut Socket, opcode: u8, message: &[u8], bits: u8, is_small: bool) {
    let (frame, is_compressed) = socket.any_frame().await.expect("an echo");
    let length = message.len();
    assert_eq!((frame.opcode, is_compressed), (opcode, is_small), "{length} bytes, {bits}");
    let payload = if is_compressed { plain(&frame.payload, bits) } else { frame.payload };
    assert!(payload == message, "{length} bytes, {bits}");
}

#[tokio::test]
async fn a_server_agrees_to_compress_if_it_does_so_and_is_offered_it() {
    let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let server = compressing().await;
    for (offer, expected) in [
        ("permessage-deflate; client_max_window_bits", Some(agreed.to_owned())),
        (
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
            Some(format!("{agreed}; server_max_window_bits=10")),
        ),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("x-webkit-deflate-frame", None),
    ] {
        let (mut socket, agreed) = offering(&server, offer).await;
        assert_eq!(agreed, expected, "{offer}");
        socket.send(raw(FIN | RSV1 | TEXT, &HELLO)).await;
        let frame = socket.frame().await.expect("a frame");
        match expected {
            Some(_) => assert_eq!(frame.text(), "Hello"),
            None => assert_eq!(frame.code(), Some(1002), "nobody has agreed to it"),
        }
    }
    let (_, agreed) = offering(&super::server().await, "permessage-deflate").await;
    assert_eq!(agreed, None, "it is off unless the settings say so");
}

#[tokio::test]
async fn messages_of_every_length_and_window_come_back_compressed() {
    let server = compressing().await;
    for bits in [8, 9, 12, 15] {
        let (mut socket, _) =
            offering(&server, &format!("permessage-deflate; server_max_window_bits={bits}")).await;
        for length in [0, 16, 63, 64, 256, 1024, 4096, 8192, 65_535, 65_536, 131_072] {
            for opcode in [TEXT, BINARY] {
                let message = words(length);
                let is_small = length as u64 >= BYTES_MIN;
                let small = compressed(&message, bits);
                // As one frame, in three, and not compressed at all.
                socket.send(raw(FIN | RSV1 | opcode, &small)).await;
                echoed(&mut socket, opcode, &message, bits, is_small).await;
                let pieces: Vec<&[u8]> = small.chunks(small.len().div_ceil(3)).collect();
                socket.send(in_pieces(RSV1 | opcode, &pieces)).await;
                echoed(&mut socket, opcode, &message, bits, is_small).await;
                socket.send(whole(opcode, &message)).await;
                echoed(&mut socket, opcode, &message, bits, is_small).await;
            }
        }
        // The longest ones. What does not become shorter is sent as it is.
        for (message, is_small) in [(words(BYTES_MAX), true), (noise(BYTES_MAX), false)] {
            socket.send(raw(FIN | RSV1 | BINARY, &compressed(&message, bits))).await;
            echoed(&mut socket, BINARY, &message, bits, is_small).await;
        }
    }
}

#[tokio::test]
async fn frames_of_compressed_messages_are_as_the_standard_says() {
    let server = compressing().await;
    let offer = "permessage-deflate";
    let (mut socket, _) = offering(&server, offer).await;
    // Section 7.2.3.1: one message in two frames, and a ping between them.
    let pieces = [raw(RSV1 | TEXT, &HELLO[..3]), whole(PING, b"p"), raw(FIN, &HELLO[3..])];
    socket.send(pieces.concat()).await;
    assert_eq!(socket.frame().await.expect("a pong").payload, b"p");
    assert_eq!(socket.text().await, "Hello");
    // Frames that are empty, and messages of all kinds at once, byte by byte.
    let mixed = [
        in_pieces(RSV1 | BINARY, &[b"", &HELLO[..1], b"", &HELLO[1..], b""]),
        whole(TEXT, b"as it is"),
        in_pieces(TEXT, &[b"in ", b"pieces"]),
        raw(FIN | RSV1 | TEXT, &[0]),
        raw(FIN | RSV1 | TEXT, &HELLO),
    ];
    for byte in mixed.concat() {
        socket.send([byte]).await;
    }
    for (opcode, expected) in
        [(BINARY, "Hello"), (TEXT, "as it is"), (TEXT, "in pieces"), (TEXT, ""), (TEXT, "Hello")]
    {
        let frame = socket.frame().await.expect("a frame");
        assert_eq!((frame.opcode, &*frame.payload), (opcode, expected.as_bytes()));
    }
    socket.send(whole(CLOSE, &closing(1000, b""))).await;
    assert_eq!(socket.closed().await, Some(1000));
}

#[tokio::test]
async fn what_is_compressed_wrongly_closes_the_connection() {
    let server = compressing().await;
    let continued = [raw(TEXT, b"a"), raw(FIN | RSV1, b"b")].concat();
    let twice = [raw(RSV1 | TEXT, &HELLO[..3]), raw(FIN | RSV1, &HELLO[3..])].concat();
    let two = [raw(RSV1 | TEXT, &HELLO[..3]), raw(FIN | RSV1 | TEXT, &HELLO)].concat();
    let hello = |length: usize| raw(FIN | RSV1 | TEXT, &HELLO[..length]);
    let bomb = compressed(&vec![0; 4 << 20], 15);
    assert!(bomb.len() < BYTES_MAX);
    let over = raw(FIN | RSV1 | BINARY, &compressed(&words(BYTES_MAX + 1), 15));
    for (what, sent, code) in [
        ("a compressed ping", raw(FIN | RSV1 | PING, b""), 1002),
        ("a compressed pong", raw(FIN | RSV1 | PONG, b""), 1002),
        ("a compressed close frame", raw(FIN | RSV1 | CLOSE, &closing(1000, b"")), 1002),
        ("the bit in a later frame", continued, 1002),
        ("the bit in the first and a later frame", twice, 1002),
        ("a message within another", two, 1002),
        ("another reserved bit", raw(FIN | RSV1 | 0x20 | TEXT, &HELLO), 1002),
        ("the last reserved bit", raw(FIN | 0x10 | TEXT, &HELLO), 1002),
        ("no data", hello(0), 1007),
        ("half of it", hello(4), 1007),
        ("a block of no kind", raw(FIN | RSV1 | BINARY, b"\xff\xff\xff"), 1007),
        ("more after the end", raw(FIN | RSV1 | TEXT, &[&HELLO[..], b"more"].concat()), 1007),
        ("no UTF-8", raw(FIN | RSV1 | TEXT, &compressed(b"\xed\xa0\x80", 15)), 1007),
        ("a bomb", raw(FIN | RSV1 | BINARY, &bomb), 1009),
        ("a byte too many", over, 1009),
        ("a byte too many, as it is", whole(BINARY, &noise(BYTES_MAX + 1)), 1009),
        ("a frame that is too long", raw(FIN | RSV1 | BINARY, &noise(BYTES_MAX + (1 << 18))), 1009),
    ] {
        let (mut socket, _) = offering(&server, "permessage-deflate").await;
        socket.send(sent).await;
        assert_eq!(socket.closed().await, Some(code), "{what}");
    }
}
