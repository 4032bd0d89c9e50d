//! The HTTP server: hyper around a [`Front`], for HTTP/1.1 and HTTP/2 without TLS. Other servers
//! connect to the same port with their own TLS.
//!
//! Promises: a faulty connection does not affect others; every resource of a connection is limited;
//! ambiguous framing is refused; a shutdown finishes the requests in flight. Must not know:
//! objects, routes, the bucket.

mod connections;
mod framing;
pub(crate) mod host;
mod opening;
mod shares;
mod signals;
mod socket;
mod streams;
mod strict;
mod unread;
mod websocket;

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{Response, SocketConnection};
use http::header::CONNECTION;
use http::{HeaderValue, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use self::connections::{Connections, Entry, Noted, Sent};
use self::opening::{Opened, opened};
pub(crate) use self::signals::Signals;
use self::streams::Streams;
use self::strict::Strict;
use self::unread::Rest;
pub(crate) use self::websocket::SocketSettings;
#[cfg(feature = "lambda")]
pub(crate) use self::websocket::Upgrading;
use self::websocket::{Line, Switch, Upgraded};
use crate::cluster::peers::{Acceptor, Proven};
use crate::edge::{ClientAddress, Edge, Objects, RequestBody, TrustedProxies};

/// How long to wait after a failed accept, usually because the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Maximum number of concurrent requests on an HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// Maximum number of bytes of a response that hyper buffers over HTTP/2, besides the chunk that it
/// sends.
const SEND_BYTES_MAX: usize = 64 << 10;
/// Interval of keep-alive pings on HTTP/2 connections.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Maximum time for an idle connection to close.
const LEAVE_MAX: Duration = Duration::from_secs(2);
/// Minimum header limit that hyper accepts.
pub(crate) const HEADER_BYTES_MIN: usize = 8192;

/// Limits of the server's connections.
#[derive(Debug, Clone)]
pub(crate) struct ServerSettings {
    /// Maximum size of a request head, in bytes. At least [`HEADER_BYTES_MIN`].
    pub(crate) header_bytes_max: usize,
    /// Time in which a connection must send the complete head of its next request.
    pub(crate) idle: Duration,
    /// Maximum time that a response makes no progress because its client does not read.
    pub(crate) write_stall: Duration,
    /// Maximum number of open connections. A new one replaces the one idle longest, first of tenants
    /// that have more than their share, or waits if none is idle.
    pub(crate) connections_max: usize,
    /// Maximum number of open connections from one address. A new one replaces the one idle
    /// longest, or is closed if none is idle.
    pub(crate) connections_per_client_max: usize,
    /// Proxies, whose connections are not counted by address because they carry many clients'
    /// requests.
    pub(crate) proxies: TrustedProxies,
    /// Limits of WebSockets.
    pub(crate) sockets: SocketSettings,
    /// Accepts connections of other servers; `None` if they do not use this port.
    pub(crate) peers: Option<Acceptor>,
}

impl ServerSettings {
    /// Maximum idle time of a connection in any state and protocol. hyper has a shorter timeout for
    /// heads over HTTP/1, and answers the client.
    fn idle_max(&self) -> Duration {
        self.idle + self.idle / 8
    }
}

/// Answers the requests of connections: an [`Edge`], or a platform's wrapper around one.
pub(crate) trait Front: Send + Sync + 'static {
    /// The type of the objects behind it.
    type Objects: Objects;

    /// The objects behind it.
    fn objects(&self) -> &Self::Objects;

    /// Counts a message on a connection for the rate limit. Returns how long it must wait.
    fn count(
        &self,
        _connection: &SocketConnection,
        _client: Option<ClientAddress>,
    ) -> Option<Duration> {
        None
    }

    /// Answers a request; failures become responses.
    fn answer<B: RequestBody>(
        &self,
        request: http::Request<B>,
    ) -> impl Future<Output = Response> + Send;
}

