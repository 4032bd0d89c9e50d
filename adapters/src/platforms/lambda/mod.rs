//! AWS Lambda: polls the runtime API for events, each of which is a request, and answers them.
//!
//! Promises: the event of each front end (REST API, HTTP API, WebSocket API, load balancer, function
//! URL) becomes the request that the client sent, as far as the event contains it; background work of answered
//! requests gets some time before the process may be frozen; a failed start is reported to the
//! runtime API. Must not know: objects, routes, the bucket.

mod api;
#[cfg(feature = "s3")]
mod connections;
mod environment;
mod invocation;
mod request;
mod response;
pub(crate) mod settings;
mod sockets;
mod start_failure;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dotdo_core::{App, Error, ErrorKind, Ownership, Result, SocketTransport};
use lambda_runtime::spawn_graceful_shutdown_handler;
use tokio::sync::RwLock;
use tokio::time::timeout;

use self::api::Api;
use self::environment::{Environment, Role};
use self::invocation::Invocations;
use self::settings::LambdaSettings;
pub(crate) use self::start_failure::report as report_failed_start;
use crate::cluster::peers::Plan;
use crate::edge::{Edge, Objects};
use crate::program::{Found, Program};
use crate::serve::Ended;

/// The error code if the runtime API is lost.
const LOST: &str = "LAMBDA_RUNTIME_LOST";

/// Starts the engine and answers events until Lambda ends the process.
///
/// # Errors
///
/// `Invalid` when the environment is not Lambda's; those of [`Program::start`]; `Unavailable` when
/// the runtime API is lost.
pub(crate) async fn serve(app: App, mut found: Found) -> Result<Ended> {
    let environment = Environment::new(|name| std::env::var(name).ok())?;
    if found.config.settings.ownership == Ownership::Leased {
        return Err(Error::invalid(
            "expected ownership per-request on AWS Lambda, got leased: a process that is frozen between requests can't tell the age of its leases",
        )
        .with_code("BAD_CONFIG"));
    }
    // A process that exceeds the function's memory is killed.
    let settings = &mut found.config.settings;
    settings.memory_bytes_max = settings.memory_bytes_max.min(environment.memory_bytes / 2);
    let transport = transport(environment.role, &found.config.lambda);
    found.transport = transport.clone();
    // Nobody can connect to this process, but it may connect to others.
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let program = Program::start(app, &found, Plan::new(&found.config, nowhere)?).await?;
    let running = Arc::new(RwLock::new(()));
    let invocations = Invocations {
        edge: Arc::clone(&program.edge),
        api: Api::new(&environment.api),
        settings: found.config.lambda.clone(),
        // The edge checks tokens.
        is_open: found.config.allow_unauthenticated || found.config.edge.auth.is_on(),
        is_frozen: environment.concurrency <= 1,
        running: Arc::clone(&running),
        transport,
    };
    if found.config.allow_unauthenticated && !found.config.edge.auth.is_on() {
        tracing::warn!(
            "authentication is off: anyone who may invoke this function can read and write every object"
        );
    }
    end_in_order(Arc::clone(&program.edge), running, found.config.shutdown).await?;
    program.announce("polling", &environment.api);
    let lost = |cause| {
        Error::new(ErrorKind::Unavailable, "the connection to Lambda's runtime API was lost")
            .with_code(LOST)
            .with_source(cause)
    };
    invocations.run().await.map(|()| Ended::InOrder).map_err(lost)
}

/// What reaches the connections that API Gateway holds; `None` without a role.
#[cfg(feature = "s3")]
fn transport(role: Option<Role>, settings: &LambdaSettings) -> Option<Arc<dyn SocketTransport>> {
    Some(Arc::new(connections::Connections::new(role?, settings)))
}

/// A program that was built without what signs requests to AWS reaches none.
#[cfg(not(feature = "s3"))]
fn transport(_: Option<Role>, _: &LambdaSettings) -> Option<Arc<dyn SocketTransport>> {
    None
}

/// Handles SIGTERM, which arrives some hundred milliseconds before the end: finishes requests for
/// at most half of the time, then the objects, and exits with 0. The process registers as an
/// extension to receive the signal.
///
/// # Errors
///
/// `Unavailable` when Lambda refuses the registration.
async fn end_in_order<O: Objects>(
    edge: Arc<Edge<O>>,
    running: Arc<RwLock<()>>,
    deadline: Duration,
) -> Result<()> {
    let hook = move || async move {
        let started = Instant::now();
        tracing::info!(deadline_ms = deadline.as_millis(), "shutting down");
        if timeout(deadline / 2, running.write()).await.is_err() {
            tracing::warn!("requests are still running; stopping their objects anyway");
        }
        edge.objects().shutdown(deadline.saturating_sub(started.elapsed())).await;
        tracing::info!("stopped");
    };
    // The library panics if the registration fails.
    let registered = tokio::spawn(spawn_graceful_shutdown_handler(hook)).await;
    registered.map_err(|_| {
        Error::new(
            ErrorKind::Unavailable,
            "Lambda's extension API refused to register this process for the shutdown event",
        )
    })
}

/// A target for fuzzers: an event, whose request is legal HTTP or refused.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    let context = lambda_runtime::Context::default();
    if let Some(Ok(request::SocketArrival {
        arrived: request::SocketArrived::Connect { request: Ok(request), .. },
        ..
    })) = request::SocketArrival::of(data, &context)
    {
        assert!(request.uri().path().starts_with('/'), "a handshake without a path");
    }
    let Ok(event) = serde_json::from_slice(data) else { return };
    if let Some(Ok(request)) =
        request::EventRequest::new(event, &lambda_runtime::Context::default())
            .map(|arrival| arrival.request)
    {
        assert!(request.uri().path().starts_with('/'), "a request without a path");
    }
}
