//! What hyper does with the same bytes is the measure: nothing that passes is framed differently.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};

use super::*;
use crate::server::strict::Strict;

/// A request, by its target and the number of bytes of its body.
type Seen = Vec<(String, usize)>;

/// What stands at the beginning of a request.
const TARGETS: &[&str] = &["GET /a", "POST /b", "PUT /c", "CONNECT d:1", "OPTIONS *", "PRI *"];
/// How a request line ends.
const VERSIONS: &[&str] = &[" HTTP/1.1", " HTTP/1.1", " HTTP/1.1", " HTTP/1.0", " HTTP/2.0", ""];
/// Headers that frame a body, or look as if they did.
const HEADERS: &[&str] = &[
    "host: x",
    "content-length: 5",
    "Content-Length:0",
    "CONTENT-LENGTH:\t 11 ",
    "content-length: 005",
    "content-length: +5",
    "content-length: 5, 5",
    "content-length: 5 5",
    "content-length:",
    "content-length: 18446744073709551615",
    "content-length: 99999999999999999999",
    "content-length : 5",
    " content-length: 5",
    "x: y\r\n content-length: 5",
    "content-length: 5\r\n 5",
    "xcontent-length: 5",
    "content-length: 5\rtransfer-encoding: chunked",
    "content-length: \x0c5",
    "content-length:                                                              5",
    "x-long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: content-length: 5",
    "transfer-encoding: chunked",
    "Transfer-Encoding:CHUNKED\t",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: chunked, gzip",
    "transfer-encoding: chunked, chunked",
    "transfer-encoding: xchunked",
    "transfer-encoding: \"chunked\"",
    "transfer-encoding: \x0bchunked",
    "transfer-encoding : chunked",
    "transfer-encoding:",
    "te: chunked",
    "x: transfer-encoding: chunked",
    "connection: close",
    "connection: upgrade\r\nupgrade: h2c",
    "expect: 100-continue",
    "x: \0",
    "x: \u{e9}",
    "no colon",
];
/// Bodies, and what is none.
const BODIES: &[&str] = &[
    "",
    "hello",
    "a\nb\rc",
    "GET /z HTTP/1.1\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "5\r\na\nb\rc\r\n0\r\n\r\n",
    "A\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
    "1;ext=\"a;b\"\r\na\r\n00\r\n\r\n",
    "1 \t;ext\r\na\r\n0 \r\n\r\n",
    "1;a\nb\r\na\r\n0\r\n\r\n",
    "1;a\rb\r\na\r\n0\r\n\r\n",
    "1\na\r\n0\r\n\r\n",
    "1\r\na\n0\r\n\r\n",
    "1\r\nab\r\n0\r\n\r\n",
    "0x1\r\na\r\n0\r\n\r\n",
    "-1\r\n\r\n",
    "\r\n0\r\n\r\n",
    "0\r\nx: y\nz: content-length: 5\r\n\r\n",
    "0\r\n\n\r\n\r\n",
    "0\r\nx: y\r\n\n",
    "0\n\r\n",
    "00000000000000000000000000000000000000000000000000000000000000000000000001\r\na\r\n0\r\n\r\n",
    "0000000000000001\r\na\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];
/// Headers and bodies that belong together.
const WHOLE: &[(&str, &str)] = &[
    ("host: x", ""),
    ("content-length: 5", "a\n\0\rb"),
    ("Content-Length:0", ""),
    ("transfer-encoding: chunked", "5\r\na\nb\rc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"),
    ("Transfer-Encoding: Chunked", "1\r\n\n\r\n000\r\nx: y\r\nz: \r\n\r\n"),
    ("upgrade: h2c\r\nconnection: upgrade", ""),
];

fn request() -> impl Strategy<Value = Vec<u8>> {
    let one_of = |texts: &'static [&'static str]| proptest::sample::select(texts);
    let headers = proptest::collection::vec(one_of(HEADERS), 0..3);
    let broken = (one_of(TARGETS), one_of(VERSIONS), headers, one_of(BODIES)).prop_map(
        |(target, version, headers, body)| {
            let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
            format!("{target}{version}\r\n{headers}\r\n{body}").into_bytes()
        },
    );
    prop_oneof![broken, whole()]
}

fn whole() -> impl Strategy<Value = Vec<u8>> {
    (proptest::sample::select(WHOLE), 0..3_usize, any::<u8>()).prop_map(
        |((header, body), empty, name)| {
            let before = "\r\n".repeat(empty);
            format!("{before}POST /{name} HTTP/1.1\r\nx: y\r\n{header}\r\n\r\n{body}").into_bytes()
        },
    )
}

/// Where bytes are changed, and to what.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Option<u8>)>> {
    let byte = prop_oneof![
        Just(None),
        proptest::sample::select(b"\r\n\0 \t:;05aA".as_slice()).prop_map(Some)
    ];
    proptest::collection::vec((any::<prop::sample::Index>(), byte), 0..3)
}

fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, Option<u8>)]) -> Vec<u8> {
    for (at, to) in changes {
        let at = at.index(bytes.len());
        match to {
            Some(byte) => bytes[at] = *byte,
            None if bytes.len() > 1 => drop(bytes.remove(at)),
            None => {}
        }
    }
    bytes
}

