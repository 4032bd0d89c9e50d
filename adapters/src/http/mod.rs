//! The HTTP server: hyper around a [`Front`], for HTTP/1.1 and HTTP/2 without TLS. Other servers come with a TLS of their own to the same port.
//!
//! Promises: a connection's misery stays its own; nothing about a connection is unbounded; when it is told to stop, requests in flight
//! are finished first.
//! Must not know: objects, routes, the bucket.

mod opening;
mod signals;
mod socket;
mod unread;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use self::opening::{Opened, opened};
pub(crate) use self::signals::Signals;
use self::unread::Rest;
use crate::edge::{ClientAddress, Edge, Objects};
use crate::peers::{Acceptor, Proven};

/// How long to wait after a connection could not be accepted, usually because the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How many requests one HTTP/2 connection may have under way.
const STREAMS_MAX: u32 = 256;
/// How often an HTTP/2 connection is asked whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// The least that hyper takes as the bound of a header.
pub(crate) const HEADER_BYTES_MIN: usize = 8192;

/// The bounds of the server's connections.
#[derive(Debug, Clone)]
pub(crate) struct ServerSettings {
    /// The most bytes that the head of a request may have. At least [`HEADER_BYTES_MIN`].
    pub(crate) header_bytes_max: usize,
    /// How long a connection may take to send the whole head of its next request.
    pub(crate) idle: Duration,
    /// How many connections may be open; more wait to be accepted.
    pub(crate) connections_max: usize,
    /// Lets other servers in, where they come to this port.
    pub(crate) peers: Option<Acceptor>,
}

/// Whoever answers what comes in on connections: an [`Edge`], or what a platform needs in front of one.
pub(crate) trait Front: Send + Sync + 'static {
    /// Whoever answers for the objects behind it.
    type Objects: Objects;

    /// The objects behind it.
    fn objects(&self) -> &Self::Objects;

    /// Answers a request, whatever happens.
    fn answer<B>(&self, request: http::Request<B>) -> impl Future<Output = Response> + Send
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static;
}

impl<O: Objects> Front for Edge<O> {
    type Objects = O;

    fn objects(&self) -> &O {
        self.objects()
    }

    async fn answer<B>(&self, request: http::Request<B>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        self.answer(request).await
    }
}

/// Serves connections until `stop` completes; then the result finishes what is under way.
pub(crate) async fn serve<F: Front>(
    listener: TcpListener,
    front: Arc<F>,
    settings: &ServerSettings,
    stop: impl Future<Output = ()>,
) -> GracefulShutdown {
    let graceful = GracefulShutdown::new();
    let connection = Arc::new(Connection { builder: builder(settings), front, idle: settings.idle, peers: settings.peers.clone() });
    // Gone with this function: what has not said what it is by then is closed.
    let (_serving, is_serving) = watch::channel(());
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let mut stop = pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            biased;
            () = &mut stop => return graceful,
            accepted = accept(&listener, &places) => accepted,
        };
        tokio::spawn(Arc::clone(&connection).serve(stream, graceful.watcher(), is_serving.clone(), place));
    }
}

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("nobody closes the semaphore");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(cause) => {
                tracing::warn!(%cause, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn builder(settings: &ServerSettings) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(settings.idle).max_buf_size(settings.header_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.header_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(PING_INTERVAL);
    builder
}

/// What all connections share.
struct Connection<F> {
    builder: auto::Builder<TokioExecutor>,
    front: Arc<F>,
    idle: Duration,
    peers: Option<Acceptor>,
}

impl<F: Front> Connection<F> {
    /// Serves one connection to its end.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        watcher: Watcher,
        mut is_serving: watch::Receiver<()>,
        _place: OwnedSemaphorePermit,
    ) {
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "TCP_NODELAY could not be set");
        }
        let client = stream.peer_addr().map(|address| ClientAddress(address.ip())).ok();
        let opened = tokio::select! {
            biased;
            _ = is_serving.changed() => None,
            opened = opened(stream, self.peers.as_ref(), self.idle) => opened,
        };
        match opened {
            Some(Opened::Anybody(socket)) => self.talk(socket, client, None, watcher).await,
            Some(Opened::Peer(stream)) => self.talk(stream, client, Some(Proven), watcher).await,
            None => {}
        }
    }

    /// Answers what comes in on a connection, to its end.
    async fn talk<I>(&self, io: I, client: Option<ClientAddress>, proven: Option<Proven>, watcher: Watcher)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|mut request: http::Request<Incoming>| {
            if let Some(proven) = proven {
                request.extensions_mut().insert(proven);
            }
            if let Some(client) = client {
                request.extensions_mut().insert(client);
            }
            let front = Arc::clone(&self.front);
            async move {
                let (request, rest) = Rest::of(request);
                let mut response = front.answer(request).await;
                rest.announce(&mut response);
                Ok::<_, Infallible>(response)
            }
        });
        if let Err(cause) = watcher.watch(self.builder.serve_connection(TokioIo::new(io), service)).await {
            tracing::debug!(cause, "a connection ended early");
        }
    }
}

#[cfg(test)]
mod tests;
