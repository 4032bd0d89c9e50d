//! A clock between a function and the emulator, which tells no deadline: events get one here.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use dotdo_tests::LambdaApis;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::host::Body;

/// Comes with each event: milliseconds since 1970.
const DEADLINE: &str = "lambda-runtime-deadline-ms";

/// A running clock.
pub(crate) struct Clock {
    address: String,
    state: Arc<State>,
    keeper: JoinHandle<()>,
}

struct State {
    apis: String,
    client: Client<HttpConnector, Incoming>,
    left_ms: AtomicU64,
}

impl Clock {
    /// A clock in front of `apis`, by which an invocation may take an hour.
    pub(crate) async fn before(apis: &LambdaApis) -> Self {
        let [(_, upstream), ..] = apis.environment();
        let authority =
            upstream.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = upstream.replace(
            &authority,
            &listener.local_addr().expect("a bound socket has an address").to_string(),
        );
        let client = Client::builder(TokioExecutor::new()).build_http();
        let state = Arc::new(State { apis: authority, client, left_ms: AtomicU64::new(3_600_000) });
        let keeper = tokio::spawn(keep(listener, Arc::clone(&state)));
        Self { address, state, keeper }
    }

    /// What the function is to take for the address of the runtime API.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From the next event on, an invocation may take so long.
    pub(crate) fn leave(&self, time: Duration) {
        self.state.left_ms.store(
            u64::try_from(time.as_millis()).expect("no test takes so long"),
            Ordering::Relaxed,
        );
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(attend(stream, Arc::clone(&state)));
    }
}

async fn attend(stream: TcpStream, state: Arc<State>) {
    let pass = service_fn(move |request| pass(request, Arc::clone(&state)));
    // A function that ends leaves its connections as they are.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), pass)
        .await;
}

/// Sends a request on, and puts the deadline into the answer if that is an event.
async fn pass(
    mut request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Body>, Infallible> {
    let target = format!("http://{}{}", state.apis, request.uri().path());
    *request.uri_mut() = target.parse().expect("a path of the runtime API");
    let Ok(answer) = state.client.request(request).await else {
        let mut lost = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
        *lost.status_mut() = StatusCode::BAD_GATEWAY;
        return Ok(lost);
    };
    let mut answer = answer.map(|body| body.map_err(Into::into).boxed_unsync());
    if let Some(deadline) = answer.headers_mut().get_mut(DEADLINE) {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("it is later than 1970");
        let now = u64::try_from(now.as_millis()).expect("it is not so late");
        *deadline = (now + state.left_ms.load(Ordering::Relaxed)).into();
    }
    Ok(answer)
}
