//! The database of an object as a SQLite file.

use bytes::Bytes;

use super::Inspection;
use super::state::{State, state};
use crate::activation::Runtime;
use crate::error::Result;
use crate::executor::offload;
use crate::id::ObjectId;
use crate::limits::{FILE_CHUNK_BYTES, RESIDENT_BYTES};
use crate::log::Log;
use crate::object::Body;
use crate::router::At;

/// The database of an object as a SQLite file, which other programs can open.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// let file = engine.inspection().file(&object, None).await?;
/// assert!(file.bytes.starts_with(b"SQLite format 3\0"));
/// // Another object begins with what it has.
/// let admin = engine.administration();
/// let copy = admin.object(object.tenant(), ("Shop", "west"))?;
/// let begun = admin.import(&copy, file.bytes, dotdo::engine::Precondition::Absent).await?;
/// assert!(begun.is_new);
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct DatabaseFile {
    /// The last record in it.
    pub sequence: u64,
    /// Its bytes, whose memory is charged until they are dropped.
    pub bytes: Bytes,
}

impl Inspection {
    /// The whole database of an object at `at`, or now, as one SQLite file: dotdo's own tables and
    /// the tables of virtual tables too. The same snapshot and records are the same bytes.
    ///
    /// # Errors
    ///
    /// `NotFound` when there is no such object, or no such state of it; `Busy` or `Full` when there
    /// is no memory for it; those of a restore; `Gone` when the tenant is closed.
    pub async fn file(&self, object: &ObjectId, at: Option<At>) -> Result<DatabaseFile> {
        let log = self.runtime().log(object)?;
        log.bucket.admit(file(self.runtime(), &log, at)).await
    }
}

async fn file(runtime: &Runtime, log: &Log, at: Option<At>) -> Result<DatabaseFile> {
    let State { mut database, sequence, mut room, place: _place } = state(runtime, log, at).await?;
    database.relax();
    let (held, pages) = (database.bytes(), database.page_bytes());
    room.raise(RESIDENT_BYTES.saturating_add(held).saturating_add(pages)).await?;
    let image = offload(runtime.executor.as_ref(), || database.image())?;
    drop(database);
    room.set(image.len() as u64);
    Ok(DatabaseFile { sequence, bytes: room.with(image) })
}

impl DatabaseFile {
    /// The file as a body whose chunks are small enough to be sent one by one.
    pub fn into_body(self) -> Body {
        Body::new(Chunks(self.bytes))
    }
}

/// Bytes in chunks.
struct Chunks(Bytes);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = crate::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>>>> {
        let rest = &mut self.get_mut().0;
        if rest.is_empty() {
            return std::task::Poll::Ready(None);
        }
        let chunk = rest.split_to(FILE_CHUNK_BYTES.min(rest.len()));
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0.len() as u64)
    }
}
