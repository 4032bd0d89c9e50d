//! Bodies that are read or sent piece by piece: those of responses that come from outside, and those
//! that code makes while the client reads.
//!
//! Promises: what is not read yet is not in memory, besides one piece; code that makes a body waits when
//! its client is slow, and learns when it is gone; a body that ends early is told as broken off.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};

use dotdo::bytes::Bytes;
use dotdo::engine::sync::Mutex;
use dotdo::{Body, Error, Result};
use futures_util::FutureExt;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use tokio::sync::{Notify, mpsc};

use crate::event::{Answer, BodyChange, Failed, OfBody, Outcome};
use crate::limits::{BODY_WHOLE_BYTES_MAX, PIECE_BYTES_MAX, QUEUED_BYTES_MAX, UNREAD_MAX};

/// How an event has ended, and the body of its response.
pub(crate) type Ended = (Outcome, Body);

/// The body of a response from outside.
pub(crate) enum Arrived {
    /// It is short and has come as a whole.
    Whole(Vec<u8>),
    /// Code reads it when it wants.
    Streamed(Body),
}

impl Arrived {
    /// Reads `body`, if its head says that it is short.
    ///
    /// # Errors
    ///
    /// Those of the body.
    pub(crate) async fn of(body: Body) -> Result<Self> {
        let is_short = body.size_hint().exact().is_some_and(|bytes| bytes <= BODY_WHOLE_BYTES_MAX);
        if is_short {
            return Ok(Self::Whole(body.bytes().await?.to_vec()));
        }
        Ok(Self::Streamed(body))
    }
}

/// The bodies of an object in memory, or of a request to the worker.
#[derive(Default)]
pub(crate) struct Bodies {
    pub(crate) inlets: Inlets,
    pub(crate) outlets: Outlets,
}

impl Bodies {
    /// What `answer` has brought, for its event: a whole body, or a note that there is one to be read.
    pub(crate) fn arrive(&self, answer: &mut Answer, body: Option<Arrived>) -> Option<Vec<u8>> {
        match body? {
            Arrived::Whole(bytes) => Some(bytes),
            Arrived::Streamed(body) => {
                answer.streams = true;
                self.inlets.keep(answer.call, body);
                None
            }
        }
    }

    /// How an event has ended, with its response's body: `body` is what there is of it.
    pub(crate) fn ended(&self, outcome: Outcome, body: Option<Vec<u8>>) -> Ended {
        let body = match (outcome.stream, outcome.passes) {
            (Some(number), _) => self.outlets.open(number, body.unwrap_or_default()),
            (None, Some(number)) => self.inlets.take(number).unwrap_or_else(Sent::broken),
            (None, None) => body.map_or_else(Body::empty, Body::from),
        };
        (outcome, body)
    }

    /// Waits for what the operation `id` waits for: its answer, with the piece if there is one.
    pub(crate) async fn wait(&self, id: u64, waits: OfBody) -> (Answer, Option<Vec<u8>>) {
        let mut answer = Answer { call: id, piece: true, ..Answer::default() };
        match waits {
            OfBody::Room(number) => self.outlets.room(number).await,
            OfBody::Gone(number) => self.outlets.gone(number).await,
            OfBody::Piece(number) => match self.inlets.read(number).await {
                Ok(piece) => return (answer, piece),
                Err(error) => answer.error = Some(Failed::of(&error)),
            },
        }
        (answer, None)
    }

    /// Does what a slice has done to bodies.
    pub(crate) fn change(&self, change: BodyChange) {
        match change {
            BodyChange::Sent { stream, piece } => self.outlets.send(stream, piece),
            BodyChange::Finished { stream, failed } => self.outlets.end(stream, failed),
            BodyChange::Dropped(number) => self.inlets.forget(number),
        }
    }

    /// What has made and read them has ended.
    pub(crate) fn end(&self) {
        self.outlets.0.lock().clear();
        self.inlets.0.lock().clear();
    }
}

/// Bodies that code has not read to their ends, under the numbers of the operations that brought them.
#[derive(Default)]
pub(crate) struct Inlets(Mutex<HashMap<u64, Arc<tokio::sync::Mutex<Kept>>>>);

