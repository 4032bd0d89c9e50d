//! An HTTP proxy between a server and its store that loses, delays and refuses on demand.
//!
//! It forwards requests as they are, Host included, so that signatures stay valid. Requests are
//! read whole before they are sent on, and from then on they arrive, whatever becomes of their
//! sender and its connection. Proxies may stand behind each other: one before each server cuts that
//! server off, one before the store is everybody's.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of a request that is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The connection is cut before the store sees the request.
    Request,
    /// The store does it, and the connection is cut before the answer.
    Answer,
    /// The store does it, and the answer is 500.
    Error,
    /// The answer is 503, and the store never sees it.
    Busy,
}

/// A running proxy; ends with its handle.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    upstream: String,
    rules: Mutex<Rules>,
    /// Open connections end when this changes.
    cut: watch::Sender<u64>,
    /// Requests and answers wait while this is set.
    holds: watch::Sender<bool>,
}

#[derive(Default)]
struct Rules {
    is_out: bool,
    delay: Duration,
    /// The next requests of these methods are lost in these ways.
    losses: Vec<(Method, Lost)>,
    lost: usize,
    seen: Vec<(Method, String)>,
    /// How often the store has said that it created each path that was to be created only if it was
    /// absent.
    created: HashMap<String, u32>,
}

impl Proxy {
    /// Starts a proxy to `upstream`, such as `http://127.0.0.1:8333`.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub async fn start(upstream: &str) -> Self {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has free ports");
        let address = listener.local_addr().expect("a bound listener has an address");
        let upstream = upstream.trim_start_matches("http://").to_owned();
        let state = Arc::new(State {
            upstream,
            rules: Mutex::default(),
            cut: watch::Sender::new(0),
            holds: watch::Sender::new(false),
        });
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state }
    }

    /// Its own address, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes the store away (connections are cut as soon as they are made), or gives it back.
    pub fn outage(&self, is_out: bool) {
        self.state.rules().is_out = is_out;
        self.cut_connections();
    }

    /// Cuts every open connection, whatever is on its way.
    pub fn cut_connections(&self) {
        self.state.cut.send_modify(|count| *count += 1);
    }

    /// Holds all requests and all answers from now on, as a network that has stopped to deliver:
    /// nobody is told.
    pub fn hold(&self) {
        self.state.holds.send_replace(true);
    }

    /// Delivers what is held, however late it is.
    pub fn release(&self) {
        self.state.holds.send_replace(false);
    }

    /// Ends every trouble that was made; losses that have not come yet never will.
    pub fn heal(&self) {
        let mut rules = self.state.rules();
        (rules.is_out, rules.delay) = (false, Duration::ZERO);
        rules.losses.clear();
        drop(rules);
        self.release();
    }

    /// Every answer takes this much longer from now on.
    pub fn delay(&self, delay: Duration) {
        self.state.rules().delay = delay;
    }

    /// The next request of this method that is not planned for yet is lost.
    pub fn lose(&self, method: Method, lost: Lost) {
        self.state.rules().losses.push((method, lost));
    }

    /// How many requests were lost as planned.
    pub fn lost(&self) -> usize {
        self.state.rules().lost
    }

    /// How many are planned to be lost and have not come yet.
    pub fn to_lose(&self) -> usize {
        self.state.rules().losses.len()
    }

    /// The paths that the store says it created more than once, although each was to be created
    /// only if absent: it lied. What comes of that is not the fault of anybody who asked it.
    pub fn lies(&self) -> Vec<String> {
        let rules = self.state.rules();
        rules
            .created
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// The requests that came since the last call: method and path with query.
    pub fn take_seen(&self) -> Vec<(Method, String)> {
        std::mem::take(&mut self.state.rules().seen)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.outage(true);
        self.release();
    }
}

impl State {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock()
    }

    /// What is to happen to this request.
    fn decide(&self, request: &Request<Incoming>) -> (Option<Lost>, Duration) {
        let mut rules = self.rules();
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        rules.seen.push((request.method().clone(), path));
        let planned = rules.losses.iter().position(|(method, _)| method == request.method());
        rules.lost += usize::from(planned.is_some());
        (planned.map(|at| rules.losses.remove(at).1), rules.delay)
    }

    /// Waits while everything is held.
    async fn released(&self) {
        // An error would mean that the sender is gone; it is part of this.
        let _ = self.holds.subscribe().wait_for(|holds| !holds).await;
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        if state.rules().is_out {
            continue;
        }
        let (state, mut cut) = (Arc::clone(&state), state.cut.subscribe());
        tokio::spawn(async move {
            let service =
                hyper::service::service_fn(move |request| forward(request, Arc::clone(&state)));
            let serving = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                // An error is a connection that was cut, by us or by the client.
                _ = serving => {}
                _ = cut.changed() => {}
            }
        });
    }
}

async fn forward(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, io::Error> {
    let (lost, delay) = state.decide(&request);
    if lost == Some(Lost::Request) {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    if lost == Some(Lost::Busy) {
        return Ok(empty(StatusCode::SERVICE_UNAVAILABLE));
    }
    // In a task of its own: a sender that gives up does not take back what it has sent.
    let delivered = tokio::spawn(deliver(Request::from_parts(parts, body), delay, state));
    let answer = delivered.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
    match lost {
        None => Ok(answer),
        Some(Lost::Error) => Ok(empty(StatusCode::INTERNAL_SERVER_ERROR)),
        Some(Lost::Request | Lost::Answer | Lost::Busy) => {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
}

/// Brings a request to the store and its answer back, as late as it is to be.
async fn deliver(
    request: Request<Bytes>,
    delay: Duration,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    state.released().await;
    let creates = request
        .headers()
        .contains_key(http::header::IF_NONE_MATCH)
        .then(|| request.uri().path().to_owned());
    let answer = send(&state.upstream, request).await;
    if let (Some(path), Ok(answer)) = (creates, &answer)
        && answer.status().is_success()
    {
        *state.rules().created.entry(path).or_default() += 1;
    }
    tokio::time::sleep(delay).await;
    state.released().await;
    answer
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// Sends one request over a connection of its own.
async fn send(
    upstream: &str,
    request: Request<Bytes>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = Full::new(body).map_err(|never: Infallible| match never {});
    let Ok(stream) = TcpStream::connect(upstream).await else {
        return Ok(empty(StatusCode::BAD_GATEWAY));
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driving = tokio::spawn(connection);
    let answer = sender.send_request(Request::from_parts(parts, body)).await?;
    let (mut parts, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    // The body is whole now, so it has a length.
    parts.headers.remove(http::header::TRANSFER_ENCODING);
    driving.abort();
    Ok(Response::from_parts(parts, Full::new(body)))
}