/// The requests that lie whole in `bytes`, and the refusal that ends them.
fn framed(bytes: &[u8]) -> (Seen, Option<usize>) {
    let mut framing = Framing::default();
    let (mut seen, mut line, mut data) = (Seen::new(), Vec::new(), 0);
    for (at, byte) in bytes.iter().enumerate() {
        let before = framing.place;
        if framing.follow(&[*byte]).is_err() {
            return (seen, Some(at));
        }
        match before {
            Place::In(Kind::Request) => line.push(*byte),
            Place::Data { .. } => data += 1,
            _ => {}
        }
        if framing.place == Place::In(Kind::Request) && before != framing.place {
            let target = String::from_utf8_lossy(&line);
            seen.push((target.split_whitespace().nth(1).unwrap_or_default().to_owned(), data));
            (line, data) = (Vec::new(), 0);
        }
    }
    (seen, None)
}

/// The requests that hyper reads to their ends when `bytes` come in parts that end at `cuts`.
async fn served(bytes: &[u8], cuts: &[usize], is_strict: bool) -> Seen {
    let (mut client, server) = tokio::io::duplex(64 << 10);
    let seen = Arc::new(Mutex::new(Seen::new()));
    let serving = match is_strict {
        true => tokio::spawn(serve(Strict::new(server, Arc::default()), Arc::clone(&seen))),
        false => tokio::spawn(serve(server, Arc::clone(&seen))),
    };
    send(&mut client, bytes, cuts).await;
    serving.await.expect("hyper does not panic");
    std::mem::take(&mut *seen.lock().expect("nobody panics with it"))
}

async fn send(client: &mut DuplexStream, bytes: &[u8], cuts: &[usize]) {
    let mut from = 0;
    for to in cuts.iter().copied().chain([bytes.len()]) {
        // hyper may have closed the connection.
        if to > from && client.write_all(&bytes[from..to]).await.is_err() {
            break;
        }
        from = from.max(to);
        tokio::task::yield_now().await;
    }
    drop(client.shutdown().await);
    drop(client.read_to_end(&mut Vec::new()).await);
}

async fn serve<I>(io: I, seen: Arc<Mutex<Seen>>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: http::Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let target = request.uri().to_string();
            if let Ok(body) = request.into_body().collect().await {
                let bytes = body.to_bytes().len();
                seen.lock().expect("nobody panics with it").push((target, bytes));
            }
            Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default()))
        }
    });
    let connection =
        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(io), service).await;
    drop(connection);
}

fn checked(parts: &[Vec<u8>], changes: &[(prop::sample::Index, Option<u8>)], cuts: &[usize]) {
    let bytes = changed(parts.concat(), changes);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % bytes.len()).collect();
    cuts.sort_unstable();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (framed, refused) = framed(&bytes);
    let (plain, strict) = runtime.block_on(async {
        (served(&bytes, &cuts, false).await, served(&bytes, &cuts, true).await)
    });
    let text = bytes.escape_ascii();
    let both = plain.len().min(framed.len());
    assert_eq!(plain[..both], framed[..both], "hyper frames them differently: {text}");
    assert!(
        plain.len() <= framed.len() || refused.is_some(),
        "hyper sees a request where none ends: {text}"
    );
    assert_eq!(strict[..], plain[..both], "what passes is served, and no more: {text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_passes_that_hyper_frames_differently(
        parts in proptest::collection::vec(request(), 1..4),
        changes in changes(),
        cuts in proptest::collection::vec(any::<usize>(), 0..4),
    ) {
        checked(&parts, &changes, &cuts);
    }

    #[test]
    fn whole_requests_pass_wherever_they_are_split(
        parts in proptest::collection::vec(whole(), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = parts.concat();
        let mut framing = Framing::default();
        let (first, rest) = bytes.split_at(cut.index(bytes.len()));
        assert_eq!(framing.follow(first), Ok(()));
        assert_eq!(framing.follow(rest), Ok(()));
        assert_eq!(framing.place, Place::In(Kind::Request));
        assert_eq!(framed(&bytes).0.len(), parts.len());
        checked(&parts, &[], &[cut.index(bytes.len())]);
    }
}

#[test]
fn http_2_passes_once_its_preface_is_whole_and_only_at_the_beginning() {
    for cut in 0..PREFACE.len() {
        let mut framing = Framing::default();
        assert_eq!(framing.follow(&PREFACE[..cut]), Ok(()));
        assert_eq!(framing.follow(&[&PREFACE[cut..], b"\n\n\0"].concat()), Ok(()));
        assert_eq!(framing.place, Place::Http2);
    }
    let mut framing = Framing::default();
    let late = [b"GET / HTTP/1.1\r\n\r\n", PREFACE, b"\n"].concat();
    assert!(framing.follow(&late).is_err());
}

/// Heads that hyper alone takes: with them the check is needed.
const LENIENT: &[&str] = &[
    "GET /a HTTP/1.1\nhost: x\r\n\r\n",
    "GET /a HTTP/1.1\r\nhost: x\n\n",
    "\nGET /a HTTP/1.1\r\nhost: x\r\n\r\n",
    "POST /a HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
    "POST /a HTTP/1.1\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\n\r\n\r\n",
];

#[tokio::test]
async fn hyper_alone_serves_what_is_refused_here() {
    for head in LENIENT {
        let bytes = head.as_bytes();
        let text = head.escape_debug();
        assert_eq!(served(bytes, &[], false).await.len(), 1, "{text}");
        assert_eq!(served(bytes, &[], true).await, [], "{text}");
    }
}
