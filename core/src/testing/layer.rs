//! The common part of wrappers of a bucket, each of which does one thing around every request.

use std::future::Future;
use std::time::Duration;

use uuid::Uuid;

use crate::store::{Bucket, Key, Part, StoreError};

/// An operation of a store.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key};
/// use dotdo::testing::{ManualClock, Operation, TestStore};
///
/// let store = TestStore::new(Arc::new(ManualClock::new()));
/// store.list(&Key::new("reports"), None, 10).await?;
/// assert_eq!(store.record().count(Operation::List, "reports"), 1);
/// assert_eq!(Operation::List.name(), "list");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Bucket::create`].
    Create,
    /// [`Bucket::put`].
    Put,
    /// [`Bucket::get_within`].
    Get,
    /// [`Bucket::list`]; the key is the prefix.
    List,
    /// [`Bucket::delete`]; the key is the first of the deleted ones.
    Delete,
}

impl Operation {
    /// The operation's name in errors of a store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Put => "put",
            Self::Get => "get",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }

    /// Whether it is a create of a record, which is how objects commit.
    ///
    /// ```
    /// # use dotdo_core::testing::examples::dotdo;
    /// use dotdo::engine::Key;
    /// use dotdo::testing::Operation;
    ///
    /// let record = Key::new("local/local/do/counter/visits/log/fffffffffffffffe-1");
    /// assert!(Operation::Create.is_commit(&record));
    /// assert!(!Operation::Get.is_commit(&record));
    /// ```
    pub fn is_commit(self, key: &Key) -> bool {
        self == Self::Create && key.as_str().contains("/log/")
    }

    /// The error of a store that did not respond.
    pub(super) fn unavailable(self, key: &Key, reason: &str) -> StoreError {
        let operation = self.name();
        StoreError::Unavailable { operation, key: key.clone(), reason: reason.to_owned() }
    }
}

/// A test's choice of requests.
pub(super) type Rule = Box<dyn Fn(Operation, &Key) -> bool + Send + Sync>;

/// A wrapper that does one thing around every request to a bucket.
pub(super) trait Layer: Send + Sync + 'static {
    /// The wrapped bucket.
    fn inner(&self) -> &dyn Bucket;

    /// Sends `request`, or does something else.
    fn around<T: Send>(
        &self,
        operation: Operation,
        key: &Key,
        request: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// [`Bucket::store_time_ms`].
    fn time_ms(&self, of: Part) -> Option<i64> {
        self.inner().store_time_ms(of)
    }

    /// [`Bucket::store_time_error`].
    fn time_error(&self) -> Duration {
        self.inner().store_time_error()
    }

    /// [`Bucket::is_gone`].
    fn has_ended(&self, instance: Uuid) -> bool {
        self.inner().is_gone(instance)
    }
}

/// Implements [`Bucket`] for a [`Layer`].
macro_rules! bucket_of_layer {
    ($layer:ty) => {
        #[async_trait::async_trait]
        impl Bucket for $layer {
            async fn create(&self, key: &Key, bytes: bytes::Bytes) -> Result<(), StoreError> {
                self.around(Operation::Create, key, self.inner().create(key, bytes)).await
            }

            async fn put(&self, key: &Key, bytes: bytes::Bytes) -> Result<(), StoreError> {
                self.around(Operation::Put, key, self.inner().put(key, bytes)).await
            }

            async fn get_within(
                &self,
                key: &Key,
                bytes_max: u64,
            ) -> Result<Option<crate::store::Stored>, StoreError> {
                self.around(Operation::Get, key, self.inner().get_within(key, bytes_max)).await
            }

            async fn get_range(
                &self,
                key: &Key,
                range: std::ops::Range<u64>,
            ) -> Result<Option<bytes::Bytes>, StoreError> {
                self.around(Operation::Get, key, self.inner().get_range(key, range)).await
            }

            async fn list(
                &self,
                prefix: &Key,
                after: Option<&Key>,
                limit: usize,
            ) -> Result<Vec<crate::store::Entry>, StoreError> {
                self.around(Operation::List, prefix, self.inner().list(prefix, after, limit)).await
            }

            async fn list_folders(
                &self,
                prefix: &Key,
                names: crate::store::Names<'_>,
                limit: usize,
            ) -> Result<Vec<String>, StoreError> {
                let listing = self.inner().list_folders(prefix, names, limit);
                self.around(Operation::List, prefix, listing).await
            }

            async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
                let Some(first) = keys.first() else { return Ok(()) };
                self.around(Operation::Delete, first, self.inner().delete(keys)).await
            }

            fn store_time_ms(&self, of: crate::store::Part) -> Option<i64> {
                self.time_ms(of)
            }

            fn store_time_error(&self) -> std::time::Duration {
                self.time_error()
            }

            fn is_gone(&self, instance: uuid::Uuid) -> bool {
                self.has_ended(instance)
            }

            fn location(&self) -> &str {
                self.inner().location()
            }
        }
    };
}

pub(super) use bucket_of_layer;
