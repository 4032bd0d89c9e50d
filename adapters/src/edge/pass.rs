//! Passes requests to the gateway, if there is one, in the place of the routes to objects.

use dotdo_core::{
    Body, Caller, Error, ErrorKind, REQUEST_ID_HEADER, Request, Response, Result, Route, Target,
    Tenant,
};
use http::{HeaderValue, request};

use super::gateway::{CLASS, SharedGateway};
use super::{Edge, Objects};

impl<O: Objects> Edge<O> {
    /// Where a request goes: if there is a gateway, whatever would go to an object or nowhere goes
    /// there.
    pub(super) fn through_gateway(
        &self,
        route: Result<Route>,
        tenant: &Tenant,
        head: &request::Parts,
    ) -> Result<Route> {
        if self.settings.gateway.is_none() || !matches!(route, Ok(Route::Object(_)) | Err(_)) {
            return route;
        }
        let path_and_query = head.uri.path_and_query().cloned();
        Ok(Route::Object(Target {
            object: tenant.object(CLASS, CLASS)?,
            path_and_query: path_and_query
                .unwrap_or_else(|| http::uri::PathAndQuery::from_static("/")),
            at: None,
        }))
    }

    /// The gateway, if `target` stands for it.
    pub(super) fn gateway(&self, target: &Target) -> Option<&SharedGateway> {
        self.settings.gateway.as_ref().filter(|_| target.object.class() == CLASS)
    }

    /// Has the gateway begin what goes on without requests.
    ///
    /// # Errors
    ///
    /// The gateway's.
    pub(crate) async fn begin(&self) -> Result<()> {
        match (&self.settings.gateway, self.objects.engine()) {
            (Some(gateway), Some(engine)) => {
                gateway.begin(engine.clone(), &self.settings.home).await
            }
            _ => Ok(()),
        }
    }

    /// Looks at what is due, for a platform's timer.
    ///
    /// # Errors
    ///
    /// The gateway's; those of the store.
    pub(crate) async fn tick(&self) -> Result<()> {
        self.begin().await?;
        self.objects.tick().await
    }

    /// The gateway's answer to a request whose body has been received.
    pub(super) async fn pass_to(
        &self,
        gateway: &SharedGateway,
        (mut head, body): (request::Parts, Body),
        caller: Caller,
        id: HeaderValue,
    ) -> Result<Response> {
        let engine = self.objects.engine().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "this server has no objects").with_code("NO_ENDPOINT")
        })?;
        head.headers.insert(REQUEST_ID_HEADER, id);
        gateway.fetch(Request::from_parts(head, body), engine.clone(), caller).await
    }
}
