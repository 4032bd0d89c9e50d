//! Anything that starts a program and sends it HTTP: a machine, a container, Railway, Render, Fly, Kubernetes.

use std::process::ExitStatus;

use async_trait::async_trait;
use dotdo_tests::{Server, Setup};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::Signal;

use crate::host::{Abilities, Body, Broken, Host, Hosted};

/// Names a program that runs already, such as `http://127.0.0.1:8787`: the suite for HTTP goes there then.
const URL: &str = "DOTDO_TEST_CONTRACT_URL";

/// Plain HTTP on a port.
pub(crate) struct Http {
    /// Where the program runs already; `None`: the tests start it.
    url: Option<String>,
}

impl Http {
    /// Programs that the tests start.
    pub(crate) fn started() -> Self {
        Self { url: None }
    }

    /// The program that the environment names, or those that the tests start.
    pub(crate) fn named() -> Self {
        Self { url: std::env::var(URL).ok().map(|url| url.trim_end_matches('/').to_owned()) }
    }
}

#[async_trait]
impl Host for Http {
    fn abilities(&self) -> Abilities {
        Abilities { is_ours: self.url.is_none(), ..Abilities::ALL }
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        match &self.url {
            None => {
                let server = setup.start_listening().await;
                Box::new(HttpServer { base: server.url(""), server: Some(server), client })
            }
            Some(url) => Box::new(HttpServer { base: url.clone(), server: None, client }),
        }
    }
}

/// A program that listens on a port.
pub(crate) struct HttpServer {
    base: String,
    /// `None`: somebody else has started it.
    server: Option<Server>,
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
        self.server().signal(signal);
    }

    fn wait(&self) -> ExitStatus {
        self.server().wait()
    }

    fn stderr(&self) -> String {
        self.server.as_ref().map_or_else(|| "its log is not here".to_owned(), Server::stderr)
    }
}
