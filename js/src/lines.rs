//! WebSockets of which code has one end itself, and not a client of an object: the other one is an
//! object's, another server's, or that of a client of the worker.
//!
//! Promises: frames keep their order; nothing is read from the other end before code listens, and little
//! that it has not heard; when the holder ends, so do its sockets, and the other ends are told.

mod talk;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dotdo::engine::sync::Mutex;
use dotdo::sockets::{SocketClose, SocketMessage};
use dotdo::{Error, Result};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub(crate) use self::talk::Far;
use crate::event::{Answer, FrameAbout, LineChange, LineFrame};
use crate::limits::{LINE_QUEUED_BYTES_MAX, LINE_WAITING_MAX, LINES_MAX};

/// The lines of an object in memory, or of a request to the worker, under numbers of operations.
#[derive(Default)]
pub(crate) struct Lines(Mutex<HashMap<u64, Line>>);

/// What a line is made of: the side of code, and what the talk with the far end takes once there is
/// that end and code listens.
struct Line {
    out: Out,
    coming: Arc<tokio::sync::Mutex<mpsc::Receiver<LineFrame>>>,
    ends: Option<Ends>,
    far: Option<Far>,
    is_open: bool,
    talk: Option<Task>,
}

/// What code sends on a line.
struct Out {
    frames: mpsc::UnboundedSender<LineFrame>,
    queued: Arc<AtomicUsize>,
}

impl Out {
    /// Sends a frame. Whether the other end reads fast enough.
    fn send(&self, frame: LineFrame) -> bool {
        let weight = weight(&frame);
        let before = self.queued.fetch_add(weight, Ordering::Relaxed);
        // Whoever is told of its end knows already.
        let _ = self.frames.send(frame);
        before + weight <= LINE_QUEUED_BYTES_MAX
    }
}

/// The ends of a line's two directions, at the side of its far end.
struct Ends {
    outgoing: mpsc::UnboundedReceiver<LineFrame>,
    queued: Arc<AtomicUsize>,
    came: mpsc::Sender<LineFrame>,
}

/// The two directions of a line: what code sends, what it reads, and the other side of both.
fn directions() -> (Out, mpsc::Receiver<LineFrame>, Ends) {
    let (frames, outgoing) = mpsc::unbounded_channel();
    let (came, coming) = mpsc::channel(LINE_WAITING_MAX);
    let queued = Arc::<AtomicUsize>::default();
    (Out { frames, queued: queued.clone() }, coming, Ends { outgoing, queued, came })
}

impl Ends {
    /// The next frame of code; never, when that has let go of the line.
    async fn next(&mut self) -> LineFrame {
        let Some(frame) = self.outgoing.recv().await else { return std::future::pending().await };
        self.queued.fetch_sub(weight(&frame), Ordering::Relaxed);
        frame
    }
}

/// A task that ends with its handle.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Line {
    fn new(far: Option<Far>) -> Self {
        let (out, coming, ends) = directions();
        let coming = Arc::new(tokio::sync::Mutex::new(coming));
        Self { out, coming, ends: Some(ends), far, is_open: false, talk: None }
    }

    /// Begins the talk, if both sides are there.
    fn begin(&mut self) {
        if !self.is_open || self.far.is_none() {
            return;
        }
        if let (Some(far), Some(ends)) = (self.far.take(), self.ends.take()) {
            self.talk = Some(Task(tokio::spawn(talk::talk(far, ends))));
        }
    }

    fn open(&mut self) {
        self.is_open = true;
        self.begin();
    }

    fn attach(&mut self, far: Far) {
        self.far = Some(far);
        self.begin();
    }

    fn send(&mut self, frame: LineFrame) {
        if !self.out.send(frame) {
            // It breaks off.
            (self.talk, self.ends) = (None, None);
        }
    }
}

fn weight(frame: &LineFrame) -> usize {
    match frame {
        LineFrame::Message(message) => message.len(),
        LineFrame::End(close) => close.reason.len(),
    }
}

impl Lines {
    /// Keeps the end `far` of a socket until code listens to it.
    ///
    /// # Errors
    ///
    /// `Busy` when there are too many.
    pub(crate) fn keep(&self, number: u64, far: Far) -> Result<()> {
        let mut lines = self.0.lock();
        if lines.len() >= LINES_MAX {
            // The one to which nobody has listened for the longest time.
            let oldest = lines.iter().filter(|(_, line)| !line.is_open).map(|(number, _)| *number);
            oldest.min().map(|oldest| lines.remove(&oldest));
        }
        if lines.len() >= LINES_MAX {
            let text = format!(
                "expected at most {LINES_MAX} open WebSockets of an object or a request to the worker, got more; close some"
            );
            return Err(Error::new(dotdo::ErrorKind::Busy, text).with_code("TOO_MANY_SOCKETS"));
        }
        lines.insert(number, Line::new(Some(far)));
        Ok(())
    }

