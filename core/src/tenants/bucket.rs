//! The part of a bucket that belongs to one tenant.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use uuid::Uuid;

use crate::id::Tenant;
use crate::store::{Bucket, Entry, Key, StoreError, Stored};

/// A bucket as one tenant may use it: every operation on a key that is not below the tenant's
/// prefix is refused and counted.
///
/// Keys are made of encoded parts below the tenant's prefix, so this refuses what a bug or a
/// hostile file in the bucket makes of them.
pub(crate) struct TenantBucket {
    inner: Arc<dyn Bucket>,
    tenant: Tenant,
}

impl TenantBucket {
    /// The part of `inner` that belongs to `tenant`.
    pub(crate) fn new(tenant: Tenant, inner: Arc<dyn Bucket>) -> Self {
        Self { inner, tenant }
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
        self.check("create", key)?;
        self.inner.create(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.check("put", key)?;
        self.inner.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.check("get", key)?;
        self.inner.get(key).await
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

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        keys.iter().try_for_each(|key| self.check("delete", key))?;
        self.inner.delete(keys).await
    }

    fn store_time_ms(&self) -> Option<i64> {
        self.inner.store_time_ms()
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
        TenantBucket::new(tenant.clone(), Arc::new(Memory::new(Arc::new(ManualClock::new()))))
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
