//! A body that is held back until the receiver requests it. Until then the sender may take it back,
//! and knows that nobody has seen it.

use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_core::{Body, Error};
use http_body::Frame;
use tokio::sync::Notify;

/// The end of the body for the connection.
pub(super) struct Held {
    hold: Hold,
    body: Option<Body>,
}

/// The sender's end of a [`Held`]. Clones share it.
#[derive(Clone)]
pub(super) struct Hold(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    asked: Notify,
}

struct State {
    /// `None` once it was released or taken back.
    body: Option<Body>,
    is_asked: bool,
    waker: Option<Waker>,
}

/// Holds `body` back.
pub(super) fn hold(body: Body) -> (Held, Hold) {
    let state = Mutex::new(State { body: Some(body), is_asked: false, waker: None });
    let hold = Hold(Arc::new(Shared { state, asked: Notify::new() }));
    (Held { hold: hold.clone(), body: None }, hold)
}

impl Hold {
    /// Releases the body.
    pub(super) fn release(&self) {
        let mut state = self.state();
        state.is_asked = true;
        state.waker.take().into_iter().for_each(Waker::wake);
        drop(state);
        self.0.asked.notify_one();
    }

    /// Completes when the body was requested.
    pub(super) async fn asked(&self) {
        self.0.asked.notified().await;
    }

    /// Takes the body back; `None` if it was already requested.
    pub(super) fn withdraw(&self) -> Option<Body> {
        let mut state = self.state();
        if state.is_asked { None } else { state.body.take() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.body.is_none() {
            let mut state = self.hold.state();
            if state.body.is_some() && !state.is_asked {
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let Some(body) = state.body.take() else {
                return Poll::Ready(Some(Err(Error::internal("the request was withdrawn"))));
            };
            drop(state);
            self.body = Some(body);
        }
        let body = self.body.as_mut().expect("it is here now");
        Pin::new(body).poll_frame(cx)
    }

    /// Never `true` before the end was requested, because an empty body is held back, too.
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }
}
