//! Reads an object, or a part of one.

use std::ops::Range;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetResult};

use super::errors::Asked;
use super::{Failure, Remote};
use crate::store::{Key, StoreError};

impl Remote {
    /// The beginning of the response to such a request for an object; `None` if there is no object.
    pub(super) async fn part(
        &self,
        asked: Asked<'_>,
        path: &Path,
        options: &GetOptions,
    ) -> Result<Option<GetResult>, Failure> {
        let head = || self.store().get_opts(path, options.clone());
        match self.signed(asked, 0, head).await {
            Ok(head) => Ok(Some(head)),
            Err(failure) if failure.is_missing() => Ok(None),
            // S3 also reports missing keys as forbidden to callers that may not list the whole
            // bucket. A listing below the prefix distinguishes the cases.
            Err(failure) if failure.is_denial() => {
                if !self.is_listed(asked, path).await {
                    return Ok(None);
                }
                // It is there: keys that had ended have been replaced for the listing.
                match self.parts.lent {
                    Some(_) => self.signed(asked, 0, head).await.map(Some),
                    None => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// [`Bucket::get_range`](crate::store::Bucket::get_range).
    pub(super) async fn range(
        &self,
        key: &Key,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, StoreError> {
        let asked = Asked { operation: "get", key };
        let path = self.path(asked)?;
        let options = GetOptions::new().with_range(Some(range.clone()));
        let part = self.part(asked, &path, &options).await;
        let Some(part) = part.map_err(|failure| self.error(asked, failure))? else {
            return Ok(None);
        };
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let bytes = self.once(asked, length, part.bytes()).await;
        bytes.map(Some).map_err(|failure| self.error(asked, failure))
    }
}
