//! Vercel's functions: the platform starts the program, tells it by its environment where to
//! listen, and sends it HTTP.
//!
//! Promises: the platform hears that a request is over when its response was taken and everything
//! it left behind is done, so that nothing is frozen half way; several requests run at the same
//! time; SIGTERM finishes what is under way. Must not know: objects, routes, the bucket.

mod environment;
mod request;
mod response;

use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{App, Error, ErrorKind, Result};
use tokio::sync::oneshot;
use vercel_runtime::{AppState, Request, ResponseBody};

use self::environment::Endpoint;
use self::request::{Inbound, original};
use self::response::Outbound;
use crate::cluster::peers::Plan;
use crate::edge::{Edge, Objects};
use crate::http::Signals;
use crate::program::{Found, Program};
use crate::serve::{Ended, stop};

/// How long the end of a request waits for what it left behind. The platform counts this time, and
/// ends an instance whose requests take too long; what is not done by then is done later, or by
/// another instance.
const SETTLE_MAX: Duration = Duration::from_mins(1);

/// Serves until the platform asks to stop.
///
/// # Errors
///
/// `Invalid` when the environment is not one that Vercel makes, `Forbidden` when everybody could
/// come in, `Unavailable` when the port can't be listened on, and those of [`Program::start`].
pub(crate) async fn serve(app: App, found: Found, mut signals: Signals) -> Result<Ended> {
    let endpoint =
        Endpoint::find(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    endpoint.check(&found.config)?;
    let address = endpoint.address();
    let program = Program::start(app, &found, Plan::new(&found.config, address)?).await?;
    program.announce("serving", &address);

    let edge = Arc::clone(&program.edge);
    let service = vercel_runtime::service_fn(move |request: Request, state: AppState| {
        let edge = Arc::clone(&edge);
        // The runtime moves it about before it runs.
        let answering = Box::pin(answer(edge, request, state));
        async move { Ok::<_, vercel_runtime::Error>(answering.await) }
    });
    let mut serving = Box::pin(vercel_runtime::run(service));
    let (signal, is_drained) = tokio::select! {
        biased;
        signal = signals.next() => (signal, false),
        outcome = &mut serving => {
            outcome.map_err(|cause| not_served(&endpoint, cause.as_ref()))?;
            // It has seen a signal that is on its way to this task too.
            (signals.next().await, true)
        }
    };
    tracing::info!(
        signal,
        deadline_ms = found.config.shutdown.as_millis(),
        "shutting down; a second signal ends the process at once"
    );
    let requests = async {
        // The runtime knows of SIGTERM only, and finishes its requests when it gets it.
        if signal == Signals::TERMINATE
            && !is_drained
            && let Err(cause) = serving.await
        {
            tracing::warn!(%cause, "the runtime failed while it finished requests");
        }
    };
    Ok(stop(requests, program.edge.objects(), found.config.shutdown, &mut signals).await)
}

fn not_served(endpoint: &Endpoint, cause: &(dyn std::error::Error + Send + Sync)) -> Error {
    let message = format!("cannot listen on {}: {cause}", endpoint.address());
    Error::new(ErrorKind::Unavailable, message).with_code("BAD_ADDRESS")
}

/// Answers a request. The platform hears of its end when the response was taken, to its last byte,
/// and nothing it left behind is under way.
async fn answer<O: Objects>(
    edge: Arc<Edge<O>>,
    request: Request,
    state: AppState,
) -> http::Response<ResponseBody> {
    let (life, over) = oneshot::channel::<()>();
    let objects = Arc::clone(&edge);
    // From the beginning: a stop waits for this too.
    state.wait_until(async move {
        // Whoever holds the life never sends; it is dropped with the response.
        let _ = over.await;
        if tokio::time::timeout(SETTLE_MAX, objects.objects().settle()).await.is_err() {
            tracing::warn!(
                "background work takes longer than {} s; it continues with the next request",
                SETTLE_MAX.as_secs()
            );
        }
    });
    let response = edge.answer(original(request).map(Inbound::new)).await;
    response.map(|body| Outbound::new(body, life).into())
}
