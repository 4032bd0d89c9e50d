//! A bucket in memory that servers share, and that a dead server can't reach any more.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use dotdo_core::{Bucket, Entry, Key, Memory, StoreError, Stored};
use uuid::Uuid;

/// What all servers share.
pub(crate) struct World {
    memory: Memory,
    dead: Mutex<HashSet<Uuid>>,
}

impl World {
    pub(crate) fn new(memory: Memory) -> Arc<Self> {
        Arc::new(Self { memory, dead: Mutex::default() })
    }

    /// From now on nothing that this server sends arrives.
    pub(crate) fn kill(&self, instance: Uuid) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(instance);
    }

    fn is_dead(&self, instance: Uuid) -> bool {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).contains(&instance)
    }
}

/// One server's access to the bucket.
pub(crate) struct Access {
    pub(crate) world: Arc<World>,
    pub(crate) instance: Uuid,
    /// Whether files of snapshots can be written.
    pub(crate) takes_snapshots: bool,
}

impl Access {
    fn check(&self, operation: &'static str, key: &Key) -> Result<(), StoreError> {
        let is_snapshot =
            key.as_str().contains("/snapshots/") && matches!(operation, "create" | "put");
        let reason = "it is meant to fail".to_owned();
        if self.world.is_dead(self.instance) {
            return Err(StoreError::Unavailable { operation, key: key.clone(), reason });
        }
        if is_snapshot && !self.takes_snapshots {
            // For good: a passing failure would be tried again after a pause, and the clock stands
            // still.
            return Err(StoreError::Refused { operation, key: key.clone(), reason });
        }
        Ok(())
    }
}

#[async_trait]
impl Bucket for Access {
    async fn create(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.check("create", key)?;
        self.world.memory.create(key, bytes).await
    }

    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        self.check("put", key)?;
        self.world.memory.put(key, bytes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.check("get", key)?;
        self.world.memory.get(key).await
    }

    async fn list(
        &self,
        prefix: &Key,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.check("list", prefix)?;
        self.world.memory.list(prefix, after, limit).await
    }

    async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        if let Some(first) = keys.first() {
            self.check("delete", first)?;
        }
        self.world.memory.delete(keys).await
    }

    fn store_time_ms(&self) -> Option<i64> {
        self.world.memory.store_time_ms()
    }

    fn store_time_error(&self) -> Duration {
        self.world.memory.store_time_error()
    }

    fn is_gone(&self, instance: Uuid) -> bool {
        self.world.is_dead(instance)
    }

    fn location(&self) -> &str {
        "memory://bucket"
    }
}
