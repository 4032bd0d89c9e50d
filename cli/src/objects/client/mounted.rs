//! The routes in this process, on the bucket of the settings.

use std::convert::Infallible;

use dotdo::commands::administration;
use dotdo::http::{Request, Response};
use dotdo::service::{ObjectService, ServiceHandle};
use dotdo::{App, Body, Serve, ServeOptions};
use http_body_util::Full;
use tower::Service as _;

use super::Ask;
use crate::failure::Failure;
use crate::login;

/// The log of what is mounted: warnings are about the bucket, and the rest is about a server.
const LOG_LEVEL: &str = "warn";

/// The mounted routes.
pub(super) struct Mounted {
    service: ObjectService,
    handle: ServiceHandle,
}

impl Mounted {
    /// Mounts the routes on `storage`, or the storage of the settings.
    pub(super) async fn new(storage: Option<String>) -> Result<Self, Failure> {
        let options = ServeOptions {
            storage,
            log_level: Some(LOG_LEVEL.to_owned()),
            ..ServeOptions::default()
        };
        let mounting = match login::of_settings() {
            Some(login) => {
                Serve::new(App::new()).options(options).login(login).into_administration().await
            }
            None => administration(options).await,
        };
        let (service, handle) = mounting.map_err(|error| match Failure::from(error) {
            Failure::Failed(message) => Failure::Failed(format!(
                "{message}; the bucket is chosen by --storage or the setting storage, and a running server by --server URL"
            )),
            other => other,
        })?;
        Ok(Self { service, handle })
    }

    pub(super) async fn send(&self, ask: &Ask, prefix: &str) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(ask.method.clone()).uri(ask.target(prefix));
        request = request.header("host", "localhost");
        if let Some(kind) = ask.content_type {
            request = request.header("content-type", kind);
        }
        if let Some((name, value)) = &ask.condition {
            request = request.header(*name, value);
        }
        let request = request
            .body(Full::new(ask.body.clone()))
            .map_err(|cause| Failure::of("cannot prepare the request", cause))?;
        let answered: Result<_, Infallible> = self.service.clone().call(request).await;
        Ok(answered.unwrap_or_else(|never| match never {}))
    }

    /// Releases what it has.
    pub(super) async fn end(self) {
        self.handle.shutdown().await;
    }
}
