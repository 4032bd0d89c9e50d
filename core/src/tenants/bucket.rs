//! The part of a bucket that belongs to one tenant, as long as the tenant is open.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::clock::{Clock, Random};
use crate::error::{Error, ErrorKind, Result};
use crate::id::Tenant;
use crate::store::{Bucket, Entry, Key, Names, Part, StoreError, Stored};
use crate::tenants::standing::{Known, Standing};

/// A bucket as one tenant may use it: every operation on a key that is not below the tenant's
/// prefix is refused and counted, and so is every write when the tenant is closed.
///
/// Keys are made of encoded parts below the tenant's prefix, so this refuses what a bug or a
/// hostile file in the bucket makes of them.
pub(crate) struct TenantBucket {
    inner: Arc<dyn Bucket>,
    tenant: Tenant,
    standing: Standing,
    /// Whether this process has put the tenant on the list of tenants.
    registered: tokio::sync::Mutex<bool>,
}

impl TenantBucket {
    /// The part of `inner` that belongs to `tenant`. With `probe`, it is probed before the first
    /// write; without, the whole bucket was.
    pub(crate) fn new(
        tenant: Tenant,
        inner: Arc<dyn Bucket>,
        clock: Arc<dyn Clock>,
        probe: Option<Arc<dyn Random>>,
    ) -> Self {
        let standing = Standing::new(tenant.clone(), clock, probe);
        Self { inner, tenant, standing, registered: tokio::sync::Mutex::default() }
    }

    /// Whose it is.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Whether the tenant is known to be closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.standing.is_closed()
    }

    /// Whether the tenant is known to be closed, and this is asked for the first time since.
    pub(super) fn is_closed_anew(&self) -> bool {
        self.standing.is_closed_anew()
    }

    /// Does `work` if the tenant is open. When it is time to look, that is found out beside the
    /// work, whose result waits for it; nothing is written before.
    ///
    /// # Errors
    ///
    /// `Gone` when the tenant is closed; `Unknown` when the work is done and the store does not
    /// answer; those of `work`.
    pub(crate) async fn admit<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let work = pin!(work);
        let answer = match self.standing.known() {
            Known::Closed => return Err(self.standing.closed()),
            Known::Open => work.await,
            Known::Nothing => {
                let (look, answer) = futures_util::join!(Box::pin(self.ensure_open()), work);
                match (look, answer) {
                    // A later look may have found it open, and the work may have written since.
                    (Err(error), Ok(_)) if self.standing.known() == Known::Nothing => {
                        Err(Error::new(ErrorKind::Unknown, error.message()).telling_of_store())
                    }
                    (_, answer) => answer,
                }
            }
        };
        if self.is_closed() { Err(self.standing.closed()) } else { answer }
    }

    /// Makes sure that the tenant is open, with a look if it is time for one.
    ///
    /// # Errors
    ///
    /// `Gone` when it is closed; `Unavailable` when the store does not answer; `StoreRefused` when
    /// it lacks properties that correctness depends on.
    pub(crate) async fn ensure_open(&self) -> Result<()> {
        self.standing.ensure_open(self.inner.as_ref()).await
    }

    /// The tenant is closed from now on.
    pub(super) fn note_closed(&self) {
        self.standing.close();
    }

    /// Creates the key that closes the tenant, also when it is closed.
    pub(super) async fn create_closed(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.check("create", key)?;
        self.inner.create(key, bytes).await
    }

    /// Whether this process has put the tenant on the list of tenants.
    pub(super) fn registered(&self) -> &tokio::sync::Mutex<bool> {
        &self.registered
    }

    /// # Errors
    ///
    /// `Refused` when the tenant is closed or `key` is another's, `Unavailable` when that is not
    /// known.
    async fn check_write(&self, operation: &'static str, key: &Key) -> Result<(), StoreError> {
        self.check(operation, key)?;
        if self.standing.known() == Known::Open {
            return Ok(());
        }
        self.ensure_open().await.map_err(|error| {
            let (key, reason) = (key.clone(), error.message().to_owned());
            match error.kind() {
                ErrorKind::Unavailable => StoreError::Unavailable { operation, key, reason },
                _ => StoreError::Refused { operation, key, reason },
            }
        })
    }

    /// # Errors
    ///
    /// `Refused` when `key` is not below the tenant's prefix.
    fn check(&self, operation: &'static str, key: &Key) -> Result<(), StoreError> {
        if is_below(key, self.tenant.prefix()) { Ok(()) } else { Err(self.refused(operation, key)) }
    }

    fn refused(&self, operation: &'static str, key: &Key) -> StoreError {
        metrics::counter!("dotdo_tenant_refusals_total", "operation" => operation).increment(1);
        let reason = format!("the key does not belong to the tenant {}", self.tenant);
        tracing::error!(%key, tenant = %self.tenant, operation, "refusing an operation on a key of another tenant");
        StoreError::Refused { operation, key: key.clone(), reason }
    }
}

/// Whether `key` is below `prefix/`, also for a store that resolves `.` and `..` as file systems
/// do.
fn is_below(key: &Key, prefix: &Key) -> bool {
    let rest = key.as_str().strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| {
        !rest.split(['/', '\\']).any(|segment| matches!(segment, "" | "." | ".."))
    })
}

#[async_trait]
impl Bucket for TenantBucket {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.check_write("create", key).await?;
        self.inner.create(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.check_write("put", key).await?;
        self.inner.put(key, bytes).await
    }

    async fn get_within(&self, key: &Key, bytes_max: u64) -> Result<Option<Stored>, StoreError> {
        self.check("get", key)?;
        self.inner.get_within(key, bytes_max).await
    }

