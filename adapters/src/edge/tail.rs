//! The readers of the requests that this server answers, while they are answered.
//!
//! Promises: nobody waits for a reader; a reader that is too slow loses lines and is told how many;
//! without readers a request costs one look at a number.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use dotdo_core::sync::Mutex;
use dotdo_core::{Error, Result, Tenant};
use http_body::Frame;
use tokio::sync::mpsc;

/// Number of lines that wait for a reader; further ones are lost.
const WAITING_MAX: usize = 256;

/// Maximum number of readers at the same time: each gets each line.
const READERS_MAX: usize = 64;

/// The readers of the requests that a server answers.
#[derive(Default)]
pub(super) struct Tail {
    readers: Mutex<Vec<Reader>>,
    count: AtomicUsize,
}

struct Reader {
    wanted: Wanted,
    sender: mpsc::Sender<Bytes>,
    lost: Arc<AtomicU64>,
}

/// The requests that a reader wants.
pub(super) struct Wanted {
    pub(super) tenant: Tenant,
    pub(super) class: Option<String>,
    pub(super) id: Option<String>,
}

/// A request that was answered.
pub(super) struct Answered<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) class: Option<&'a str>,
    pub(super) id: Option<&'a str>,
}

impl Wanted {
    fn fits(&self, answered: &Answered<'_>) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == found)
        };
        self.tenant == *answered.tenant
            && is(&self.class, answered.class)
            && is(&self.id, answered.id)
    }
}

impl Tail {
    /// Whether anybody reads.
    pub(super) fn has_readers(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Gives the line that `write` makes to the readers that want it.
    pub(super) fn tell(&self, answered: &Answered<'_>, write: impl FnOnce() -> serde_json::Value) {
        let mut readers = self.readers.lock();
        readers.retain(|reader| !reader.sender.is_closed());
        self.count.store(readers.len(), Ordering::Relaxed);
        let mut wanting = readers.iter().filter(|reader| reader.wanted.fits(answered)).peekable();
        if wanting.peek().is_none() {
            return;
        }
        let line = Bytes::from(format!("{}\n", write()));
        for reader in wanting {
            if reader.sender.try_send(line.clone()).is_err() {
                reader.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// # Errors
    ///
    /// `Busy` when there are too many readers.
    pub(super) fn read(&self, wanted: Wanted) -> Result<Lines> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let mut readers = self.readers.lock();
        readers.retain(|reader| !reader.sender.is_closed());
        if readers.len() >= READERS_MAX {
            let text = format!("{READERS_MAX} clients read this server's requests already");
            return Err(Error::new(dotdo_core::ErrorKind::Busy, text));
        }
        readers.push(Reader { wanted, sender, lost: Arc::clone(&lost) });
        self.count.store(readers.len(), Ordering::Relaxed);
        Ok(Lines { receiver, lost })
    }
}

/// The lines for a reader, as a body.
pub(super) struct Lines {
    receiver: mpsc::Receiver<Bytes>,
    lost: Arc<AtomicU64>,
}

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        // Lines were lost while the channel was full, so those in it are older.
        if this.receiver.is_empty() {
            let lost = this.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let line = format!("{}\n", serde_json::json!({ "lost": lost }));
                return Poll::Ready(Some(Ok(Frame::data(line.into()))));
            }
        }
        this.receiver.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    async fn next(lines: &mut Lines) -> serde_json::Value {
        let frame = lines.frame().await.expect("a line").expect("no error");
        serde_json::from_slice(&frame.into_data().expect("data")).expect("JSON")
    }

    fn wanted(class: Option<&str>, id: Option<&str>) -> Wanted {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Wanted { tenant: Tenant::local(), class: own(class), id: own(id) }
    }

    fn tell(tail: &Tail, tenant: &Tenant, id: &str, number: usize) {
        let answered = Answered { tenant, class: Some("Room"), id: Some(id) };
        tail.tell(&answered, || serde_json::json!({ "id": id, "number": number }));
    }

    #[tokio::test]
    async fn a_reader_gets_what_it_wants_of_its_tenant_alone() {
        let (tail, other) = (Tail::default(), Tenant::new("acme", "shop").expect("a tenant"));
        assert!(!tail.has_readers());
        let mut all = tail.read(wanted(None, None)).expect("a reader");
        let mut one = tail.read(wanted(Some("Room"), Some("b"))).expect("a reader");
        let mut none = tail.read(wanted(Some("Hall"), None)).expect("a reader");
        tell(&tail, &other, "b", 0);
        tell(&tail, &Tenant::local(), "a", 1);
        tell(&tail, &Tenant::local(), "b", 2);
        assert_eq!(next(&mut all).await["number"], 1);
        assert_eq!(next(&mut all).await["number"], 2);
        assert_eq!(next(&mut one).await["number"], 2);
        assert!(none.frame().now_or_never().is_none());
        drop((all, one, none));
        tell(&tail, &Tenant::local(), "a", 3);
        assert!(!tail.has_readers(), "whoever has gone is forgotten");
    }

    #[tokio::test]
    async fn a_slow_reader_loses_lines_and_is_told_how_many() {
        let tail = Tail::default();
        let mut slow = tail.read(wanted(None, None)).expect("a reader");
        for number in 0..WAITING_MAX + 7 {
            tell(&tail, &Tenant::local(), "a", number);
        }
        for number in 0..WAITING_MAX {
            assert_eq!(next(&mut slow).await["number"], number);
        }
        assert_eq!(next(&mut slow).await, serde_json::json!({ "lost": 7 }));
        tell(&tail, &Tenant::local(), "a", 1);
        assert_eq!(next(&mut slow).await["number"], 1);
    }

    #[test]
    fn there_are_not_more_readers_than_the_limit() {
        let tail = Tail::default();
        let readers: Vec<Lines> =
            (0..READERS_MAX).map(|_| tail.read(wanted(None, None)).expect("a reader")).collect();
        assert_eq!(tail.read(wanted(None, None)).err().expect("too many").code(), "BUSY");
        drop(readers);
        assert!(tail.read(wanted(None, None)).is_ok());
    }
}
