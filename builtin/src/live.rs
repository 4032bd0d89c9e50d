//! Events for readers that wait for them (docs/design/0033-built-in-class-over-http.md).
//!
//! Promises: a reader gets the events of an object in their order, each once, none left out; where
//! that can't be kept its stream ends, and it comes again with the number of its last event. No
//! event leaves before its record is in the bucket. Nobody waits for a reader.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use dotdo::bytes::Bytes;
use dotdo::{Body, Context, Error, ErrorKind, Result};
use http::HeaderMap;
use http_body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};

use super::cursor::Cursor;
use super::fields::{Collection, Object};
use super::list;
use super::query::{Begin, Query};

/// Maximum number of readers of an object.
const READERS_MAX: usize = 1000;
/// Number of writes whose events wait for a reader; a slower one comes again.
const WAITING_MAX: usize = 64;
/// How long a stream is silent before it ends: another instance may have written, and proxies end
/// what is silent for a minute.
const SILENCE_MAX: Duration = Duration::from_secs(25);
/// How long a client waits before it comes again, in milliseconds.
const RETRY_MS: u32 = 1000;

/// What a client sends when it comes again (HTML, section 9.2).
const LAST_EVENT_ID: &str = "last-event-id";

/// The events of a write.
type Note = Arc<Vec<Event>>;

/// The readers of an object.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    readers: Arc<Mutex<Vec<mpsc::Sender<Note>>>>,
}

/// An event, as readers get it.
#[derive(Debug)]
struct Event {
    sequence: i64,
    text: Bytes,
}

impl Live {
    /// Whether anybody reads.
    pub(super) fn has_readers(&self) -> bool {
        self.with(|readers| {
            readers.retain(|reader| !reader.is_closed());
            !readers.is_empty()
        })
    }

    /// The body for a reader that has the events up to `last`; without it, those that are there now.
    ///
    /// # Errors
    ///
    /// `Busy` when there are too many readers.
    pub(super) fn read(&self, ctx: &mut Context, last: Option<i64>) -> Result<Body> {
        let last = last.map_or_else(|| newest(ctx), Ok)?;
        let (events, is_whole) = after(ctx, last)?;
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        // The number alone is no event, but what the client sends when it comes again.
        let head = format!("retry: {RETRY_MS}\nid: {last}\n\n");
        let mut stream = Stream {
            receiver,
            next: last.saturating_add(1),
            ready: VecDeque::from([Bytes::from(head)]),
            has_ended: false,
            silence: Box::pin(tokio::time::sleep(SILENCE_MAX)),
        };
        stream.take(&events);
        // The client comes again for what does not fit.
        stream.has_ended |= !is_whole;
        self.with(|readers| {
            readers.retain(|reader| !reader.is_closed());
            if readers.len() >= READERS_MAX {
                let text = format!("{READERS_MAX} clients read the events of this object already");
                return Err(Error::new(ErrorKind::Busy, text));
            }
            readers.push(sender);
            Ok(())
        })?;
        Ok(Body::new(stream))
    }

    /// Gives the readers the events after `last` once they are in the bucket.
    pub(super) fn announce(&self, ctx: &mut Context, last: i64) -> Result<()> {
        let (events, _) = after(ctx, last)?;
        if events.is_empty() {
            return Ok(());
        }
        let (live, note) = (self.clone(), Arc::new(events));
        ctx.after_commit(move || {
            // A reader that is too slow misses a number, which ends its stream.
            live.with(|readers| {
                readers.retain(|reader| reader.try_send(Arc::clone(&note)).is_ok())
            });
        });
        Ok(())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<mpsc::Sender<Note>>) -> T) -> T {
        work(&mut self.readers.lock().expect("no work with the list panics"))
    }
}

/// The last event that a client has, by its header or its query; `None` when it wants those that come.
///
/// # Errors
///
/// `Invalid` for a header that is no number.
pub(super) fn last(begin: Begin, headers: &HeaderMap) -> Result<Option<i64>> {
    let Some(header) = headers.get(LAST_EVENT_ID) else {
        return Ok(match begin {
            Begin::Now => None,
            Begin::After(last) => Some(last),
        });
    };
    let number = header.to_str().ok().and_then(|text| text.trim().parse().ok());
    let number = number.ok_or_else(|| {
        Error::invalid(format!(
            "`{LAST_EVENT_ID}`: expected the number of an event, got {header:?}"
        ))
    })?;
    Ok(Some(number))
}

/// The number of the newest event.
pub(super) fn newest(ctx: &mut Context) -> Result<i64> {
    ctx.sql().exec("SELECT coalesce(max(\"sequence\"), 0) FROM events", ())?.one()
}

/// The events after `last` that fit a page, and whether these are all.
fn after(ctx: &mut Context, last: i64) -> Result<(Vec<Event>, bool)> {
    let query = Query { after: Some(Cursor::Row(last)), ..Query::whole_page() };
    let page = list::page(ctx, Collection::Events, &query)?;
    let events = page.items.into_iter().map(Event::of).collect();
    Ok((events, page.next.is_none()))
}

impl Event {
    fn of(item: Object) -> Self {
        let sequence = item.get("sequence").and_then(Value::as_i64).unwrap_or_default();
        // JSON has no line breaks, which would end the data.
        let text = format!("id: {sequence}\ndata: {}\n\n", Value::Object(item));
        Self { sequence, text: text.into() }
    }
}

/// The body for a reader.
struct Stream {
    receiver: mpsc::Receiver<Note>,
    /// The number of the event that comes next.
    next: i64,
    ready: VecDeque<Bytes>,
    /// Whether the stream ends after what is ready.
    has_ended: bool,
    silence: Pin<Box<Sleep>>,
}

impl Stream {
    /// Takes what the reader has not had, up to the first that is missing.
    fn take(&mut self, events: &[Event]) {
        for event in events.iter().filter(|_| !self.has_ended) {
            if event.sequence == self.next {
                self.ready.push_back(event.text.clone());
                self.next += 1;
            } else if event.sequence > self.next {
                self.has_ended = true;
                return;
            }
        }
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        loop {
            if let Some(text) = this.ready.pop_front() {
                this.silence.as_mut().reset(Instant::now() + SILENCE_MAX);
                return Poll::Ready(Some(Ok(Frame::data(text))));
            }
            if this.has_ended {
                return Poll::Ready(None);
            }
            match this.receiver.poll_recv(cx) {
                Poll::Ready(Some(events)) => this.take(&events),
                Poll::Ready(None) => this.has_ended = true,
                Poll::Pending => {
                    return this.silence.as_mut().poll(cx).map(|()| None);
                }
            }
        }
    }
}