    /// Gives a line that code has made its other end.
    pub(crate) fn attach(&self, number: u64, far: Far) {
        if let Some(line) = self.0.lock().get_mut(&number) {
            line.attach(far);
        }
    }

    /// The other end of a socket that code does not listen to, to pass it on. A line that has no other
    /// end yet stays.
    pub(crate) fn take(&self, number: u64) -> Option<Far> {
        let mut lines = self.0.lock();
        let is_free = |line: &Line| !line.is_open && line.far.is_some();
        let line =
            if lines.get(&number).is_some_and(is_free) { lines.remove(&number) } else { None };
        line?.far
    }

    /// Does what code has done.
    pub(crate) fn change(&self, number: u64, change: LineChange) {
        let mut lines = self.0.lock();
        match change {
            LineChange::Made => _ = lines.insert(number, Line::new(None)),
            LineChange::Opened => {
                if let Some(line) = lines.get_mut(&number) {
                    line.open();
                }
            }
            LineChange::Sent(frame) => {
                if let Some(line) = lines.get_mut(&number) {
                    line.send(frame);
                }
            }
            LineChange::Dropped => drop(lines.remove(&number)),
        }
    }

    /// Waits for what comes next on a line: the answer of the operation `id`, with bytes.
    pub(crate) async fn next(&self, id: u64, number: u64) -> (Answer, Option<Vec<u8>>) {
        let coming = self.0.lock().get(&number).map(|line| line.coming.clone());
        let frame = match coming {
            Some(coming) => coming.lock().await.recv().await,
            None => None,
        };
        let (about, bytes) = match frame {
            Some(LineFrame::Message(SocketMessage::Text(text))) => (FrameAbout::Text(text), None),
            Some(LineFrame::Message(SocketMessage::Binary(bytes))) => {
                (FrameAbout::Binary, Some(bytes.to_vec()))
            }
            Some(LineFrame::End(SocketClose { code, reason })) => {
                (FrameAbout::End { code, reason }, None)
            }
            None => (FrameAbout::End { code: broken().code, reason: broken().reason }, None),
        };
        if matches!(about, FrameAbout::End { .. }) {
            self.0.lock().remove(&number);
        }
        (Answer { call: id, frame: Some(about), ..Answer::default() }, bytes)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Their holder has ended.
    pub(crate) fn end(&self) {
        let lines = std::mem::take(&mut *self.0.lock());
        drop(lines);
    }
}

/// Passes on between two ends, without code, until both have ended.
pub(crate) async fn relay([one, other]: [Far; 2]) {
    let (to_one, from_one, ends_of_one) = directions();
    let (to_other, from_other, ends_of_other) = directions();
    let talks =
        async { tokio::join!(talk::talk(one, ends_of_one), talk::talk(other, ends_of_other)) };
    tokio::join!(talks, pass(from_one, to_other), pass(from_other, to_one));
}

async fn pass(mut from: mpsc::Receiver<LineFrame>, to: Out) {
    loop {
        let frame = from.recv().await.unwrap_or_else(|| LineFrame::End(broken()));
        let is_last = matches!(frame, LineFrame::End(_));
        if !to.send(frame) || is_last {
            // What comes after the end of one is dropped with the other.
            while from.recv().await.is_some() {}
            return;
        }
    }
}

/// What stands for the end of a connection that broke off.
fn broken() -> SocketClose {
    SocketClose::new(1006, "")
}

#[cfg(test)]
mod tests {
    use dotdo::{Body, Response};

    use super::*;

    fn far() -> Far {
        Far::Object(Response::new(Body::empty()))
    }

    #[tokio::test]
    async fn a_line_that_code_has_made_waits_for_its_other_end() {
        let lines = Lines::default();
        lines.change(1, LineChange::Made);
        assert!(lines.take(1).is_none());
        lines.attach(1, far());
        assert!(lines.take(1).is_some());
        assert!(lines.is_empty());
    }

    #[tokio::test]
    async fn only_sockets_to_which_nobody_listens_make_room() {
        let lines = Lines::default();
        for number in 0..LINES_MAX as u64 {
            lines.keep(number, far()).expect("there is room");
        }
        lines.keep(5000, far()).expect("the oldest makes room");
        assert!(lines.take(0).is_none(), "it was the oldest");
        for number in (1..LINES_MAX as u64).chain([5000]) {
            lines.change(number, LineChange::Opened);
        }
        let error = lines.keep(5001, far()).expect_err("code listens to all of them");
        assert_eq!(error.code(), "TOO_MANY_SOCKETS");
        // The talk with what is no connection ends, and so does the line when code has heard of it.
        let (answer, _) = lines.next(1, 5000).await;
        assert!(matches!(answer.frame, Some(FrameAbout::End { code: 1006, .. })), "{answer:?}");
        lines.keep(5001, far()).expect("there is room");
    }
}
