//! Two servers that talk to each other through real ports: what passes, and what comes back.

use std::net::SocketAddr;

use dotdo_core::{
    Body, Forward, Forwarded, NotTaken, Owner, PeerError, Peers, Request, RequestContext, Tenant,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::cluster::peers::proxy::Proxy;

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
async fn send_with(secret: &str, address: &str, body: Body) -> Result<Forwarded, PeerError> {
    let proxy = Proxy::new(keys(secret), &identity(secret), Uuid::from_u128(1));
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    let object = Tenant::local().object("Counter", "a").expect("an id");
    proxy
        .send(
            &Owner { instance: me(), address: address.to_owned() },
            Forward { object, request, request_context: RequestContext::default() },
        )
        .await
}

async fn send(address: &str, body: Body) -> Result<Forwarded, PeerError> {
    send_with(SECRET, address, body).await
}

/// A body that can be read once.
fn once() -> Body {
    Body::new(Body::from("precious"))
}

async fn comes_back(outcome: Result<Forwarded, PeerError>, expected: NotTaken) {
    match outcome {
        Err(PeerError::NotTaken { request: Some(request), cause, reason }) => {
            assert_eq!(cause, expected, "{reason}");
            assert_eq!(request.into_body().text().await.expect("the whole body"), "precious");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_that_was_not_accepted_is_returned_unchanged() {
    let (listener, address) = listen(SECRET).await;
    comes_back(send("nonsense", once()).await, NotTaken::Unreachable).await;
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
    comes_back(send(&address, once()).await, NotTaken::Unproven).await;
    comes_back(send(&address, once()).await, NotTaken::Unreachable).await;
    comes_back(send(&address, once()).await, NotTaken::Unproven).await;
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
    comes_back(send(&address, once()).await, NotTaken::Unreachable).await;
}

#[tokio::test]
async fn a_server_accepts_no_forwarded_request_without_authentication() {
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
