//! The life of a server: bind an address, serve, and shut down within the deadline.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dotdo_core::{Error, ErrorKind, Result};
use tokio::net::{TcpListener, lookup_host};

use crate::config::Config;
use crate::edge::{Objects, TrustedProxies};
use crate::platforms::Platform;
use crate::server::{self, Front, ServerSettings, Signals};

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to stop, and finished its work.
    InOrder,
    /// It was asked twice, and stopped at once.
    AtOnce,
}

/// Binds the configured address.
///
/// # Errors
///
/// `Forbidden` when other machines could send requests without authentication; `Unavailable` when
/// the address can't be bound.
pub(crate) async fn bind(config: &Config, platform: Platform) -> Result<TcpListener> {
    let host = config.host.as_deref().unwrap_or_default();
    let unavailable = |cause: io::Error| {
        let message = format!("cannot listen on {host}, port {}: {cause}", config.port);
        Error::new(ErrorKind::Unavailable, message).with_code("BAD_ADDRESS")
    };
    let found: Vec<SocketAddr> =
        lookup_host((host, config.port)).await.map_err(unavailable)?.collect();
    let open = found.iter().find(|address| !address.ip().to_canonical().is_loopback());
    if let Some(way) = open
        .map(|address| format!("{} accepts requests", address.ip()))
        .or_else(|| brought(platform))
    {
        if config.edge.auth.identity.development_secret.is_some() {
            return Err(open_to_development(&way));
        }
        match (config.edge.auth.is_on(), config.allow_unauthenticated) {
            (true, _) => {}
            (false, false) => return Err(exposed(&way, platform)),
            (false, true) => {
                tracing::warn!(
                    "authentication is off and {way} from other machines: anyone who reaches it can read and write every object"
                );
            }
        }
    }
    TcpListener::bind(&*found).await.map_err(unavailable)
}

/// How requests of other machines arrive although only this one can connect; `None` if they do not.
fn brought(platform: Platform) -> Option<String> {
    platform.port().map(|_| format!("the host of {} forwards requests", platform.name()))
}

fn exposed(way: &str, platform: Platform) -> Error {
    let or_else = match platform {
        Platform::Http => {
            "listen on 127.0.0.1, or (on a private network only) set DOTDO_ALLOW_UNAUTHENTICATED=1 (--allow-unauthenticated)"
        }
        _ => "if the platform itself authenticates clients, set DOTDO_ALLOW_UNAUTHENTICATED=1",
    };
    let message = format!(
        "{way} from other machines without authentication: set DOTDO_AUTH_ISSUER to the issuer of your clients' tokens, or DOTDO_AUTH_TOKENS to a token \
         that they send (to generate one, run `openssl rand -hex 32`), or {or_else}"
    );
    Error::new(ErrorKind::Forbidden, message).with_code("UNAUTHENTICATED_ADDRESS")
}

/// Refuses to let other machines use a secret that is for this one.
pub(crate) fn open_to_development(way: &str) -> Error {
    let message = format!(
        "{way} from other machines, and auth.development_secret is set: whoever knows the secret can be anybody; listen on 127.0.0.1, \
         or unset it and set auth.issuer"
    );
    Error::new(ErrorKind::Forbidden, message).with_code("DEVELOPMENT_SECRET_EXPOSED")
}

/// Serves until a signal arrives, then shuts down; a second signal ends it at once.
pub(crate) async fn serve<F: Front>(
    listener: TcpListener,
    front: Arc<F>,
    config: &Config,
    signals: &mut Signals,
) -> Ended {
    let asked = async {
        let signal = signals.next().await;
        tracing::info!(
            signal,
            deadline_ms = config.shutdown.as_millis(),
            "shutting down; a second signal ends the process at once"
        );
    };
    let proxies = TrustedProxies::new(&config.edge.trusted_proxies).unwrap_or_default();
    let settings = ServerSettings { proxies, ..config.server.clone() };
    let connections = server::serve(listener, Arc::clone(&front), &settings, asked).await;
    stop(connections.shutdown(), front.objects(), config.shutdown, signals).await
}

/// Shuts down: first `requests`, which completes when those in flight have ended, then the
/// objects. Another signal ends it at once.
pub(crate) async fn stop<O: Objects>(
    requests: impl Future<Output = ()>,
    objects: &O,
    deadline: Duration,
    signals: &mut Signals,
) -> Ended {
    tokio::select! {
        biased;
        () = finish(requests, objects, deadline) => {
            tracing::info!("stopped");
            Ended::InOrder
        }
        signal = signals.next() => {
            tracing::warn!(signal, "ended at once; writes that were not answered may be lost");
            Ended::AtOnce
        }
    }
}

/// Waits for the requests in flight, for at most half of the time, then stops the objects.
pub(crate) async fn finish<O: Objects>(
    requests: impl Future<Output = ()>,
    objects: &O,
    deadline: Duration,
) {
    let started = Instant::now();
    if within(deadline / 2, requests).await.is_none() {
        tracing::warn!("requests are still running; stopping their objects anyway");
    }
    objects.shutdown(deadline.saturating_sub(started.elapsed())).await;
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}
