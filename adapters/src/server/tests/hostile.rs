//! What a client meets that is broken, slow or malicious; and that nobody else suffers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_with_or_without_a_content_length() {
    let server = Server::start().await;
    let announced =
        server.ask("POST /do/a/count HTTP/1.1\r\nhost: x\r\ncontent-length: 1048577\r\n\r\n").await;
    assert_eq!(
        (announced.status, &announced.json()["details"]["bytesMax"]),
        (413, &1_048_576.into())
    );

    let exact = format!(
        "POST /do/a/count HTTP/1.1\r\nhost: x\r\ncontent-length: 1048576\r\n\r\n{}",
        "x".repeat(1 << 20)
    );
    assert_eq!(server.ask(&exact).await.text(), "1048576");

    let mut client = server.connect().await;
    client.send("POST /do/a/count HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let Client { mut input, mut output } = client;
    let sending = tokio::spawn(async move {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        while output.write_all(chunk.as_bytes()).await.is_ok() {}
    });
    let (_, unused) = TcpStream::connect(server.address).await.expect("a connection").into_split();
    let mut client = Client { input, output: unused };
    assert_eq!(client.answer().await.status, 413, "while the client is still sending");
    input = client.input;
    drop(input);
    sending.await.expect("the server stops reading");
    assert!(server.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_ten_mebibytes_is_431_and_others_are_not_affected() {
    let server = Server::start().await;
    let Client { input, mut output } = server.connect().await;
    let sending = tokio::spawn(async move {
        let head = format!(
            "GET /do/a/seen HTTP/1.1\r\nhost: x\r\nx-big: {}\r\n\r\n",
            "x".repeat(10 << 20)
        );
        // The server may have closed before all of it was sent.
        drop(output.write_all(head.as_bytes()).await);
        output
    });
    assert!(server.is_well().await, "while the header is coming in");
    let (_, unused) = TcpStream::connect(server.address).await.expect("a connection").into_split();
    assert_eq!(Client { input, output: unused }.answer().await.status, 431);
    drop(sending.await);
    assert!(server.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_is_answered_with_400_and_closed() {
    let server = Server::start().await;
    for request in [
        &b"GET /do/a\xff\xfe/seen HTTP/1.1\r\nhost: x\r\n\r\n"[..],
        b"GET /do/a\0b/seen HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /do/a/seen HTTP/1.1\r\nhost: x\r\nx-bad: a\0b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client that wants TLS \r\n\r\n",
        b"GET /do/a/seen HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ] {
        let mut client = server.connect().await;
        client.send(request).await;
        let answer = client.head().await;
        assert_eq!(answer.status, 400, "{}", request.escape_ascii());
        client.rest().await;
    }
    assert!(server.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_made_to_hurt_name_objects_or_nothing() {
    let server = Server::start().await;
    for (path, id) in [
        ("/do/..%2f..%2fetc%2fpasswd/seen", "../../etc/passwd"),
        ("/do/%2e%2e/seen", ".."),
        ("/do/%252e%252e%252f/seen", "%2e%2e%2f"),
        ("/do/a%00b/seen", "a\0b"),
        ("/do/%0d%0ax-evil:%201/seen", "\r\nx-evil: 1"),
    ] {
        let answer = server.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(answer.json()["object"], serde_json::json!(["DO", id]), "{path}");
    }
    for path in ["/do/%ff/seen", "/do/%/seen", "/do//seen"] {
        let answer = server.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &"BAD_ID".into()), "{path}");
    }
    let mut client = server.connect().await;
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\nx-do-id: \xff\xfe\r\n\r\n").await;
    assert_eq!(client.answer().await.json()["code"], "BAD_HEADER");
    assert_eq!(server.ask("CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n").await.status, 400);
    assert_eq!(server.ask("OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n").await.status, 404);
    let forged =
        "GET /do/a/seen HTTP/1.1\r\nhost: x\r\nx-do-type: DO\r\nx-request-id: \"<script>\r\n\r\n";
    assert_eq!(
        server.ask(forged).await.json()["headers"]["x-request-id"].as_str().map(str::len),
        Some(32)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_or_never_ends_its_header_is_closed() {
    let short = ServerSettings { idle: Duration::from_millis(50), ..server_settings() };
    let server = Server::with(short, edge_settings()).await;
    for start in ["", "PRI * HT", "GET", "GET /do/a/seen HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut client = server.connect().await;
        client.send(start).await;
        let rest = client.rest().await;
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"),
            "{start:?} got {}",
            rest.escape_ascii()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_stalls_or_breaks_off_is_refused() {
    let short = EdgeSettings { body_stall: Duration::from_millis(50), ..edge_settings() };
    let server = Server::with(server_settings(), short).await;
    for framing in [
        "content-length: 10\r\n\r\nhalf",
        "content-length: 100000\r\n\r\nhalf",
        "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let answer =
            server.ask(&format!("POST /do/a/count HTTP/1.1\r\nhost: x\r\n{framing}")).await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (408, &"BODY_STALLED".into()),
            "{framing}"
        );
    }
    let mut client = server.connect().await;
    client.send("POST /do/a/count HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await;
    client.output.shutdown().await.expect("an open connection");
    client.rest().await;
    assert!(server.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_below_the_minimum_rate_is_refused() {
    let slow = EdgeSettings {
        body_stall: Duration::from_millis(300),
        body_bytes_per_second_min: 1000,
        ..edge_settings()
    };
    let long = EdgeSettings { body_time_max: Duration::from_millis(300), ..edge_settings() };
    for settings in [slow, long] {
        let server = Server::with(server_settings(), settings).await;
        let mut client = server.connect().await;
        client
            .send("POST /do/a/count HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        let (mut input, mut output) = (client.input, client.output);
        let dribble = async {
            while output.write_all(b"1\r\nx\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut answer = [0; 12];
        tokio::select! {
            read = input.read_exact(&mut answer) => { read.expect("an answer"); }
            () = dribble => panic!("it was not told why"),
        }
        assert_eq!(&answer, b"HTTP/1.1 408");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_s_mistakes_about_http_stay_its_own() {
    let server = Server::start().await;
    let ask = |path: &str| format!("GET /do/a{path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let informational = server.ask(&ask("/status/101")).await;
    assert_eq!(
        (informational.status, &informational.json()["code"]),
        (500, &"HANDLER_FAILED".into())
    );
    assert_eq!(server.ask(&ask("/lie")).await.text(), "short");
    assert_eq!(server.ask(&ask("/panic")).await.json()["code"], "INTERNAL");
    let mut client = server.connect().await;
    client.send(ask("/break")).await;
    let rest = client.rest().await;
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "a body that broke off must not look whole: {}",
        rest.escape_ascii()
    );
    let unread = format!(
        "POST /do/a/ignore HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n{}",
        "x".repeat(500_000)
    );
    assert_eq!(server.ask(&unread).await.text(), "ignored");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let one = ServerSettings { connections_max: 1, ..server_settings() };
    let server = Server::with(one, edge_settings()).await;
    let mut first = server.connect().await;
    first.send("GET /do/a/wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let objects = server.edge.objects();
    objects.waiting.acquire().await.expect("a waiting request").forget();
    let mut second = server.connect().await;
    second.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    objects.gate.add_permits(1);
    assert_eq!(first.answer().await.text(), "waited");
    drop(first);
    assert_eq!(second.answer().await.status, 200);
}
