//! Request bodies, limited in size and time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use dotdo_core::{Account, Error, ErrorKind};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, Sleep};

/// The body of a request, as a connection or a platform gives it.
pub(crate) trait RequestBody:
    Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Send + Unpin + 'static
{
}

impl<B> RequestBody for B where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static>
        + Send
        + Unpin
        + 'static
{
}

/// The limits for the sender of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Maximum pause.
    pub(super) stall: Duration,
    /// Minimum average rate in bytes per second, once the maximum pause has passed; 0 means none.
    pub(super) bytes_per_second_min: u64,
    /// Maximum time for the whole body.
    pub(super) time_max: Duration,
}

/// What a body may have and take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Maximum size, in bytes.
    pub(super) bytes_max: u64,
    pub(super) pace: Pace,
}

/// A body that fails when it is too large or too slow.
pub(super) struct Inbound<B> {
    body: B,
    bytes_max: u64,
    bytes_left: u64,
    pace: Pace,
    /// Number of bytes received, for the log.
    received: Arc<AtomicU64>,
    /// The account that is charged for the bytes if their number was not announced.
    account: Option<Account>,
    /// When it was first polled, and when its last chunk arrived.
    times: Option<(Instant, Instant)>,
    /// The timer while the sender pauses.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<B> Inbound<B> {
    /// `body` within `bounds`; its bytes are counted in `received`.
    pub(super) fn new(body: B, bounds: Bounds, received: Arc<AtomicU64>) -> Self {
        let Bounds { bytes_max, pace } = bounds;
        Self {
            body,
            bytes_max,
            bytes_left: bytes_max,
            pace,
            received,
            account: None,
            times: None,
            patience: None,
        }
    }

    /// Charges each chunk to `account` when it arrives.
    pub(super) fn paid_by(self, account: Account) -> Self {
        Self { account: Some(account), ..self }
    }

    /// Waits for a sender that pauses, until a limit is exceeded.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let now = Instant::now();
        let (began, last) = *self.times.get_or_insert((now, now));
        let (until, why) = self.pace.deadline(began, last, self.bytes_max - self.bytes_left);
        let patience =
            self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(patience.as_mut().poll(cx));
        Poll::Ready(why.error(&self.pace))
    }
}

/// The limit that a sender exceeded.
enum Slow {
    Stalled,
    Dribbled,
    TookTooLong,
}

impl Pace {
    /// The time at which a body that `began` then, with `bytes` so far and nothing since `last`,
    /// becomes too slow.
    fn deadline(&self, began: Instant, last: Instant, bytes: u64) -> (Instant, Slow) {
        let stalls = (last + self.stall, Slow::Stalled);
        let takes_too_long = (began + self.time_max, Slow::TookTooLong);
        let dribbles =
            bytes.saturating_mul(1000).checked_div(self.bytes_per_second_min).map(|due_ms| {
                // Later than any other deadline.
                let due = Duration::from_millis(due_ms).min(self.time_max);
                (began + self.stall + due, Slow::Dribbled)
            });
        let all = [Some(stalls), dribbles, Some(takes_too_long)];
        all.into_iter().flatten().min_by_key(|(until, _)| *until).expect("there are two at least")
    }
}

impl Slow {
    fn error(&self, pace: &Pace) -> Error {
        let (code, text) = match self {
            Self::Stalled => (
                "BODY_STALLED",
                format!(
                    "the client paused for more than {} ms while it sent the body; nothing was done",
                    pace.stall.as_millis()
                ),
            ),
            Self::Dribbled => (
                "BODY_TOO_SLOW",
                format!(
                    "expected at least {} bytes per second of the body, got fewer; nothing was done",
                    pace.bytes_per_second_min
                ),
            ),
            Self::TookTooLong => (
                "BODY_TOO_SLOW",
                format!(
                    "the body took longer than {} ms; nothing was done",
                    pace.time_max.as_millis()
                ),
            ),
        };
        Error::new(ErrorKind::TooSlow, text).with_code(code)
    }
}

/// The error for a body of more than `bytes_max` bytes.
pub(super) fn too_large(bytes_max: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("expected a body of at most {bytes_max} bytes, got a larger one"),
    )
    .with_details(serde_json::json!({ "bytesMax": bytes_max }))
}

/// The whole of a body in one piece, of which `announced` bytes are paid for; `account` pays for the
/// others before there is room for them.
///
/// # Errors
///
/// Those of the body; `Busy` or `TooLarge` when there is no memory for it.
pub(super) async fn gather(
    mut body: dotdo_core::Body,
    announced: u64,
    account: Option<&Account>,
) -> Result<Bytes, Error> {
    let mut whole = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
    let mut paid = announced;
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame?.into_data() else { continue };
        let wanted = (whole.len() + part.len()) as u64;
        if wanted > paid {
            // Twice as much each time, so that it is not moved with every part.
            let more = (wanted - paid).max(paid);
            if let Some(account) = account {
                account.grow(more).await?;
            }
            paid += more;
            whole.reserve(usize::try_from(paid).unwrap_or(usize::MAX) - whole.len());
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

impl<B> Body for Inbound<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(cx) else {
            return this.poll_patience(cx).map(|error| Some(Err(error)));
        };
        this.patience = None;
        let now = Instant::now();
        this.times = Some((this.times.map_or(now, |(began, _)| began), now));
        Poll::Ready(match next {
            None => None,
            Some(Err(cause)) => Some(Err(Error::invalid("the body ended early")
                .with_code("BODY_BROKEN")
                .with_source(cause))),
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                this.received.fetch_add(bytes, Ordering::Relaxed);
                match this.bytes_left.checked_sub(bytes) {
                    None => Some(Err(too_large(this.bytes_max))),
                    Some(left) => {
                        this.bytes_left = left;
                        let paid =
                            this.account.as_ref().map_or(Ok(()), |account| account.try_grow(bytes));
                        Some(paid.map(|()| frame))
                    }
                }
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_too_slow_by_its_pauses_by_its_rate_or_by_the_whole_time() {
        let pace = Pace {
            stall: Duration::from_secs(15),
            bytes_per_second_min: 100,
            time_max: Duration::from_secs(60),
        };
        let (began, after) = (Instant::now(), Duration::from_secs);
        for (last, bytes, until, code) in [
            (0, 0, 15, "BODY_STALLED"),
            // A byte every 14 s.
            (14, 1, 15, "BODY_TOO_SLOW"),
            (14, 1_000, 25, "BODY_TOO_SLOW"),
            (14, 100_000, 29, "BODY_STALLED"),
            (50, 100_000, 60, "BODY_TOO_SLOW"),
            (50, u64::MAX, 60, "BODY_TOO_SLOW"),
        ] {
            let (at, why) = pace.deadline(began, began + after(last), bytes);
            assert_eq!(
                ((at - began).as_secs(), why.error(&pace).code()),
                (until, code),
                "{bytes} bytes, the last after {last} s"
            );
        }
        let any = Pace { bytes_per_second_min: 0, ..pace };
        assert_eq!(
            (any.deadline(began, began + after(14), 1).0 - began).as_secs(),
            29,
            "no rate is asked for"
        );
    }
}
