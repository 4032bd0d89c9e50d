//! What a connection keeps, and that frames may come in any pieces.

use flate2::{Compress, Compression, FlushCompress};
use futures_util::FutureExt as _;
use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;
use proptest::prelude::*;

use super::head::{BINARY, FIN, RSV1};
use super::*;

#[tokio::test]
async fn a_connection_keeps_nothing_of_a_long_message() {
    let (mut client, io) = tokio::io::duplex(4 << 20);
    let rules = Rules { bytes_max: 1 << 20, deflate: None, deflate_bytes_min: 0 };
    let mut frames = Frames::new(io, rules);
    for length in [10_u64, 1 << 20, 3000] {
        // A binary frame and a ping that are masked with zeros.
        let mut sent = [&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
        sent.resize(sent.len() + length as usize, b'*');
        sent.extend([0x89, 0x81, 0, 0, 0, 0, b'p']);
        client.write_all(&sent).await.expect("it has room");
        let message = frames.next().await.expect("a message");
        let Incoming::Message(SocketMessage::Binary(bytes)) = message else {
            panic!("{message:?}");
        };
        assert_eq!(bytes.len() as u64, length);
        frames.send(&mut VecDeque::from([Frame::binary(bytes)])).await.expect("it has room");
        let ping = frames.next().await.expect("a ping");
        assert!(matches!(&ping, Incoming::Ping(payload) if payload == b"p"), "{ping:?}");
        assert!(frames.next().now_or_never().is_none(), "nothing has come");
        assert!(frames.input.capacity() <= READ_BYTES, "{}", frames.input.capacity());
        assert!(frames.message.is_none() && frames.control.capacity() == 0);
    }
}

#[tokio::test]
async fn small_frames_leave_together_and_large_ones_as_they_are() {
    let (mut client, io) = tokio::io::duplex(4 << 20);
    let rules = Rules { bytes_max: 1 << 20, deflate: None, deflate_bytes_min: 0 };
    let mut frames = Frames::new(io, rules);
    let sizes = [0, 5, 125, 126, 3000, 2000, 70_000, 1];
    let payload = |size: usize| vec![b'*'; size];
    let mut waiting: VecDeque<Frame> =
        sizes.iter().map(|size| Frame::binary(payload(*size).into())).collect();
    let mut sends = 0;
    while !waiting.is_empty() {
        frames.send(&mut waiting).await.expect("it has room");
        sends += 1;
    }
    assert_eq!(sends, 3);
    drop(frames);
    let mut sent = Vec::new();
    client.read_to_end(&mut sent).await.expect("all of it");
    let mut expected = Vec::new();
    for size in sizes {
        match size {
            ..126 => expected.extend([0x82, size as u8]),
            126..65_536 => {
                expected.extend([&[0x82, 126][..], &(size as u16).to_be_bytes()].concat())
            }
            _ => expected.extend([&[0x82, 127][..], &(size as u64).to_be_bytes()].concat()),
        }
        expected.extend(payload(size));
    }
    assert!(sent == expected);
}

/// A frame of a client.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    head::write_head(&mut frame, first, payload.len());
    frame[1] |= 0x80;
    let mask = [1, 2, 3, 4];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A connection on which messages of up to a thousand bytes may be compressed.
fn compressing() -> Frames<tokio::io::Empty> {
    let mut headers = HeaderMap::new();
    headers.insert(SEC_WEBSOCKET_EXTENSIONS, "permessage-deflate".parse().expect("a header"));
    let deflate = Deflate::accept(&headers);
    Frames::new(tokio::io::empty(), Rules { bytes_max: 1000, deflate, deflate_bytes_min: 0 })
}

fn compressed(plain: &[u8]) -> Vec<u8> {
    let mut small = Vec::with_capacity(plain.len() + 100);
    let mut compress = Compress::new(Compression::default(), false);
    compress.compress_vec(plain, &mut small, FlushCompress::Sync).expect("it is compressed");
    small.truncate(small.len() - 4);
    small
}

/// All that comes of these bytes, which arrive in `pieces` of some lengths.
fn read(bytes: &[u8], pieces: &[usize]) -> (Vec<String>, Option<u16>) {
    let (mut frames, mut rest, mut read) = (compressing(), bytes, Vec::new());
    let mut pieces = pieces.iter().copied().cycle();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(pieces.next().unwrap_or(1).min(rest.len()));
        frames.input.extend_from_slice(piece);
        rest = later;
        loop {
            match frames.take() {
                Ok(Some(incoming)) => read.push(format!("{incoming:?}")),
                Ok(None) => break,
                Err(close) => return (read, Some(close.code)),
            }
        }
        let kept = frames.message.as_ref().map_or(0, |message| message.bytes.len());
        assert!(kept <= 1200 && frames.control.len() <= 125 && frames.input.len() < 14);
    }
    (read, None)
}

proptest! {
    #[test]
    fn messages_come_whole_in_whatever_pieces_their_bytes_come(
        messages in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..300), 1_usize..4, any::<bool>(), any::<bool>()),
            0..6,
        ),
        pieces in prop::collection::vec(1_usize..40, 1..9),
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (payload, count, is_small, has_ping) in messages {
            let sent = if is_small { compressed(&payload) } else { payload.clone() };
            let size = sent.len().div_ceil(count).max(1);
            let parts: Vec<&[u8]> = match sent.len() {
                0 => vec![&sent[..]],
                _ => sent.chunks(size).collect(),
            };
            for (at, part) in parts.iter().enumerate() {
                let opcode = if at == 0 { BINARY } else { CONTINUATION };
                let bit = if at == 0 && is_small { RSV1 } else { 0 };
                let last = if at + 1 == parts.len() { FIN } else { 0 };
                bytes.extend(frame(opcode | bit | last, part));
                if has_ping && last == 0 {
                    bytes.extend(frame(FIN | PING, b"p"));
                    expected.push(format!("{:?}", Incoming::Ping(b"p".to_vec())));
                }
            }
            let message = SocketMessage::Binary(payload.into());
            expected.push(format!("{:?}", Incoming::Message(message)));
        }
        prop_assert_eq!(read(&bytes, &pieces), (expected, None));
    }

    #[test]
    fn anything_is_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        first in prop::sample::select(vec![0x81_u8, 0xc1, 0x02, 0x42, 0x80, 0x88, 0x89, 0x0a]),
        pieces in prop::collection::vec(1_usize..40, 1..4),
    ) {
        let framed = [frame(first, &bytes), bytes].concat();
        let (all, code) = read(&framed, &pieces);
        prop_assert!(code.is_none_or(|code| [1002, 1007, 1009].contains(&code)), "{:?}", code);
        prop_assert_eq!(read(&framed, &[usize::MAX]), (all, code), "in one piece");
    }
}
