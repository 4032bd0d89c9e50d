//! The server through a real port, with a stand-in for the engine that says what reached it.

mod app;
mod auth;
#[cfg(feature = "client")]
mod calls;
mod client;
mod compression;
mod connections;
mod cors;
mod ending;
mod framing;
mod hostile;
#[cfg(feature = "oidc")]
mod issuer;
mod objects;
mod protocol;
mod rate;
mod scopes;
mod shutdown;
mod spelled;
mod tenants;
mod tick;
mod websocket;

use std::net::SocketAddr;

use bytes::Bytes;
use dotdo_core::Router;
use hyper_util::rt::TokioExecutor;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::client::Client;
use self::objects::TestObjects;
use super::*;
use crate::edge::{AccessLog, EdgeSettings};

/// A server that stops when it is told to.
struct Server<O = TestObjects> {
    address: SocketAddr,
    edge: Arc<Edge<O>>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<GracefulShutdown>,
}

fn server_settings() -> ServerSettings {
    ServerSettings {
        header_bytes_max: 64 << 10,
        idle: Duration::from_secs(60),
        write_stall: Duration::from_secs(60),
        connections_max: 100,
        connections_per_client_max: 100,
        proxies: TrustedProxies::default(),
        sockets: SocketSettings::default(),
        peers: None,
    }
}

fn edge_settings() -> EdgeSettings {
    EdgeSettings {
        body_bytes_max: 1 << 20,
        body_stall: Duration::from_secs(60),
        access_log: AccessLog::All,
        ..EdgeSettings::default()
    }
}

impl Server {
    async fn start() -> Self {
        Self::with(server_settings(), edge_settings()).await
    }

    async fn with(server: ServerSettings, edge: EdgeSettings) -> Self {
        let router = Router::new(["DO", "Counter"], Some("DO"));
        Self::serving(Edge::new(TestObjects::default(), router, edge, None, 1), server).await
    }
}

impl<O: Objects> Server<O> {
    async fn serving(edge: Edge<O>, settings: ServerSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let edge = Arc::new(edge);
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&edge);
        let running = tokio::spawn(async move {
            serve(listener, serving, &settings, async { drop(stopped.await) }).await
        });
        Self { address, edge, stop, running }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Asks on a connection of its own.
    async fn ask(&self, request: &str) -> client::Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }

    /// Whether a new client is served as if nothing had happened.
    async fn is_well(&self) -> bool {
        self.ask("GET /do/a/seen HTTP/1.1\r\nhost: x\r\n\r\n").await.status == 200
    }
}