impl<O: Objects> Front for Edge<O> {
    type Objects = O;

    fn objects(&self) -> &O {
        self.objects()
    }

    fn count(
        &self,
        connection: &SocketConnection,
        client: Option<ClientAddress>,
    ) -> Option<Duration> {
        self.count_message(connection, client)
    }

    async fn answer<B: RequestBody>(&self, request: http::Request<B>) -> Response {
        self.answer(request).await
    }
}

/// Serves connections until `stop` completes; the result finishes the requests in flight.
pub(crate) async fn serve<F: Front>(
    listener: TcpListener,
    front: Arc<F>,
    settings: &ServerSettings,
    stop: impl Future<Output = ()>,
) -> GracefulShutdown {
    let graceful = GracefulShutdown::new();
    let connection = Arc::new(Connection {
        builder: builder(settings),
        front,
        settings: settings.clone(),
        open: Arc::new(Connections::new(settings.connections_max)),
    });
    // Dropped with this function, which closes connections that have not sent anything yet.
    let (_serving, is_serving) = watch::channel(());
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let mut stop = pin!(stop);
    loop {
        let (stream, entry, place) = tokio::select! {
            biased;
            () = &mut stop => return graceful,
            accepted = connection.accept(&listener, &places) => accepted,
        };
        tokio::spawn(Arc::clone(&connection).serve(
            stream,
            entry,
            graceful.watcher(),
            is_serving.clone(),
            place,
        ));
    }
}

/// The next connection.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(cause) => {
                tracing::warn!(%cause, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn builder(settings: &ServerSettings) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(Streams::new(settings.write_stall));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.idle)
        .max_buf_size(settings.header_bytes_max);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.header_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .max_send_buf_size(SEND_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL);
    builder
}

/// State shared by all connections.
struct Connection<F> {
    builder: auto::Builder<Streams>,
    front: Arc<F>,
    settings: ServerSettings,
    open: Arc<Connections>,
}

impl<F: Front> Connection<F> {
    /// Accepts the next connection, once there is space for it.
    async fn accept(
        &self,
        listener: &TcpListener,
        places: &Arc<Semaphore>,
    ) -> (TcpStream, Entry, OwnedSemaphorePermit) {
        loop {
            let stream = accept(listener).await;
            let client = stream.peer_addr().ok().map(|address| address.ip().to_canonical());
            let counted = client.filter(|client| !self.settings.proxies.trusts(*client));
            if let Some(client) = counted
                && self.open.of(client) >= self.settings.connections_per_client_max
                && !self.open.make_room(Some(client))
            {
                tracing::debug!(%client, "a client has too many connections");
                continue;
            }
            let place = match Arc::clone(places).try_acquire_owned() {
                Ok(place) => place,
                Err(_) => {
                    self.open.make_room(None);
                    Arc::clone(places).acquire_owned().await.expect("nobody closes the semaphore")
                }
            };
            return (stream, self.open.enter(counted), place);
        }
    }

