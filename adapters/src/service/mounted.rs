//! The objects of an app as a service in a program that has its own server.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::{
    Caller, Engine, Error, ErrorKind, Executor, Inline, Response, Result, Scope, Scopes,
};
use http::Request;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;
use tower::Service;

use crate::config::{Config, Forwarding};
use crate::edge::Edge;
use crate::program::Program;
use crate::serve::{finish, open_to_development};
use crate::server::host;
use crate::system::workers::Workers;

/// The objects of an app as a service, which does everything that a dotdo server does with a
/// request. Clones share it. [`Serve::into_service`](crate::Serve::into_service) has an example.
///
/// It never fails: an error is a response. Requests have the same paths as on a port (`/do/{id}/…`,
/// `/health`, …), so mount it where these are not changed.
///
/// A program that authenticates its callers itself puts a [`Caller`](crate::Caller) into the
/// request's extensions; what is configured then asks nothing more.
#[derive(Clone)]
pub struct ObjectService {
    mounted: Arc<Mounted>,
}

/// Shuts an [`ObjectService`] down. [`Serve::into_service`](crate::Serve::into_service) has an
/// example.
#[derive(Clone)]
pub struct ServiceHandle {
    mounted: Arc<Mounted>,
}

struct Mounted {
    program: Program,
    /// Number of requests that are being answered.
    underway: watch::Sender<usize>,
    shutdown_max: Duration,
    /// Who sends the requests that name nobody.
    caller: Option<Caller>,
}

/// Counts a request while it is being answered.
struct Underway(Arc<Mounted>);

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.underway.send_modify(|count| *count -= 1);
    }
}

impl ObjectService {
    /// The service of a started program.
    pub(crate) fn new(program: Program, shutdown_max: Duration) -> (Self, ServiceHandle) {
        Self::of(program, shutdown_max, None)
    }

    /// The service of a program that only administers, for whoever operates the bucket.
    pub(crate) fn for_operator(program: Program, shutdown_max: Duration) -> (Self, ServiceHandle) {
        let scopes = Scopes::USER.with(Scope::Admin).with(Scope::Operator);
        Self::of(program, shutdown_max, Some(Caller::anonymous().with_scopes(scopes)))
    }

    fn of(
        program: Program,
        shutdown_max: Duration,
        caller: Option<Caller>,
    ) -> (Self, ServiceHandle) {
        let underway = watch::Sender::new(0);
        let mounted = Arc::new(Mounted { program, underway, shutdown_max, caller });
        (Self { mounted: mounted.clone() }, ServiceHandle { mounted })
    }
}

impl ServiceHandle {
    /// Shuts down: waits for requests that are being answered, writes due snapshots, and releases
    /// every object, within the configured `shutdown.deadline_ms`. Requests that arrive during or
    /// after it get 503.
    ///
    /// Stop your own server first. Without this call, the program ends as if it was killed: nothing
    /// is lost, but its objects are free only when its leases end.
    pub async fn shutdown(&self) {
        let answered = async {
            // The sender lives in `self`, so waiting can't fail.
            let _ = self.mounted.underway.subscribe().wait_for(|count| *count == 0).await;
        };
        let edge: &Edge<Engine> = &self.mounted.program.edge;
        finish(answered, edge.objects(), self.mounted.shutdown_max).await;
    }
}

impl<B> Service<Request<B>> for ObjectService
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        self.mounted.underway.send_modify(|count| *count += 1);
        let underway = Underway(self.mounted.clone());
        Box::pin(async move {
            // Whoever administers has no host: the request comes from the same program.
            if underway.0.caller.is_none()
                && let Some(refusal) = host::refusal(&request)
            {
                return Ok(refusal);
            }
            if let Some(caller) = &underway.0.caller
                && request.extensions().get::<Caller>().is_none()
            {
                request.extensions_mut().insert(caller.clone());
            }
            Ok(underway.0.program.edge.answer(request).await)
        })
    }
}

impl fmt::Debug for ObjectService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectService").finish_non_exhaustive()
    }
}

impl fmt::Debug for ServiceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceHandle").finish_non_exhaustive()
    }
}

/// Adapts a configuration to a program without a port of its own.
///
/// # Errors
///
/// `Forbidden` when there is no authentication and it was not explicitly turned off; `Invalid` when
/// other servers are to reach this one.
pub(crate) fn mountable(config: &mut Config) -> Result<()> {
    if !config.edge.auth.is_on() && !config.allow_unauthenticated {
        let text = "the service can't know who reaches it, and nobody would have to prove who they are: set DOTDO_AUTH_TOKENS to a token \
                    that clients send, or, where the program around it lets in only those who may, DOTDO_ALLOW_UNAUTHENTICATED=1 \
                    (ServeOptions::allow_unauthenticated)";
        return Err(Error::new(ErrorKind::Forbidden, text).with_code("UNAUTHENTICATED_ADDRESS"));
    }
    if config.edge.auth.identity.development_secret.is_some() {
        return Err(open_to_development("the service may be reached"));
    }
    match config.forwarding {
        Forwarding::Proxy => {
            return Err(Error::invalid(
                "forwarding is proxy, and a service in another program has no port that other servers could reach: \
                 set forwarding to off, or serve with dotdo::run",
            ));
        }
        Forwarding::Auto if config.fly_machine.is_none() => {
            if config.peer_secret.is_some() {
                tracing::warn!(
                    "a peer secret is configured and not used: a service in another program has no port that other servers could reach"
                );
            }
            config.forwarding = Forwarding::Off;
        }
        Forwarding::Auto | Forwarding::Off | Forwarding::FlyReplay => {}
    }
    Ok(())
}

/// Runs handlers on the threads of the current runtime.
pub(crate) fn host_executor() -> Arc<dyn Executor> {
    let runtime = Handle::current();
    if runtime.runtime_flavor() == RuntimeFlavor::CurrentThread {
        return Arc::new(Inline);
    }
    Arc::new(Workers::on_threads(runtime.metrics().num_workers()))
}
