//! Tracks open connections: how long each has been idle, whether it waits for a client that does
//! not read, and which one to close for a new one.
//!
//! A connection is idle if it has no requests in flight and writes nothing of size. HTTP/2 pings do
//! not count, because both sides can send them forever. Which tenants have too many of them is in
//! `shares`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_core::{Body as Content, Error, Response, Tenant, millis};
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::shares::Shares;
use super::streams::{self, Waits};
use crate::edge::{ClientConnection, CountsTenants};

/// Minimum write in bytes that counts as progress of a response; a smaller one may answer a ping.
const PROGRESS_BYTES: usize = 1024;
/// Maximum size of a chunk of a response over HTTP/2: a frame size that every client accepts (RFC
/// 9113, section 4.2).
const PIECE_BYTES: usize = 16 << 10;

/// All open connections.
pub(super) struct Connections {
    state: Mutex<State>,
    next: AtomicU64,
}

struct State {
    open: HashMap<u64, Arc<Open>>,
    shares: Shares,
}

/// One open connection.
pub(super) struct Open {
    client: Option<IpAddr>,
    /// Whether it is a server of the same bucket, which is not counted by its address.
    is_peer: AtomicBool,
    /// Whose newest request it carried.
    tenant: Mutex<Option<Tenant>>,
    opened: Instant,
    /// Number of requests whose responses are not sent yet.
    requests: AtomicUsize,
    /// Time of the last activity, in milliseconds since it was opened.
    last: AtomicU64,
    /// Bodies that returned a chunk and were not polled for the next, with the time.
    waiting: Mutex<HashMap<u64, Instant>>,
    next: AtomicU64,
    is_leaving: AtomicBool,
    leave: Notify,
}

/// Keeps a connection registered until it is dropped.
pub(super) struct Entry {
    connections: Arc<Connections>,
    id: u64,
    pub(super) open: Arc<Open>,
}

impl Connections {
    /// No connections yet, of which there may be `connections_max`.
    pub(super) fn new(connections_max: usize) -> Self {
        let state = State { open: HashMap::new(), shares: Shares::new(connections_max) };
        Self { state: Mutex::new(state), next: AtomicU64::new(0) }
    }

    /// A connection from `client`.
    pub(super) fn enter(self: &Arc<Self>, client: Option<IpAddr>) -> Entry {
        let open = Arc::new(Open {
            client,
            is_peer: AtomicBool::new(false),
            tenant: Mutex::default(),
            opened: Instant::now(),
            requests: AtomicUsize::new(0),
            last: AtomicU64::new(0),
            waiting: Mutex::default(),
            next: AtomicU64::new(0),
            is_leaving: AtomicBool::new(false),
            leave: Notify::new(),
        });
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.state.lock().open.insert(id, Arc::clone(&open));
        Entry { connections: Arc::clone(self), id, open }
    }

    /// Number of `client`'s connections that are open and not about to be closed.
    pub(super) fn of(&self, client: IpAddr) -> usize {
        self.state
            .lock()
            .open
            .values()
            .filter(|open| open.counts_for(client) && !open.is_leaving.load(Ordering::Relaxed))
            .count()
    }

    /// Asks the connection that has been idle longest to close, among those of `client` or all,
    /// and first among those of tenants that have more than their share; `false` if none is idle.
    pub(super) fn make_room(&self, client: Option<IpAddr>) -> bool {
        let state = self.state.lock();
        let State { open, shares } = &*state;
        let candidates =
            open.values().filter(|open| client.is_none_or(|client| open.counts_for(client)));
        let is_over =
            |open: &Open| open.tenant.lock().as_ref().is_some_and(|tenant| shares.is_over(tenant));
        let idlest = candidates
            .filter(|open| open.is_idle() && !open.is_leaving.load(Ordering::Relaxed))
            .max_by_key(|open| (is_over(open), open.idle()));
        if let Some(idlest) = idlest {
            idlest.leave();
        }
        idlest.is_some()
    }

    /// Counts a connection for `tenant`, whose request it carries, instead of whoever it was
    /// counted for.
    ///
    /// # Errors
    ///
    /// `Busy` when few places are left and the tenant has more than its share of connections. The
    /// connection closes.
    pub(super) fn claim(&self, open: &Open, tenant: &Tenant) -> Result<(), Error> {
        let mut state = self.state.lock();
        let mut owner = open.tenant.lock();
        if owner.as_ref() != Some(tenant) {
            state.shares.move_from(owner.replace(tenant.clone()).as_ref(), tenant);
        }
        drop(owner);
        let taken = state.open.len();
        state.shares.check(tenant, taken).inspect_err(|_| open.leave())
    }
}

