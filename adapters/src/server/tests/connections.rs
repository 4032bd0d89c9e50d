//! Idle clients don't hold places for connections.

use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http2;

use super::spelled::spelled;
use super::*;

/// An HTTP/2 connection that has asked once, and completes when the server closes it.
async fn http2_client(
    server: &Server,
) -> (http2::SendRequest<Full<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(server.address).await.expect("the server listens");
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = http::Request::get("http://x/health").body(Full::default()).expect("a request");
    assert_eq!(sender.send_request(request).await.expect("an answer").status(), 200);
    (sender, connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_http_2_are_closed() {
    // A client on a busy machine must get to ask within this time.
    let short = ServerSettings { idle: Duration::from_secs(1), ..server_settings() };
    let server = Server::with(short, edge_settings()).await;
    let (_sender, connection) = http2_client(&server).await;
    connection.await.expect("a task").expect("it is closed in order");
    // One that never asked anything either.
    let stream = TcpStream::connect(server.address).await.expect("the server listens");
    let (_sender, connection) =
        http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .expect("HTTP/2");
    drop(tokio::spawn(connection).await.expect("a task"));
    assert!(server.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_replaces_the_one_idle_longest() {
    let three = ServerSettings { connections_max: 3, ..server_settings() };
    let server = Server::with(three, edge_settings()).await;
    let mut busy = server.connect().await;
    busy.send("GET /do/a/wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.edge.objects().waiting.acquire().await.expect("a waiting request").forget();
    let (_first, first) = http2_client(&server).await;
    let (mut second, _connection) = http2_client(&server).await;
    assert!(server.is_well().await, "there is a place for a fourth");
    first.await.expect("a task").expect("the idlest was closed in order");
    let request = http::Request::get("http://x/health").body(Full::default()).expect("a request");
    assert_eq!(second.send_request(request).await.expect("an answer").status(), 200);
    server.edge.objects().gate.add_permits(1);
    assert_eq!(busy.answer().await.text(), "waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_per_address_are_limited_except_for_proxies() {
    let one = ServerSettings { connections_per_client_max: 1, ..server_settings() };
    let server = Server::with(one.clone(), edge_settings()).await;
    let mut busy = server.connect().await;
    busy.send("GET /do/a/wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.edge.objects().waiting.acquire().await.expect("a waiting request").forget();
    let mut refused = server.connect().await;
    assert!(refused.rest().await.is_empty(), "a connection too many is closed");
    server.edge.objects().gate.add_permits(1);
    assert_eq!(busy.answer().await.text(), "waited");
    assert!(server.is_well().await, "the idle one makes room");

    let proxies = TrustedProxies::new(&["127.0.0.0/8".to_owned()]).expect("a network");
    let server = Server::with(ServerSettings { proxies, ..one }, edge_settings()).await;
    let mut busy = server.connect().await;
    busy.send("GET /do/a/wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.edge.objects().waiting.acquire().await.expect("a waiting request").forget();
    assert!(server.is_well().await);
    server.edge.objects().gate.add_permits(1);
    assert_eq!(busy.answer().await.text(), "waited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_client_does_not_read_is_closed() {
    let short = ServerSettings {
        write_stall: Duration::from_millis(200),
        connections_max: 1,
        ..server_settings()
    };
    let server = Server::with(short, edge_settings()).await;
    let body = "x".repeat(1 << 20);
    // Over HTTP/1 until no more fits into the sockets; the client reads nothing.
    let mut client = server.connect().await;
    let request = format!(
        "POST /do/a/echo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let sending = tokio::spawn(async move {
        while tokio::io::AsyncWriteExt::write_all(&mut client.output, request.as_bytes())
            .await
            .is_ok()
        {}
        client
    });
    let _client = sending.await.expect("the server ends the connection");
    assert!(server.is_well().await, "its place is free again");
    // Over HTTP/2 with a window that nobody opens.
    let stream = TcpStream::connect(server.address).await.expect("the server listens");
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1024)
        .handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let request = http::Request::post("http://x/do/a/echo")
        .body(Full::<Bytes>::from(body))
        .expect("a request");
    let answer = sender.send_request(request).await.expect("the head of an answer");
    drop(connection.await.expect("the server ends the connection"));
    assert!(answer.into_body().collect().await.is_err(), "the body ended early");
    assert!(server.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_not_read_ends_alone_beside_others_that_are() {
    // The others must be read in less, also on a busy machine.
    let short = ServerSettings { write_stall: Duration::from_secs(1), ..server_settings() };
    let server = Server::with(short, edge_settings()).await;
    let (mut sender, _connection) = http2_client(&server).await;
    let get = |path: &str| {
        http::Request::get(format!("http://x{path}")).body(Full::default()).expect("a request")
    };
    let unread = sender.send_request(get("/do/a/endless")).await.expect("the head of an answer");
    let let_go = Arc::clone(&server.edge.objects().let_go);
    let ended = async { let_go.acquire().await.expect("nobody closes it").forget() };
    let mut ended = pin!(ended);
    loop {
        tokio::select! {
            biased;
            () = &mut ended => break,
            answer = sender.send_request(get("/do/a/with")) => {
                let body = answer.expect("an answer").into_body().collect().await;
                assert_eq!(body.expect("a whole body").to_bytes().len(), 4096);
            }
        }
    }
    assert!(unread.into_body().collect().await.is_err(), "it broke off");
    let answer = sender.send_request(get("/health")).await.expect("the connection lives");
    assert_eq!(answer.status(), 200);
}

#[test]
fn other_servers_are_not_counted_by_their_address() {
    let connections = Arc::new(Connections::new(8));
    let client = std::net::IpAddr::from([10, 0, 0, 1]);
    let (peer, other) = (connections.enter(Some(client)), connections.enter(Some(client)));
    assert_eq!(connections.of(client), 2);
    peer.open.is_peer_s();
    assert_eq!(connections.of(client), 1);
    assert!(connections.make_room(Some(client)), "the other one is idle");
    drop(other);
    assert!(!connections.make_room(Some(client)), "a peer makes no room for clients");
}

/// Eight places, of which one is the reserve, for callers of tenants.
async fn eight_places() -> Server {
    let eight = ServerSettings { connections_max: 8, ..server_settings() };
    Server::with(eight, EdgeSettings { auth: spelled(), ..edge_settings() }).await
}

/// A request of `who`, on a connection of its own.
async fn asking(server: &Server, who: &str, path: &str) -> Client {
    let mut client = server.connect().await;
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {who}~rwh\r\n\r\n");
    client.send(head).await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_of_one_tenant_leave_places_to_others() {
    let server = eight_places().await;
    let mut slow = Vec::new();
    for _ in 0..7 {
        slow.push(asking(&server, "mallory~acme", "/do/a/wait").await);
        server.edge.objects().waiting.acquire().await.expect("a waiting request").forget();
    }
    let mut further = asking(&server, "mallory~acme", "/do/a/seen").await;
    let refused = further.answer().await;
    assert_eq!((refused.status, &refused.json()["code"]), (503, &"TOO_MANY_CONNECTIONS".into()));
    assert_eq!(refused.headers.get("retry-after").map(String::as_str), Some("1"));
    assert!(further.rest().await.is_empty(), "its place is free again");
    for _ in 0..3 {
        // One place is left, and each finds it.
        let answer = asking(&server, "bob~globex", "/do/a/seen").await.answer().await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    server.edge.objects().gate.add_permits(7);
    for mut client in slow {
        assert_eq!(client.answer().await.text(), "waited", "what was begun is answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_a_tenant_with_more_than_its_share_go_first() {
    let server = eight_places().await;
    let mut patient = asking(&server, "bob~globex", "/do/a/seen").await;
    assert_eq!(patient.answer().await.status, 200);
    let mut many = Vec::new();
    for _ in 0..7 {
        let mut client = asking(&server, "mallory~acme", "/do/a/seen").await;
        // The reserve is for others; idle connections are let in only as far as there are places.
        drop(client.answer().await);
        many.push(client);
    }
    for number in 0..4 {
        let mut new = asking(&server, &format!("carol~new{number}"), "/do/a/seen").await;
        assert_eq!(new.answer().await.status, 200);
        many.push(new);
    }
    // The one that has been idle longest, of a tenant with one connection.
    patient
        .send("GET /do/a/seen HTTP/1.1\r\nhost: x\r\nauthorization: Bearer bob~globex~rwh\r\n\r\n")
        .await;
    assert_eq!(patient.answer().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_exactly_one_host() {
    let server = Server::start().await;
    for head in
        ["HTTP/1.1\r\n", "HTTP/1.1\r\nhost: x\r\nhost: x\r\n", "HTTP/1.0\r\nhost: x\r\nhost: y\r\n"]
    {
        let answer = server.ask(&format!("GET /do/a/seen {head}\r\n")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &"BAD_HOST".into()), "{head}");
    }
    let (mut sender, _connection) = http2_client(&server).await;
    for (host, status) in [("x", 200), ("X", 200), ("y", 400)] {
        let request = http::Request::get("http://x/health")
            .header("host", host)
            .body(Full::default())
            .expect("a request");
        assert_eq!(
            sender.send_request(request).await.expect("an answer").status(),
            status,
            "{host}"
        );
    }
}
