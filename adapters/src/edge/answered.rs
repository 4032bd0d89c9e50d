//! A service with a ready response, to apply a tower layer to that response.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tower::Service;

/// A service that answers once with its response.
#[derive(Debug, Clone)]
pub(super) struct Answered<B>(pub(super) http::Response<B>);

impl<B: Default> Service<http::Request<()>> for Answered<B> {
    type Response = http::Response<B>;
    type Error = Infallible;
    type Future = Ready<Result<http::Response<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<()>) -> Self::Future {
        ready(Ok(std::mem::take(&mut self.0)))
    }
}

/// The response of a layer around an [`Answered`] for `request`.
pub(super) fn ask<S, B>(mut layer: S, request: http::Request<()>) -> http::Response<B>
where
    S: Service<http::Request<()>, Response = http::Response<B>, Error = Infallible>,
{
    let answer = layer
        .call(request)
        .now_or_never()
        .expect("nothing around a response that is there has to be waited for");
    answer.unwrap_or_else(|never| match never {})
}