struct Kept {
    body: Body,
    /// Its end, if that came with a piece: with an error or without.
    end: Option<Result<()>>,
}

impl Inlets {
    /// Keeps `body` for code to read it, in the place of an older one if there are many.
    pub(crate) fn keep(&self, number: u64, body: Body) {
        let kept = Kept { body, end: None };
        let mut all = self.0.lock();
        if all.len() >= UNREAD_MAX {
            // The one that nobody has wanted for the longest time.
            let unread = all.iter().filter(|(_, kept)| Arc::strong_count(kept) == 1);
            let oldest = unread.map(|(number, _)| *number).min();
            oldest.map(|oldest| all.remove(&oldest));
        }
        all.insert(number, Arc::new(tokio::sync::Mutex::new(kept)));
    }

    /// The body with this number as it is: nobody reads it.
    pub(crate) fn take(&self, number: u64) -> Option<Body> {
        let kept = self.0.lock().remove(&number)?;
        Some(Arc::into_inner(kept)?.into_inner().body)
    }

    /// Reads the next piece: what has come, but at least one byte; `None` at the end.
    ///
    /// # Errors
    ///
    /// Those of the body; `Invalid` when there is none with this number.
    pub(crate) async fn read(&self, number: u64) -> Result<Option<Vec<u8>>> {
        let kept = self.0.lock().get(&number).cloned();
        let kept = kept.ok_or_else(|| {
            Error::invalid(
                "the body is not here any more: it is of another request or object, or many have come after it that were not read either; read or cancel bodies when they come",
            )
        })?;
        let mut kept = kept.lock().await;
        let mut piece = Vec::new();
        while kept.end.is_none() && piece.len() < PIECE_BYTES_MAX {
            let next = match piece.is_empty() {
                true => Some(frame(&mut kept.body).await),
                false => frame(&mut kept.body).now_or_never(),
            };
            match next {
                Some(Some(Ok(bytes))) => piece.extend_from_slice(&bytes),
                Some(Some(Err(error))) => kept.end = Some(Err(error)),
                Some(None) => kept.end = Some(Ok(())),
                None => break,
            }
        }
        if !piece.is_empty() {
            return Ok(Some(piece));
        }
        self.forget(number);
        kept.end.take().unwrap_or(Ok(())).map(|()| None)
    }

    /// Nobody reads it any more.
    pub(crate) fn forget(&self, number: u64) {
        self.0.lock().remove(&number);
    }
}

/// The next bytes of a body; `None` at its end.
async fn frame(body: &mut Body) -> Option<Result<Bytes>> {
    Some(body.frame().await?.map(|frame| frame.into_data().unwrap_or_default()))
}

/// Bodies that code makes, under numbers of its own.
#[derive(Default)]
pub(crate) struct Outlets(Mutex<HashMap<u64, Outlet>>);

struct Outlet {
    pieces: mpsc::UnboundedSender<Piece>,
    flow: Arc<Flow>,
}

enum Piece {
    Bytes(Bytes),
    End,
    Failed(Error),
}

/// What the two ends of a body know of each other.
#[derive(Default)]
struct Flow {
    queued: AtomicUsize,
    is_gone: AtomicBool,
    changed: Notify,
}

impl Outlets {
    /// The body that begins with `first`, and goes on by [`Outlets::send`].
    pub(crate) fn open(&self, number: u64, first: Vec<u8>) -> Body {
        let (pieces, coming) = mpsc::unbounded_channel();
        let flow = Arc::new(Flow::default());
        self.0.lock().insert(number, Outlet { pieces, flow: flow.clone() });
        self.send(number, first);
        Body::new(Sent { coming, flow })
    }

    /// Sends the next piece. If nobody reads any more it is lost.
    pub(crate) fn send(&self, number: u64, piece: Vec<u8>) {
        if let Some(outlet) = self.0.lock().get(&number).filter(|_| !piece.is_empty()) {
            outlet.flow.queued.fetch_add(piece.len(), Ordering::Relaxed);
            drop(outlet.pieces.send(Piece::Bytes(piece.into())));
        }
    }

