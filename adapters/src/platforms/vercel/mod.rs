//! Vercel functions: the platform starts the program, sets the address in its environment, and
//! sends it HTTP.
//!
//! Promises: the end of a request is reported once its response was read and its background work is
//! done, so that nothing is frozen midway; requests run concurrently; SIGTERM finishes requests in
//! flight. Must not know: objects, routes, the bucket.

mod environment;
mod function;
mod request;
mod response;

use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{App, Error, ErrorKind, Result};
use tokio::sync::oneshot;
use vercel_runtime::{AppState, Request, ResponseBody};

use self::environment::Endpoint;
use self::function::Function;
use self::request::{Inbound, original};
use self::response::Outbound;
use crate::edge::{Edge, Objects};
use crate::program::Found;
use crate::serve::{Ended, stop};
use crate::server::Signals;

/// Maximum time that the end of a request waits for background work. The platform bills this time
/// and ends instances whose requests take too long; the rest is done later, or by another instance.
const BACKGROUND_MAX: Duration = Duration::from_mins(1);

/// Serves until the platform shuts it down.
///
/// # Errors
///
/// `Invalid` when the environment is not Vercel's, `Forbidden` without authentication,
/// `Unavailable` when the port can't be bound, and those of [`Program::start`].
pub(crate) async fn serve(app: App, found: Found, mut signals: Signals) -> Result<Ended> {
    let endpoint =
        Endpoint::find(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    endpoint.check(&found.config)?;
    let shutdown = found.config.shutdown;
    let function = Arc::new(Function::new(app, found, endpoint.address()));
    if !function.needs_request() {
        function.program().await?;
    }
    let inside = Arc::clone(&function);
    let service = vercel_runtime::service_fn(move |request: Request, state: AppState| {
        let function = Arc::clone(&inside);
        // The runtime moves it before it runs.
        let answering = Box::pin(async move { function.answer(request, state).await });
        async move { Ok::<_, vercel_runtime::Error>(answering.await) }
    });
    let mut serving = Box::pin(vercel_runtime::run(service));
    let (signal, is_drained) = tokio::select! {
        biased;
        signal = signals.next() => (signal, false),
        outcome = &mut serving => {
            outcome.map_err(|cause| not_served(&endpoint, cause.as_ref()))?;
            // It has also seen a signal that this task has not received yet.
            (signals.next().await, true)
        }
    };
    tracing::info!(
        signal,
        deadline_ms = shutdown.as_millis(),
        "shutting down; a second signal ends the process at once"
    );
    let requests = async {
        // The runtime handles only SIGTERM, on which it finishes its requests.
        if signal == Signals::TERMINATE
            && !is_drained
            && let Err(cause) = serving.await
        {
            tracing::warn!(%cause, "the runtime failed while it finished requests");
        }
    };
    match function.program.get() {
        Some(program) => Ok(stop(requests, program.edge.objects(), shutdown, &mut signals).await),
        None => Ok(Ended::InOrder),
    }
}

fn not_served(endpoint: &Endpoint, cause: &(dyn std::error::Error + Send + Sync)) -> Error {
    let message = format!("cannot listen on {}: {cause}", endpoint.address());
    Error::new(ErrorKind::Unavailable, message).with_code("BAD_ADDRESS")
}

/// Answers a request. Its end is reported once the response was read to its last byte and its
/// background work is done.
async fn answer<O: Objects>(
    edge: Arc<Edge<O>>,
    request: Request,
    state: AppState,
) -> http::Response<ResponseBody> {
    let (life, over) = oneshot::channel::<()>();
    let objects = Arc::clone(&edge);
    // Created first, because a shutdown waits for this, too.
    state.wait_until(async move {
        // The guard never sends; it is dropped with the response.
        let _ = over.await;
        if tokio::time::timeout(BACKGROUND_MAX, objects.objects().finish_background())
            .await
            .is_err()
        {
            tracing::warn!(
                "background work takes longer than {} s; it continues with the next request",
                BACKGROUND_MAX.as_secs()
            );
        }
    });
    let response = edge.answer(original(request).map(Inbound::new)).await;
    response.map(|body| Outbound::new(body, life).into())
}
