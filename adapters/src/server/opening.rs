//! Detects the protocol of a connection from its first byte: HTTP, or another server's TLS.

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::socket::Socket;
use crate::cluster::peers::{Acceptor, FIRST_BYTE};

/// A connection whose protocol is known.
pub(super) enum Opened {
    /// A client.
    Anybody(Socket),
    /// An authenticated server of the same bucket.
    Peer(Box<TlsStream<Socket>>),
}

/// Detects the protocol of `stream`; `None` if it ends early, or if a server's authentication
/// fails.
pub(super) async fn opened(stream: TcpStream, peers: Option<&Acceptor>) -> Option<Opened> {
    let Some(peers) = peers else { return Some(Opened::Anybody(Socket::new(stream))) };
    let mut first = [0];
    let read = stream.peek(&mut first).await.ok()?;
    let socket = Socket::new(stream);
    if read == 0 || first[0] != FIRST_BYTE {
        return Some(Opened::Anybody(socket));
    }
    Some(Opened::Peer(Box::new(peers.accept(socket).await?)))
}
