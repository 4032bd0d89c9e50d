//! The broker as the server sees it: its endpoints, and those that every server has.

use std::time::Duration;

use bytes::Bytes;
use dotdo_core::{
    At, Error, ObjectId, Received, Request, RequestContext, Response, Result, StoreError,
};

use super::api::Broker;
use super::bodies::BODY_BYTES_MAX;
use crate::edge::{Edge, Objects};
use crate::server::Front;

/// The paths that every server has.
const COMMON: [&str; 3] = ["/health", "/ready", "/metrics"];

/// The broker behind an edge.
pub(super) struct BrokerFront(Edge<Broker>);

impl BrokerFront {
    pub(super) fn new(edge: Edge<Broker>) -> Self {
        Self(edge)
    }
}

impl Front for BrokerFront {
    type Objects = Broker;

    fn objects(&self) -> &Broker {
        self.0.objects()
    }

    async fn answer<B>(&self, request: http::Request<B>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let edge = &self.0;
        if COMMON.contains(&request.uri().path()) {
            return edge.answer(request).await;
        }
        edge.answer_by(request, BODY_BYTES_MAX, async |asked| {
            edge.objects().answer(asked, async |asked| edge.identify(asked).await).await
        })
        .await
    }
}

/// The broker has no objects.
impl Objects for Broker {
    async fn fetch(&self, _: &ObjectId, _: Option<At>, _: Request) -> Result<Response> {
        Err(Error::not_found("the broker has no objects").with_code("NO_ENDPOINT"))
    }

    async fn receive(&self, _: &ObjectId, _: RequestContext, _: Request) -> Received {
        Received::NotOwner
    }

    async fn admits(&self, _: &ObjectId) -> bool {
        false
    }

    async fn ready(&self) -> Result<()> {
        self.check_store().await.map_err(|cause: StoreError| cause.into())
    }

    async fn finish_background(&self) {}

    async fn shutdown(&self, _: Duration) {}
}
