//! Buckets on the network, over `object_store`: one request for one call.
//!
//! Promises: no call is retried at any layer; every call ends within a time that depends on its
//! size. Must not know: the service, which `build` knows.

#[cfg(feature = "azure-blob")]
mod azure;
mod build;
mod errors;
#[cfg(feature = "gcs")]
mod gcs;
mod http;
mod lent;
mod range;
#[cfg(feature = "s3")]
mod s3;
#[cfg(feature = "s3")]
mod sign;
mod successes;

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectMeta, ObjectStore, PutMode};
use uuid::Uuid;

#[cfg(feature = "azure-blob")]
pub(super) use self::azure::azure;
pub(super) use self::build::Parts;
#[cfg(feature = "gcs")]
pub(super) use self::gcs::gcs;
#[cfg(feature = "s3")]
pub(super) use self::s3::{S3Door, s3};
#[cfg(feature = "s3")]
pub use self::sign::AwsSigner;

use self::errors::{Asked, is_forbidden, is_missing};
use self::http::Answer;
use super::{Bucket, Entry, Key, Names, Part, StoreError, Stored, check_size};
use crate::clock::Clock;
use crate::limits::{STORE_ANSWER_MAX, STORE_BYTES_PER_SECOND_MIN, STORE_PAGE_MAX};

/// Stores over HTTP report times in whole seconds; another second is for stores with several
/// machines.
const TIME_ERROR: Duration = Duration::from_secs(2);

/// A bucket on the network.
pub(super) struct Remote {
    parts: Parts,
    clock: Arc<dyn Clock>,
}

impl Remote {
    pub(super) fn new(parts: Parts, clock: Arc<dyn Clock>) -> Self {
        Self { parts, clock }
    }

    fn store(&self) -> &dyn ObjectStore {
        self.parts.store.as_ref()
    }

    fn pages(&self) -> &dyn PaginatedListStore {
        self.parts.pages.as_ref()
    }

    /// The store's name of `key`.
    fn path(&self, asked: Asked<'_>) -> Result<Path, StoreError> {
        Path::parse(format!("{}{}", self.parts.prefix.below(), asked.key))
            .map_err(|error| asked.refused(error.to_string()))
    }

