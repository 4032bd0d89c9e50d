//! Anything that starts a program and sends it HTTP: a machine, a container, Railway, Render, Fly, Cloud Run, Kubernetes.

use std::process::ExitStatus;

use async_trait::async_trait;
use dotdo_tests::{Server, Setup};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use nix::sys::signal::Signal;

use crate::host::{Abilities, Body, Broken, Host, Hosted};

/// Plain HTTP on a port.
pub(crate) struct Http;

#[async_trait]
impl Host for Http {
    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        Box::new(HttpServer { server: setup.start_listening().await, client: Client::builder(TokioExecutor::new()).build_http() })
    }
}

struct HttpServer {
    server: Server,
    client: Client<HttpConnector, Body>,
}

#[async_trait]
impl Hosted for HttpServer {
    async fn send(&self, mut request: http::Request<Body>) -> Result<http::Response<Body>, Broken> {
        *request.uri_mut() = self.server.url(&request.uri().to_string()).parse()?;
        Ok(self.client.request(request).await?.map(|body| body.map_err(Into::into).boxed_unsync()))
    }

    fn signal(&self, signal: Signal) {
        self.server.signal(signal);
    }

    fn wait(&self) -> ExitStatus {
        self.server.wait()
    }

    fn stderr(&self) -> String {
        self.server.stderr()
    }
}
