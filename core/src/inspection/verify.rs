//! Whether everything that an object has in the bucket is whole.
//!
//! Promises: each record, snapshot and file is read and checked, and the records are replayed
//! against each snapshot; a fault is reported by its key, once, and the rest is checked all the
//! same. Nothing is changed.

mod run;

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use http_body::Frame;
use serde::Serialize;
use tokio::sync::mpsc;

use self::run::Run;
use super::Inspection;
use crate::activation::no_such_object;
use crate::error::{Error, Result};
use crate::id::ObjectId;
use crate::log::newest_key;

/// Number of findings that wait for their reader.
const WAITING_MAX: usize = 64;

/// A finding of a [`Verification`], which has an example. As JSON it is an object with its one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Finding {
    /// A key whose content is whole.
    Checked {
        /// The key.
        checked: String,
        /// Its size, in bytes.
        bytes: u64,
    },
    /// A key whose content is missing, damaged or contradicts others.
    Fault {
        /// What is wrong.
        fault: Fault,
    },
    /// The end.
    Done {
        /// How much was checked.
        done: Totals,
    },
}

/// What is wrong with a key. [`Verification`] has an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The key.
    pub key: String,
    /// What was expected and found.
    pub problem: String,
}

/// How much was checked.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::Finding;
///
/// let mut findings = engine.inspection().verify(&object).await?;
/// let mut totals = None;
/// while let Some(finding) = findings.next().await {
///     if let Finding::Done { done } = finding {
///         totals = Some(done);
///     }
/// }
/// let totals = totals.expect("the last finding has them");
/// assert!(totals.records >= 2 && totals.faults == 0);
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Records of the log.
    pub records: u64,
    /// Complete snapshots.
    pub snapshots: u64,
    /// Files of snapshots.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Faults.
    pub faults: u64,
}

/// The findings of a verification, while it runs: it goes on as they are read.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::{Fault, Finding};
///
/// let mut findings = engine.inspection().verify(&object).await?;
/// while let Some(finding) = findings.next().await {
///     match finding {
///         Finding::Checked { checked, bytes } => println!("{checked}: {bytes} bytes"),
///         Finding::Fault { fault: Fault { key, problem } } => panic!("{key}: {problem}"),
///         Finding::Done { done } => {
///             println!("{} records, {} faults", done.records, done.faults)
///         }
///     }
/// }
/// # Ok(())
/// # });
/// ```
pub struct Verification(BoxStream<'static, Finding>);

impl Inspection {
    /// Checks all that an object has in the bucket. It reads all of it, and restores it once for
    /// each snapshot.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such object; those of the store; `Gone` when the tenant is
    /// closed.
    pub async fn verify(&self, object: &ObjectId) -> Result<Verification> {
        let log = self.runtime().log(object)?;
        let looked = async { newest_key(log.bucket.as_ref(), &log.folder()).await };
        if log.bucket.admit(looked).await?.is_none() {
            return Err(no_such_object(object));
        }
        let (sender, mut receiver) = mpsc::channel(WAITING_MAX);
        let run = Run::new(self.clone(), log, sender);
        let found = stream::poll_fn(move |cx| receiver.poll_recv(cx));
        let work = stream::once(run.all()).filter_map(|()| std::future::ready(None));
        Ok(Verification(stream::select(found, work).boxed()))
    }
}

impl Verification {
    /// The next finding; `None` after the end.
    pub async fn next(&mut self) -> Option<Finding> {
        self.0.next().await
    }

    /// The findings as lines of JSON.
    pub fn into_lines(self) -> impl http_body::Body<Data = Bytes, Error = Error> + Send + 'static {
        Lines(self.0)
    }
}

impl std::fmt::Debug for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verification").finish_non_exhaustive()
    }
}

struct Lines(BoxStream<'static, Finding>);

impl http_body::Body for Lines {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        let Some(finding) = ready!(self.get_mut().0.as_mut().poll_next(cx)) else {
            return Poll::Ready(None);
        };
        let line = serde_json::to_string(&finding).map_err(Error::from);
        Poll::Ready(Some(line.map(|line| Frame::data(format!("{line}\n").into()))))
    }
}