    async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Option<Bytes>, StoreError> {
        self.check("get", key)?;
        self.inner.get_range(key, range).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        if prefix != self.tenant.prefix() {
            self.check("list", prefix)?;
        }
        self.inner.list(prefix, after, limit).await
    }

    async fn list_folders(
        &self,
        prefix: &Key,
        names: Names<'_>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.check("list", prefix)?;
        self.inner.list_folders(prefix, names, limit).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        keys.iter().try_for_each(|key| self.check("delete", key))?;
        self.inner.delete(keys).await
    }

    fn store_time_ms(&self, of: Part) -> Option<i64> {
        self.inner.store_time_ms(of)
    }

    fn store_time_error(&self) -> Duration {
        self.inner.store_time_error()
    }

    fn is_gone(&self, instance: Uuid) -> bool {
        self.inner.is_gone(instance)
    }

    fn location(&self) -> &str {
        self.inner.location()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;
    use crate::store::Memory;
    use crate::testing::ManualClock;

    fn tenant(org: &str, name: &str) -> Tenant {
        Tenant::new(org, name).expect("a good tenant")
    }

    fn is_refused<T>(outcome: Option<Result<T, StoreError>>) -> bool {
        matches!(outcome, Some(Err(StoreError::Refused { .. })))
    }

    /// The operations that `bucket` refuses on `key`, of all five.
    fn refusals(bucket: &TenantBucket, key: &Key) -> usize {
        let keys = std::slice::from_ref(key);
        let refused = [
            is_refused(bucket.create(key, Bytes::new()).now_or_never()),
            is_refused(bucket.put(key, Bytes::new()).now_or_never()),
            is_refused(bucket.get(key).now_or_never()),
            is_refused(bucket.list(key, None, 1).now_or_never()),
            is_refused(bucket.delete(keys).now_or_never()),
        ];
        refused.iter().filter(|refused| **refused).count()
    }

    fn bucket(tenant: &Tenant) -> TenantBucket {
        let clock = Arc::new(ManualClock::new());
        TenantBucket::new(tenant.clone(), Arc::new(Memory::new(clock.clone())), clock, None)
    }

    #[test]
    fn keys_that_leave_the_prefix_are_refused_by_every_operation() {
        let own = bucket(&tenant("acme", "shop"));
        for inside in
            ["acme/shop/do/counter/a", "acme/shop/closed", "acme/shop/..a/.b", "acme/shop/a.."]
        {
            assert_eq!(refusals(&own, &Key::new(inside)), 0, "{inside}");
        }
        for outside in [
            "",
            "acme",
            "acme/",
            "acme/shop/",
            "acme/shop2/a",
            "acme/shop-/a",
            "acme/sho/a",
            "/acme/shop/a",
            "Acme/shop/a",
            "acme/shop/../other/a",
            "acme/shop/do/../../../x",
            "acme/shop/./a",
            "acme/shop//a",
            "acme/shop/a/",
            "acme/shop/..\\..\\x",
            ".dotdo/probe.json",
            "x/acme/shop/a",
        ] {
            assert_eq!(refusals(&own, &Key::new(outside)), 5, "{outside}");
        }
        let root = Key::new("acme/shop");
        assert_eq!(refusals(&own, &root), 4, "a tenant may list all that it has");
    }

    #[test]
    fn a_delete_of_own_and_foreign_keys_deletes_nothing() {
        let own = bucket(&tenant("acme", "shop"));
        let (mine, theirs) = (Key::new("acme/shop/a"), Key::new("acme/other/a"));
        own.put(&mine, Bytes::new()).now_or_never().expect("at once").expect("an own key");
        assert!(is_refused(own.delete(&[mine.clone(), theirs]).now_or_never()));
        let kept = own.get(&mine).now_or_never().expect("at once").expect("an own key");
        assert!(kept.is_some());
    }

    /// What file systems that ignore case make of a key.
    fn folded(key: &Key) -> Key {
        Key::new(key.as_str().to_lowercase())
    }

    proptest! {
        #[test]
        fn no_tenant_reaches_a_key_of_another(
            (org, name) in ("[aA.~]{1,3}|[a-z]{1,9}|\\PC{1,12}", "[aA.~/]{1,3}|\\PC{1,12}|do|outbox"),
            (other_org, other_name) in ("[aA.~]{1,3}|[a-z]{1,9}|\\PC{1,12}", "[aA.~/]{1,3}|\\PC{1,12}|do|outbox"),
            id in "\\PC{1,40}|\\.\\./\\.\\.|[aA./]{1,4}",
        ) {
            let (one, other) = (Tenant::new(&org, &name), Tenant::new(&other_org, &other_name));
            let (Ok(one), Ok(other)) = (one, other) else { return Ok(()) };
            prop_assume!((&org, &name) != (&other_org, &other_name));
            prop_assert_ne!(&one, &other);
            let (one_below, other_below) = (folded(one.prefix()).below(), folded(other.prefix()).below());
            prop_assert!(!one_below.starts_with(&other_below) && !other_below.starts_with(&one_below));
            prop_assert_eq!(folded(one.prefix()), one.prefix().clone(), "lower case only");
            let (own, foreign) = (bucket(&one), other.object("Counter", &id).expect("a good id").prefix());
            for key in [foreign.join("lock"), other.outbox().join("x"), other.prefix().join("closed")] {
                prop_assert_eq!(refusals(&own, &key), 5, "{}", key);
            }
            let mine = one.object("Counter", &id).expect("a good id").prefix().join("lock");
            prop_assert_eq!(refusals(&own, &mine), 0, "{}", mine);
        }
    }
}
