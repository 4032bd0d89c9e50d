//! What two readers could frame differently is refused, and ends its connection.

use tokio::io::AsyncWriteExt;

use super::*;

/// What a head may not hold.
const BROKEN: &[&str] = &[
    "GET /do/a/seen HTTP/1.1\nhost: x\r\n\r\n",
    "GET /do/a/seen HTTP/1.1\r\nhost: x\n\r\n",
    "GET /do/a/seen HTTP/1.1\r\nhost: x\r\n\n",
    "GET /do/a/seen HTTP/1.1\nhost: x\n\n",
    "\nGET /do/a/seen HTTP/1.1\r\nhost: x\r\n\r\n",
    "GET /do/a/seen HTTP/1.1\rhost: x\r\n\r\n",
    "GET /do/a/seen HTTP/1.1\r\nhost: x\ry: z\r\n\r\n",
    "GET /do/a/seen HTTP/1.1\r\nhost: x\r\n\rGET / HTTP/1.1\r\n\r\n",
    "GET /do/a/seen HTTP/1.1\r\nhost: x\r\ny: \0\r\n\r\n",
    "GET /do/a/seen HTTP/1.1\r\nhost: x\r\ny: z\r\n folded\r\n\r\n",
    "GET /do/a/seen HTTP/1.1\r\nhost : x\r\n\r\n",
    "POST /do/a/count HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /do/a/count HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n0\r\n\r\n",
    "POST /do/a/count HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
    "POST /do/a/count HTTP/1.1\r\nhost: x\r\ncontent-length: +1\r\n\r\na",
    "POST /do/a/count HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST /do/a/count HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
];
/// What a chunked body may not hold.
const BROKEN_CHUNKS: &[&str] = &[
    "1\na\r\n0\r\n\r\n",
    "1\r\na\n0\r\n\r\n",
    "1;x\ny\r\na\r\n0\r\n\r\n",
    "1\r\na\r\n0\n\r\n",
    "1\r\na\r\n0\r\n\n",
    "1\r\na\r\n0\r\nx: y\n\r\n",
    "1\r\na\r\n0\r\nx: y\nz: a\r\n\r\n",
    "1\r\na\r\n0\r\nx: y\rz: a\r\n\r\n",
    "1\r\na\r\n0\r\nx: \0\r\n\r\n",
];
const WHOLE: &str = "GET /do/a/seen HTTP/1.1\r\nhost: x\r\n\r\n";
const CHUNKED: &str = "POST /do/a/count HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
const SECRET: &str = "GET /do/a/smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_can_be_read_in_two_ways_are_400_and_end_the_connection() {
    let server = Server::start().await;
    for broken in BROKEN {
        let broken = format!("{broken}{SECRET}");
        // Alone, byte by byte, after another request, and behind one on the way.
        let mut client = server.connect().await;
        client.send(&broken).await;
        ends_with_400(client, &broken).await;
        let mut client = server.connect().await;
        for byte in broken.as_bytes() {
            // The server may have closed before all of it was sent.
            drop(client.output.write_all(&[*byte]).await);
        }
        ends_with_400(client, &broken).await;
        let mut client = server.connect().await;
        client.send(WHOLE).await;
        assert_eq!(client.answer().await.status, 200);
        client.send(&broken).await;
        ends_with_400(client, &broken).await;
        let mut client = server.connect().await;
        client.send(format!("{WHOLE}{CHUNKED}1\r\n\n\r\n0\r\n\r\n{broken}")).await;
        assert_eq!(client.answer().await.status, 200);
        assert_eq!(client.answer().await.text(), "1");
        ends_with_400(client, &broken).await;
    }
    assert!(server.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_and_trailers_that_can_be_read_in_two_ways_are_400_and_end_the_connection() {
    let server = Server::start().await;
    for broken in BROKEN_CHUNKS {
        let mut client = server.connect().await;
        client.send(format!("{CHUNKED}{broken}{SECRET}")).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (400, &"BODY_BROKEN".into()),
            "{}",
            broken.escape_debug()
        );
        assert!(client.rest().await.is_empty(), "{}", broken.escape_debug());
    }
    assert!(server.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_hold_any_bytes() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let body = "\n\n\r\0GET / HTTP/1.1\nx\n\n";
    let length = body.len();
    client.send(format!("\r\nPOST /do/a/echo HTTP/1.1\r\nhost: x\r\nContent-Length: {length} \r\n\r\n{body}{WHOLE}{CHUNKED}{length:X};x=\"y\"\r\n{body}\r\n0\r\nx: y\r\n\r\n{WHOLE}")).await;
    assert_eq!(client.answer().await.text(), body);
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(client.answer().await.text(), length.to_string());
    assert_eq!(client.answer().await.status, 200);
}

async fn ends_with_400(mut client: Client, sent: &str) {
    let answer = client.answer().await;
    let sent = sent.escape_debug();
    assert_eq!((answer.status, &*answer.headers["connection"]), (400, "close"), "{sent}");
    assert!(client.rest().await.is_empty(), "{sent}");
}
