//! What a connection is, by its first byte: anybody's HTTP, or another server's TLS.

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::socket::Socket;
use crate::cluster::peers::{Acceptor, FIRST_BYTE};

/// A connection that has said what it is.
pub(super) enum Opened {
    /// Who is there is not known.
    Anybody(Socket),
    /// A server of the same bucket, which has proved it.
    Peer(Box<TlsStream<Socket>>),
}

/// What `stream` is; `None` when it breaks off, or claims to be a server's and does not prove it.
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
