//! Vercel: the platform starts the program, listens on a socket for its messages, and sends
//! HTTP/1.1 with headers of its own.
//!
//! This is its side of the protocol between the two, no less strict than the platform: a message
//! that is none ends the test. What lies before it, Vercel's network with its limits (no more than
//! 4.5 MB in a request), is not played.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use dotdo_tests::{Process, Setup};
use http::{HeaderMap, HeaderValue, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use crate::host::{Abilities, Body, Broken, Host, Hosted};
use crate::stage::soon;

/// How often a start is tried again after somebody else took its port.
const STARTS_MAX: usize = 5;

/// Vercel's functions.
pub(crate) struct Vercel;

#[async_trait]
impl Host for Vercel {
    fn abilities(&self) -> Abilities {
        // An object is owned per request there.
        Abilities { streams_requests: false, holds_connections: false, ..Abilities::ALL }
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        Box::new(Instance::start(setup).await)
    }
}

/// One instance of a function.
pub(crate) struct Instance {
    process: Process,
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    requests: AtomicU64,
    messages: watch::Receiver<Vec<Value>>,
    _folder: TempDir,
}

impl Instance {
    /// Starts the program as the platform does.
    pub(crate) async fn start(setup: &Setup) -> Self {
        for _ in 0..STARTS_MAX {
            match Self::try_start(setup).await {
                Ok(instance) => return instance,
                Err(log) => assert!(
                    log.contains("BAD_ADDRESS"),
                    "the function ended before it served:\n{log}"
                ),
            }
        }
        panic!("{STARTS_MAX} ports were free, and then were not");
    }

    /// Likewise, once.
    async fn try_start(setup: &Setup) -> Result<Self, String> {
        // The path of a socket has to be short, which that of the build folder need not be.
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("ipc.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let environment =
            [("VERCEL", "1"), ("VERCEL_REGION", "iad1"), ("DOTDO_ALLOW_UNAUTHENTICATED", "1")];
        let setup =
            environment.iter().fold(setup.clone(), |setup, (name, value)| setup.env(*name, *value));
        let setup = setup
            .env("VERCEL_IPC_PATH", socket.to_str().expect("a path of letters"))
            .env("VERCEL_DEV_PORT", port.to_string());
        let process = Process::start(&mut setup.command());
        let (sender, mut messages) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("the program connects");
            listen(stream, sender).await;
        });
        let started = async {
            loop {
                if process.ended().is_some() {
                    let (status, log) = process.last_words();
                    return Err(format!("{log}\n{status}"));
                }
                let time = std::time::Duration::from_millis(20);
                if let Ok(Ok(messages)) =
                    tokio::time::timeout(time, messages.wait_for(|messages| !messages.is_empty()))
                        .await
                {
                    return Ok(messages[0].clone());
                }
            }
        };
        let started = soon("the start of the function", started).await?;
        assert_eq!(
            (&started["type"], &started["payload"]["httpPort"]),
            (&json!("server-started"), &json!(port)),
            "{started}"
        );
        let client = Client::builder(TokioExecutor::new()).build_http();
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Ok(Self {
            process,
            address,
            client,
            requests: AtomicU64::new(0),
            messages,
            _folder: folder,
        })
    }

    /// Sends a request; its number, and the head of its answer.
    pub(crate) async fn ask(
        &self,
        mut request: http::Request<Body>,
    ) -> (u64, Result<http::Response<Body>, Broken>) {
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let uri = format!("http://{}{}", self.address, request.uri())
            .parse::<Uri>()
            .expect("a path with a query");
        *request.uri_mut() = uri;
        platform_headers(request.headers_mut(), number);
        let answer = self.client.request(request).await;
        (
            number,
            answer
                .map(|answer| answer.map(|body| body.map_err(Into::into).boxed_unsync()))
                .map_err(Into::into),
        )
    }

    /// Whether the program has said that this request is over.
    pub(crate) fn is_over(&self, number: u64) -> bool {
        self.messages.borrow().iter().any(|message| is_end(message, number))
    }

    /// Waits until the program says that this request is over.
    pub(crate) async fn over(&self, number: u64) {
        let mut messages = self.messages.clone();
        let said =
            messages.wait_for(|messages| messages.iter().any(|message| is_end(message, number)));
        let end = soon("the end of a request", said)
            .await
            .map(|messages| messages.iter().filter(|message| is_end(message, number)).count());
        assert_eq!(
            end.ok(),
            Some(1),
            "the program said it and was not heard:\n{}",
            self.process.stderr()
        );
    }
}

/// What the platform says to the program with each request. What a client says under these names
/// does not get through.
fn platform_headers(headers: &mut HeaderMap, number: u64) {
    let said = [
        ("x-vercel-internal-invocation-id", format!("invocation-{number}")),
        ("x-vercel-internal-request-id", number.to_string()),
        ("x-vercel-id", format!("iad1::iad1::contract-{number}")),
        ("x-forwarded-for", "192.0.2.7".to_owned()),
        ("x-vercel-forwarded-for", "192.0.2.7".to_owned()),
        ("x-real-ip", "192.0.2.7".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
    ];
    for (name, value) in said {
        headers.insert(name, HeaderValue::try_from(value).expect("a legal value"));
    }
}

/// Whether a message says that the request with this number is over.
fn is_end(message: &Value, number: u64) -> bool {
    let context = json!({ "invocationId": format!("invocation-{number}"), "requestId": number });
    message["type"] == "end"
        && message["payload"]["context"] == context
        && message["payload"]["error"].is_null()
}

/// Hears what the program says, each message ended by a NUL, until it ends.
async fn listen(stream: UnixStream, messages: watch::Sender<Vec<Value>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut message = Vec::new();
        match stream.read_until(0, &mut message).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        let ended = message.pop();
        let message: Value = serde_json::from_slice(&message)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&message)));
        assert!(
            ended == Some(0)
                && ["server-started", "end", "log"].iter().any(|kind| message["type"] == *kind),
            "{message}"
        );
        messages.send_modify(|messages| messages.push(message));
    }
}

#[async_trait]
impl Hosted for Instance {
    async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, Broken> {
        self.ask(request).await.1
    }

    fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    fn wait(&self) -> ExitStatus {
        self.process.wait()
    }

    fn stderr(&self) -> String {
        self.process.stderr()
    }
}
