//! Anything that starts a program and sends it HTTP: a machine, a container, Railway, Render, Fly,
//! Kubernetes.

use std::process::ExitStatus;

use async_trait::async_trait;
use dotdo_tests::{Server, Setup};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::Signal;

use super::container::Container;
use crate::host::{Abilities, Body, Broken, Host, Hosted};

/// Names a program that runs already, such as `http://127.0.0.1:8787`: the suite for HTTP goes
/// there then.
const URL: &str = "DOTDO_TEST_CONTRACT_URL";

/// Names an image with the program: every copy of it then runs in a container.
const IMAGE: &str = "DOTDO_TEST_CONTRACT_IMAGE";

/// Plain HTTP on a port.
pub(crate) struct Http(Place);

/// Where the programs run.
enum Place {
    /// Here, started by the tests.
    Processes,
    /// In containers of this image, started by the tests.
    Containers(String),
    /// At this address, where one runs already.
    Elsewhere(String),
}

impl Http {
    /// Programs that the tests start.
    pub(crate) fn started() -> Self {
        Self(Place::Processes)
    }

    /// The program or the image that the environment names, or programs that the tests start.
    pub(crate) fn named() -> Self {
        let url =
            std::env::var(URL).map(|url| Place::Elsewhere(url.trim_end_matches('/').to_owned()));
        Self(
            url.or_else(|_| std::env::var(IMAGE).map(Place::Containers))
                .unwrap_or(Place::Processes),
        )
    }
}

#[async_trait]
impl Host for Http {
    fn abilities(&self) -> Abilities {
        Abilities { is_ours: !matches!(self.0, Place::Elsewhere(_)), ..Abilities::ALL }
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (container, setup) = match &self.0 {
            Place::Processes => (None, setup.clone()),
            Place::Containers(image) => {
                let (container, setup) = Container::of(image, setup);
                (Some(container), setup)
            }
            Place::Elsewhere(url) => {
                return Box::new(HttpServer {
                    base: url.clone(),
                    server: None,
                    container: None,
                    client,
                });
            }
        };
        let server = setup.start_listening().await;
        Box::new(HttpServer { base: server.url(""), server: Some(server), container, client })
    }
}

/// A program that listens on a port.
pub(crate) struct HttpServer {
    base: String,
    /// `None`: somebody else has started it.
    server: Option<Server>,
    /// Where the program runs, when `server` is only what started it.
    container: Option<Container>,
    client: Client<HttpConnector, Body>,
}

impl HttpServer {
    fn server(&self) -> &Server {
        self.server.as_ref().expect("only programs that the test has started are signalled")
    }
}

#[async_trait]
impl Hosted for HttpServer {
    async fn send(&self, mut request: http::Request<Body>) -> Result<http::Response<Body>, Broken> {
        *request.uri_mut() = format!("{}{}", self.base, request.uri()).parse()?;
        Ok(self.client.request(request).await?.map(|body| body.map_err(Into::into).boxed_unsync()))
    }

    fn signal(&self, signal: Signal) {
        match &self.container {
            Some(container) => container.signal(signal),
            None => self.server().signal(signal),
        }
    }

    fn wait(&self) -> ExitStatus {
        self.server().wait()
    }

    fn stderr(&self) -> String {
        self.server.as_ref().map_or_else(|| "its log is not here".to_owned(), Server::stderr)
    }
}