    /// Runs one request, and once more with new keys if the store refuses it because its keys have
    /// ended. Not for creates: a request that was refused is not proof that nothing was written.
    async fn signed<T, F>(
        &self,
        asked: Asked<'_>,
        bytes: usize,
        request: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = object_store::Result<T>> + Send,
    {
        match self.once(asked, bytes, request()).await {
            Err(failure) if self.may_repeat(asked, &failure).await => {
                self.once(asked, bytes, request()).await
            }
            result => result,
        }
    }

    /// Whether the request failed because its keys have ended, so that it may succeed with others.
    ///
    /// A store that looks at keys twice, for who asks and for what they may, says `AccessDenied` of
    /// keys that end between the two, as SeaweedFS does. What it says of another request tells.
    async fn may_repeat(&self, asked: Asked<'_>, failure: &Failure) -> bool {
        if self.keys_have_ended(failure) {
            return true;
        }
        // Of a get, `head` finds out by a listing.
        if self.parts.lent.is_none() || !failure.is_denial() || asked.operation == "get" {
            return false;
        }
        let Ok(path) = self.path(asked) else { return false };
        let first_byte = GetOptions { range: Some((0..1).into()), ..GetOptions::default() };
        let another = self.once(asked, 0, self.store().get_opts(&path, first_byte)).await;
        another.is_err_and(|failure| self.keys_have_ended(&failure))
    }

    /// Runs one request, watching its HTTP answer, for at most the time that `bytes` may take. New
    /// keys are waited for before that time begins.
    async fn once<T>(
        &self,
        asked: Asked<'_>,
        bytes: usize,
        request: impl Future<Output = object_store::Result<T>> + Send,
    ) -> Result<T, Failure> {
        if let Some(lent) = &self.parts.lent {
            lent.keys().await.map_err(|error| Failure::Silent(asked.without_keys(&error)))?;
        }
        let time_max =
            STORE_ANSWER_MAX + Duration::from_secs(bytes as u64 / STORE_BYTES_PER_SECOND_MIN);
        let watched = http::watch(request);
        tokio::select! {
            (result, answer) = watched => result.map_err(|error| Failure::Announced(error, answer)),
            () = self.clock.sleep(time_max) => {
                Err(Failure::Silent(asked.unavailable(format!("no response within {} s", time_max.as_secs()))))
            }
        }
    }

    /// The beginning of an object's response; `None` if there is no object.
    async fn head(&self, asked: Asked<'_>, path: &Path) -> Result<Option<GetResult>, Failure> {
        self.part(asked, path, &GetOptions::default()).await
    }

    /// Whether the store lists an object at `path`; `true` if it does not respond.
    async fn is_listed(&self, asked: Asked<'_>, path: &Path) -> bool {
        let options = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
        let page = || self.pages().list_paginated(Some(path.as_ref()), options.clone());
        match self.signed(asked, 0, page).await {
            Ok(page) => {
                page.result.objects.iter().any(|meta| meta.location == *path)
                    || page.page_token.is_some_and(|_| page.result.objects.is_empty())
            }
            Err(_) => true,
        }
    }

    fn error(&self, asked: Asked<'_>, failure: Failure) -> StoreError {
        match failure {
            Failure::Announced(error, answer) => {
                let lent = self.parts.lent.iter().flat_map(|lent| lent.secrets());
                let secrets: Vec<_> = self.parts.secrets.iter().cloned().chain(lent).collect();
                errors::translate(asked, &error, answer.as_ref(), &secrets)
            }
            Failure::Silent(error) => error,
        }
    }

    /// Whether the store says that the keys of the request have ended; they will be replaced.
    fn keys_have_ended(&self, failure: &Failure) -> bool {
        match (&self.parts.lent, failure) {
            (Some(lent), Failure::Announced(_, Some(answer))) => lent.have_ended(answer),
            _ => false,
        }
    }

    /// Removes the objects; one that is missing is no error.
    async fn delete_all(&self, asked: Asked<'_>, paths: &[Path]) -> Result<(), Failure> {
        let paths: Vec<_> = paths.iter().cloned().map(Ok).collect();
        let paths = futures_util::stream::iter(paths).boxed();
        let mut gone = self.store().delete_stream(paths);
        loop {
            let next = async { gone.next().await.transpose() };
            match self.once(asked, STORE_PAGE_MAX * 1024, next).await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(Failure::Announced(error, answer)) if is_missing(&error, answer.as_ref()) => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The listed object as callers know it; `None` for what is not below `below` (a folder's own
    /// marker object).
    fn entry(&self, meta: &ObjectMeta, below: &str) -> Option<Entry> {
        let key = meta.location.as_ref().strip_prefix(&self.parts.prefix.below())?;
        let is_below = key.len() > below.len() && key.starts_with(below);
        is_below.then(|| Entry {
            key: Key::new(key),
            bytes: meta.size,
            modified_ms: meta.last_modified.timestamp_millis(),
        })
    }
}

/// Why a request had no result.
enum Failure {
    /// An error of the client, with the HTTP response if there was one.
    Announced(object_store::Error, Option<Answer>),
    /// No response in time, or nothing was sent because there are no keys.
    Silent(StoreError),
}

impl Failure {
    fn is_missing(&self) -> bool {
        matches!(self, Self::Announced(error, answer) if is_missing(error, answer.as_ref()))
    }

    /// Whether the store says that whoever asks may not do this.
    fn is_denial(&self) -> bool {
        matches!(self, Self::Announced(error, answer) if is_forbidden(error, answer.as_ref()))
    }
}

#[async_trait]
impl Bucket for Remote {
    /// A create whose keys have ended is reported as unavailable, which is ambiguous to the caller
    /// like every other failed create, and is not sent again.
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let asked = Asked { operation: "create", key };
        let (path, length) = (self.path(asked)?, bytes.len());
        let put = self.store().put_opts(&path, bytes.into(), PutMode::Create.into());
        let Err(failure) = self.once(asked, length, put).await else { return Ok(()) };
        let is_passing = self.may_repeat(asked, &failure).await;
        Err(match self.error(asked, failure) {
            StoreError::Refused { reason, .. } if is_passing => asked.unavailable(reason),
            error => error,
        })
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let asked = Asked { operation: "put", key };
        let (path, length) = (self.path(asked)?, bytes.len());
        let put = || self.store().put_opts(&path, bytes.clone().into(), PutMode::Overwrite.into());
        self.signed(asked, length, put)
            .await
            .map(drop)
            .map_err(|failure| self.error(asked, failure))
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        let asked = Asked { operation: "get", key };
        let path = self.path(asked)?;
        let head = self.head(asked, &path).await.map_err(|failure| self.error(asked, failure))?;
        let Some(head) = head else { return Ok(None) };
        // The head of the response says how large the body is; it is dropped unread.
        check_size(key, head.meta.size, bytes_max)?;
        let modified_ms = match head.meta.last_modified.timestamp_millis() {
            // The store told neither this nor its time: nothing may come of its age.
            0 => i64::MAX,
            modified_ms => modified_ms,
        };
        let length = usize::try_from(head.meta.size).unwrap_or(usize::MAX);
        let bytes = self
            .once(asked, length, head.bytes())
            .await
            .map_err(|failure| self.error(asked, failure))?;
        if bytes.len() != length {
            return Err(asked.unavailable(format!("expected {length} bytes, got {}", bytes.len())));
        }
        Ok(Some(Stored { bytes, modified_ms }))
    }

    async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        self.range(key, range).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let asked = Asked { operation: "list", key: prefix };
        let below = prefix.below();
        let full = format!("{}{below}", self.parts.prefix.below());
        let offset = after.map(|after| format!("{}{after}", self.parts.prefix.below()));
        let mut entries = Vec::new();
        let mut page_token = None;
        while entries.len() < limit {
            let max_keys = Some((limit - entries.len()).min(STORE_PAGE_MAX));
            let options = PaginatedListOptions {
                offset: offset.clone(),
                max_keys,
                page_token,
                ..Default::default()
            };
            let folder = Some(full.as_str()).filter(|full| !full.is_empty());
            let page = || self.pages().list_paginated(folder, options.clone());
            let page =
                self.signed(asked, 0, page).await.map_err(|failure| self.error(asked, failure))?;
            entries.extend(page.result.objects.iter().filter_map(|meta| self.entry(meta, &below)));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        entries.retain(|entry| after.is_none_or(|after| entry.key > *after));
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        entries.truncate(limit);
        Ok(entries)
    }

    async fn list_folders(
        &self,
        prefix: &Key,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let asked = Asked { operation: "list", key: prefix };
        let below = format!("{}{}", self.parts.prefix.below(), prefix.below());
        let begin = format!("{below}{}", names.begin);
        let offset = names.after.map(|name| format!("{below}{name}/"));
        let (mut found, mut page_token) = (Vec::new(), None);
        while found.len() < limit {
            let options = PaginatedListOptions {
                offset: offset.clone(),
                delimiter: Some("/".into()),
                // One more, because some stores begin with the folder in which the offset is.
                max_keys: Some((limit - found.len() + 1).min(STORE_PAGE_MAX)),
                page_token,
                ..Default::default()
            };
            let page = || self.pages().list_paginated(Some(&begin), options.clone());
            let page =
                self.signed(asked, 0, page).await.map_err(|failure| self.error(asked, failure))?;
            let folders = page.result.common_prefixes.iter();
            let name = |folder: &Path| folder.as_ref().strip_prefix(&below).map(str::to_owned);
            let is_new = |name: &String| Some(name.as_str()) != names.after;
            found.extend(folders.filter_map(name).filter(is_new));
            page_token = page.page_token;
            if page_token.is_none() {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        let Some(first) = keys.first() else { return Ok(()) };
        let asked = Asked { operation: "delete", key: first };
        let paths = keys
            .iter()
            .map(|key| self.path(Asked { operation: "delete", key }))
            .collect::<Result<Vec<_>, _>>()?;
        let again = match self.delete_all(asked, &paths).await {
            Err(failure) if self.may_repeat(asked, &failure).await => {
                self.delete_all(asked, &paths).await
            }
            done => done,
        };
        again.map_err(|failure| self.error(asked, failure))
    }

    fn store_time_ms(&self, _of: Part) -> Option<i64> {
        self.parts.time.now_ms()
    }

    fn store_time_error(&self) -> Duration {
        TIME_ERROR
    }

    fn is_gone(&self, _instance: Uuid) -> bool {
        false
    }

    fn location(&self) -> &str {
        &self.parts.location
    }
}