    /// Serves one connection to its end.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        entry: Entry,
        // Kept until the end, because a shutdown waits for it.
        watcher: Watcher,
        mut is_serving: watch::Receiver<()>,
        place: OwnedSemaphorePermit,
    ) {
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "cannot set TCP_NODELAY");
        }
        let client = stream.peer_addr().map(|address| ClientAddress(address.ip())).ok();
        let opened = tokio::select! {
            biased;
            _ = is_serving.changed() => None,
            () = entry.open.leaving(self.settings.idle_max()) => None,
            opened = opened(stream, self.settings.peers.as_ref()) => opened,
        };
        let upgraded = match opened {
            Some(Opened::Anybody(socket)) => {
                self.talk(socket, client, None, &entry, is_serving.clone()).await
            }
            Some(Opened::Peer(stream)) => {
                entry.open.is_peer_s();
                self.talk(stream, client, Some(Proven), &entry, is_serving.clone()).await
            }
            None => None,
        };
        if let Some(upgraded) = upgraded {
            let kept = (entry, watcher, place);
            // A task of its own, which is much smaller than this one: most of its life it is idle.
            tokio::spawn(self.hold(upgraded, is_serving, kept));
        }
    }

    /// Serves a WebSocket to its end.
    async fn hold(
        self: Arc<Self>,
        Upgraded { upgrading, connection, client }: Upgraded,
        stop: watch::Receiver<()>,
        (entry, _watcher, _place): (Entry, Watcher, OwnedSemaphorePermit),
    ) {
        // It is not idle, so it does not make room for others.
        let _underway = entry.open.request();
        let Ok(io) = upgrading.connection.await else { return };
        let (front, of) = (Arc::clone(&self.front), connection.clone());
        let line = Line {
            connection,
            deflate: upgrading.deflate,
            settings: self.settings.sockets.clone(),
            write_stall: self.settings.write_stall,
            stop,
            quota: move || front.count(&of, client),
        };
        websocket::talk(TokioIo::new(io), line).await;
    }

    /// Answers the requests of a connection until its end, or until it becomes a WebSocket.
    async fn talk<I>(
        &self,
        io: I,
        client: Option<ClientAddress>,
        proven: Option<Proven>,
        entry: &Entry,
        is_serving: watch::Receiver<()>,
    ) -> Option<Upgraded>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let open = &entry.open;
        // Another server's carries requests of all tenants.
        let counted = entry.counted().filter(|_| proven.is_none());
        let switch = Arc::<Switch>::default();
        let service = service_fn(|mut request: http::Request<Incoming>| {
            let underway = open.request();
            note(&mut request, proven);
            note(&mut request, client);
            note(&mut request, counted.clone());
            let (front, serving) = (Arc::clone(&self.front), is_serving.clone());
            let switch = Arc::clone(&switch);
            let (version, sockets) = (request.version(), self.settings.sockets.clone());
            async move {
                let upgrading = match host::look(&mut request, proven, &sockets) {
                    Ok(upgrading) => upgrading,
                    Err(refusal) => return Ok(Sent::of(*refusal, underway)),
                };
                let (request, rest) = Rest::of(request);
                let mut response = front.answer(request).await;
                if switch.accept(upgrading, &mut response, client) {
                    return Ok(Sent::of(response, underway));
                }
                rest.announce(&mut response);
                // The task of the connection may not have seen the stop yet.
                if serving.has_changed().is_err() && version < Version::HTTP_2 {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(Sent::of(response, underway))
            }
        });
        let io = TokioIo::new(Strict::new(
            Noted { io, open: Arc::clone(open) },
            Arc::clone(&switch.is_upgraded),
        ));
        let closing = GracefulShutdown::new();
        let served = self.builder.serve_connection_with_upgrades(io, service);
        let mut talking = pin!(closing.watcher().watch(served));
        let mut stop = is_serving.clone();
        let is_stopping = tokio::select! {
            ended = &mut talking => return switch.after(ended),
            () = open.stalled(self.settings.write_stall) => return None,
            () = open.leaving(self.settings.idle_max()) => false,
            _ = stop.changed() => true,
        };
        // It completes only after `talking` is dropped, so it is polled but not awaited.
        let mut asked = pin!(closing.shutdown());
        loop {
            tokio::select! {
                biased;
                () = &mut asked => return None,
                ended = &mut talking => return switch.after(ended),
                () = open.stalled(self.settings.write_stall) => return None,
                () = tokio::time::sleep(LEAVE_MAX), if !is_stopping => if open.is_idle() { return None },
            }
        }
    }
}

/// Notes something about a request, for whoever answers it.
fn note<T, B>(request: &mut http::Request<B>, value: Option<T>)
where
    T: Clone + Send + Sync + 'static,
{
    if let Some(value) = value {
        request.extensions_mut().insert(value);
    }
}

#[cfg(test)]
mod tests;