    /// Ends a body; `failed` says why it is not whole.
    pub(crate) fn end(&self, number: u64, failed: Option<String>) {
        let outlet = self.0.lock().remove(&number);
        if let Some(outlet) = outlet {
            let end = failed.map_or(Piece::End, |text| Piece::Failed(broken_off(&text)));
            drop(outlet.pieces.send(end));
        }
    }

    /// Waits until few bytes are queued.
    pub(crate) async fn room(&self, number: u64) {
        self.wait(number, |flow| flow.queued.load(Ordering::Relaxed) < QUEUED_BYTES_MAX).await;
    }

    /// Waits until the client is gone.
    pub(crate) async fn gone(&self, number: u64) {
        self.wait(number, |_| false).await;
    }

    async fn wait(&self, number: u64, done: impl Fn(&Flow) -> bool) {
        let Some(flow) = self.0.lock().get(&number).map(|outlet| outlet.flow.clone()) else {
            return;
        };
        loop {
            let mut changed = std::pin::pin!(flow.changed.notified());
            changed.as_mut().enable();
            if flow.is_gone.load(Ordering::Acquire) || done(&flow) {
                return;
            }
            changed.await;
        }
    }

    /// Whether all have ended.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

fn broken_off(text: &str) -> Error {
    Error::handler(format!("the response was broken off: {text}")).with_code("BROKEN_OFF")
}

/// A body as its client reads it.
struct Sent {
    coming: mpsc::UnboundedReceiver<Piece>,
    flow: Arc<Flow>,
}

impl Sent {
    /// The body of which there is nothing.
    fn broken() -> Body {
        Body::new(Self { coming: mpsc::unbounded_channel().1, flow: Arc::default() })
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.coming.poll_recv(cx).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => {
                self.flow.queued.fetch_sub(bytes.len(), Ordering::Relaxed);
                self.flow.changed.notify_waiters();
                Some(Ok(Frame::data(bytes)))
            }
            Some(Piece::End) => None,
            Some(Piece::Failed(error)) => Some(Err(error)),
            None => Some(Err(broken_off("what has made it has ended"))),
        })
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.flow.is_gone.store(true, Ordering::Release);
        self.flow.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_read_as_it_was_sent() {
        let (outlets, inlets) = (Outlets::default(), Inlets::default());
        inlets.keep(7, outlets.open(1, b"one ".to_vec()));
        outlets.send(1, b"two ".to_vec());
        assert_eq!(inlets.read(7).await.expect("a piece"), Some(b"one two ".to_vec()));
        let (piece, ()) = tokio::join!(inlets.read(7), async {
            tokio::task::yield_now().await;
            outlets.send(1, b"three".to_vec());
            outlets.end(1, None);
        });
        assert_eq!(piece.expect("a piece"), Some(b"three".to_vec()));
        assert_eq!(inlets.read(7).await.expect("the end"), None);
        assert!(inlets.read(7).await.is_err(), "it is gone");
    }

    #[tokio::test]
    async fn what_ends_early_is_broken_off() {
        let outlets = Outlets::default();
        for end in [
            |outlets: &Outlets| outlets.end(1, Some("no more ink".to_owned())),
            |outlets: &Outlets| outlets.0.lock().clear(),
        ] {
            let body = outlets.open(1, b"begun".to_vec());
            end(&outlets);
            let error = body.bytes().await.expect_err("it is not whole");
            assert!(error.message().contains("broken off"), "{error}");
        }
    }

    #[tokio::test]
    async fn who_sends_waits_for_a_slow_client_and_learns_that_it_is_gone() {
        let outlets = Outlets::default();
        let mut body = outlets.open(1, vec![0; QUEUED_BYTES_MAX]);
        assert!(outlets.room(1).now_or_never().is_none(), "the client has read nothing");
        let (_, first) = tokio::join!(outlets.room(1), body.frame());
        assert_eq!(first.map(|frame| frame.is_ok()), Some(true));
        assert!(outlets.gone(1).now_or_never().is_none(), "it is there");
        let ((), ()) = tokio::join!(outlets.gone(1), async { drop(body) });
        outlets.send(1, b"lost".to_vec());
        outlets.end(1, None);
        assert!(outlets.is_empty());
    }
}
