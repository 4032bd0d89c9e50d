//! AWS Lambda, behind each of its front ends: what they make of requests and of answers, and an
//! emulator of the runtime API between.
//!
//! The events in `../events/` have the shapes that the front ends send; each request is put into
//! one of them. The emulator is cargo-lambda's. It neither bounds events nor invocations, so what
//! Lambda refuses before a function sees it is not tested.

mod answer;
mod clock;
mod event;

use std::process::ExitStatus;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_tests::{Deadline, LambdaApis, Process, Setup};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::Signal;

pub(crate) use self::clock::Clock;
use crate::host::{Abilities, Body, Broken, Host, Hosted};
use crate::stage::PATIENCE_SECONDS;

/// What sends the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// API Gateway's REST API.
    RestApi,
    /// API Gateway's HTTP API, in a stage with a name.
    HttpApi,
    /// A function URL whose invoke mode is RESPONSE_STREAM, in front of processes that take several
    /// events at once.
    FunctionUrl,
    /// An Application Load Balancer with multi-value headers.
    LoadBalancer,
}

/// A function behind one of the front ends.
pub(crate) struct Lambda(pub(crate) Front);

/// Of what Lambda takes of a request, 6 MB with everything around the body, in base64. What is more
/// should get the server's own error.
const REQUEST_BYTES_MAX: u64 = 4 << 20;
/// How many events a process has at once where it may have several.
const CONCURRENCY: &str = "16";

#[async_trait]
impl Host for Lambda {
    fn abilities(&self) -> Abilities {
        let common = Abilities {
            streams_requests: false,
            request_bytes_max: Some(REQUEST_BYTES_MAX),
            keeps_header_bytes: false,
            takes_leases: false,
            holds_connections: false,
            ..Abilities::ALL
        };
        let whole = Abilities {
            streams_responses: false,
            is_concurrent: false,
            response_bytes_max: Some(4_500_000),
            ..common
        };
        let joins =
            Abilities { keeps_repeated_headers: false, keeps_repeated_answers: false, ..common };
        match self.0 {
            Front::RestApi => Abilities { keeps_encoded_queries: false, ..whole },
            Front::HttpApi => Abilities { keeps_encoded_paths: false, ..whole.joining(joins) },
            Front::FunctionUrl => joins,
            Front::LoadBalancer => Abilities {
                response_bytes_max: Some(750_000),
                keeps_encoded_queries: false,
                ..whole
            },
        }
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        let apis = LambdaApis::start().await;
        let setup = self.setup(setup, &apis);
        self.start_on(apis, &setup).await
    }
}

impl Abilities {
    /// These, with what `other` makes of repeated headers.
    fn joining(self, other: Self) -> Self {
        Self {
            keeps_repeated_headers: other.keeps_repeated_headers,
            keeps_repeated_answers: other.keeps_repeated_answers,
            ..self
        }
    }
}

impl Lambda {
    /// Starts the program that `setup`, which is [`Lambda::setup`]'s, describes, on these APIs.
    pub(crate) async fn start_on(&self, apis: LambdaApis, setup: &Setup) -> Box<dyn Hosted> {
        let program = Process::start(&mut setup.command());
        let polls = || std::future::ready(program.stderr().contains("\"polling\"").then_some(()));
        let polls = Deadline::in_seconds(PATIENCE_SECONDS).until(polls).await;
        assert!(
            polls.is_some(),
            "the function does not ask for events:\n{}\n{}",
            program.stderr(),
            apis.stderr()
        );
        Box::new(Function {
            front: self.0,
            apis,
            program,
            client: Client::builder(TokioExecutor::new()).build_http(),
        })
    }

    /// The function as its template configures it. The emulator does not kill it some hundred
    /// milliseconds after SIGTERM as Lambda does, and tests may not hang on those.
    pub(crate) fn setup(&self, setup: &Setup, apis: &LambdaApis) -> Setup {
        let variables = apis
            .environment()
            .into_iter()
            .fold(setup.clone(), |setup, (name, value)| setup.env(name, value));
        let common = variables
            .env("DOTDO_ALLOW_UNAUTHENTICATED", "true")
            .env("DOTDO_LIMITS_BODY_BYTES_MAX", REQUEST_BYTES_MAX.to_string())
            .env("DOTDO_SHUTDOWN_DEADLINE_MS", "60000");
        match self.0 {
            Front::FunctionUrl => common
                .env("DOTDO_LAMBDA_STREAMING", "function-url")
                .env("AWS_LAMBDA_MAX_CONCURRENCY", CONCURRENCY),
            Front::RestApi | Front::HttpApi | Front::LoadBalancer => common,
        }
    }
}

struct Function {
    front: Front,
    program: Process,
    apis: LambdaApis,
    client: Client<HttpConnector, Full<Bytes>>,
}

#[async_trait]
impl Hosted for Function {
    async fn send(&self, request: http::Request<Body>) -> Result<http::Response<Body>, Broken> {
        let (head, body) = request.into_parts();
        let announced = http_body::Body::size_hint(&body).exact();
        let event = event::of(self.front, &head, &body.collect().await?.to_bytes(), announced);
        let invocation = http::Request::post(self.apis.invocations())
            .header("te", "trailers")
            .body(Full::new(event.to_string().into()))?;
        answer::of(self.front, self.client.request(invocation).await?).await
    }

    fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    fn wait(&self) -> ExitStatus {
        self.program.wait()
    }

    fn stderr(&self) -> String {
        self.program.stderr()
    }
}