impl Entry {
    /// This connection, as the edge counts it; `None` for one that carries requests of many
    /// clients.
    pub(super) fn counted(&self) -> Option<ClientConnection> {
        self.open.client?;
        let connection = Counted { connections: self.connections.clone(), open: self.open.clone() };
        Some(ClientConnection::new(connection))
    }
}

/// A connection, to be counted for the tenants of its requests.
struct Counted {
    connections: Arc<Connections>,
    open: Arc<Open>,
}

impl CountsTenants for Counted {
    fn count_for(&self, tenant: &Tenant) -> Result<(), Error> {
        self.connections.claim(&self.open, tenant)
    }
}

impl Open {
    /// Counts a request until the returned guard is dropped with its response.
    pub(super) fn request(self: &Arc<Self>) -> Underway {
        self.requests.fetch_add(1, Ordering::Relaxed);
        Underway { open: Arc::clone(self), id: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    /// Marks the connection as another server's.
    pub(super) fn is_peer_s(&self) {
        self.is_peer.store(true, Ordering::Relaxed);
    }

    /// Asks the connection to close as soon as its requests are answered.
    fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    fn counts_for(&self, client: IpAddr) -> bool {
        self.client == Some(client) && !self.is_peer.load(Ordering::Relaxed)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
    }

    /// Time since the last activity.
    fn idle(&self) -> Duration {
        self.opened
            .elapsed()
            .saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    fn act(&self) {
        self.last.store(millis::of(self.opened.elapsed()), Ordering::Relaxed);
    }

    /// Completes when the connection must close for another one, or has been idle for `limit`.
    pub(super) async fn leaving(&self, limit: Duration) {
        let idle = async {
            loop {
                let spent = if self.is_idle() { self.idle() } else { Duration::ZERO };
                if spent >= limit {
                    return;
                }
                tokio::time::sleep(limit - spent).await;
            }
        };
        tokio::select! {
            () = self.leave.notified() => {}
            () = idle => self.is_leaving.store(true, Ordering::Relaxed),
        }
    }

    /// Completes when a response has waited for its client for `limit` while nothing was written.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            tokio::time::sleep(limit / 4).await;
            let waits = self.waiting.lock().values().any(|since| since.elapsed() >= limit);
            if waits && self.idle() >= limit {
                return;
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.connections.state.lock();
        state.open.remove(&self.id);
        if let Some(tenant) = self.open.tenant.lock().take() {
            state.shares.leave(&tenant);
        }
    }
}

/// A request in flight.
pub(super) struct Underway {
    open: Arc<Open>,
    id: u64,
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.open.waiting.lock().remove(&self.id);
        self.open.requests.fetch_sub(1, Ordering::Relaxed);
        self.open.act();
    }
}

/// The response of an HTTP/2 stream, for the task that may reset the stream.
struct Sending {
    open: Arc<Open>,
    id: u64,
}

impl Waits for Sending {
    fn is_stalled(&self, limit: Duration) -> bool {
        let since = self.open.waiting.lock().get(&self.id).copied();
        since.is_some_and(|since| since.elapsed() >= limit) && self.open.idle() < limit
    }
}

/// The body of a response, which records when the client reads it.
pub(super) struct Sent {
    body: Content,
    /// Whether it is HTTP/2, where chunks are small so that each polled chunk shows that the client
    /// reads.
    is_in_pieces: bool,
    /// Data of the body that was not polled yet.
    rest: Bytes,
    underway: Underway,
}

impl Sent {
    /// Starts to track the response to a request.
    pub(super) fn of(response: Response, underway: Underway) -> http::Response<Self> {
        underway.open.waiting.lock().insert(underway.id, Instant::now());
        let sending = || Sending { open: Arc::clone(&underway.open), id: underway.id };
        let is_in_pieces = streams::note(sending);
        response.map(|body| Self { body, is_in_pieces, rest: Bytes::new(), underway })
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.rest.is_empty() {
            let next = ready!(Pin::new(&mut self.body).poll_frame(cx));
            match next.map(|next| next.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => self.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let piece = if self.is_in_pieces { PIECE_BYTES } else { self.rest.len() };
        let piece = self.rest.split_to(self.rest.len().min(piece));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let polled = this.next(cx);
        let mut waiting = this.underway.open.waiting.lock();
        if let Poll::Ready(Some(Ok(_))) = polled {
            waiting.insert(this.underway.id, Instant::now());
        } else {
            waiting.remove(&this.underway.id);
        }
        drop(waiting);
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

/// The byte stream of a connection, which records progress.
pub(super) struct Noted<I> {
    pub(super) io: I,
    pub(super) open: Arc<Open>,
}

impl<I> Noted<I> {
    fn note(&self, polled: &Poll<std::io::Result<usize>>) {
        if let Poll::Ready(Ok(PROGRESS_BYTES..)) = polled {
            self.open.act();
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Noted<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Noted<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
