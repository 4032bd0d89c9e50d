//! Deploy tokens in the bucket.
//!
//! The only write that ever replaces a record is a revocation; a new one is created, which fails
//! where there is one. So whatever write is delayed or repeated, a revoked token stays revoked.

use std::sync::Arc;

use bytes::Bytes;
use dotdo_core::{Bucket, Clock, Error, ErrorKind, Key, Random, Result, Tenant};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::record::{Grant, Record, Revoked};
use super::{DeployToken, id_of, is_id};
use crate::auth::INVALID_TOKEN;

/// Maximum number of tokens of a tenant, with those that are revoked or have expired.
const TOKENS_MAX: usize = 1000;
/// Number of tokens in a page of the list.
const PAGE: usize = 100;
/// Maximum size of a record, in bytes. Ours have less than a kilobyte beside the name and the
/// subjects, which are shorter than a token.
const RECORD_BYTES_MAX: u64 = 32 << 10;

/// Number of records that are read at the same time.
const READS_AT_ONCE: usize = 16;

/// Deploy tokens in a bucket.
pub(in crate::broker) struct Tokens {
    bucket: Arc<dyn Bucket>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A page of the list.
#[derive(Debug)]
pub(in crate::broker) struct Page {
    pub(in crate::broker) items: Vec<Record>,
    /// The id after which the next page begins, if there may be one.
    pub(in crate::broker) next: Option<String>,
}

impl Tokens {
    pub(in crate::broker) fn new(
        bucket: Arc<dyn Bucket>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self { bucket, clock, random }
    }

    /// Issues a token.
    ///
    /// # Errors
    ///
    /// `Conflict` when the tenant has too many; `Unavailable` and the like when the store does not
    /// confirm it, and then nobody knows the token.
    pub(in crate::broker) async fn issue(&self, grant: Grant) -> Result<(String, DeployToken)> {
        self.make_room(&grant.tenant).await?;
        let token = DeployToken::generate(&*self.random);
        let hash = token.hash();
        let id = id_of(&hash);
        // First what the list finds it by: no token is missing there.
        self.bucket.create(&entry_key(&grant.tenant).join(&id), Bytes::new()).await?;
        let record = Record { hash, grant, revoked: None };
        self.bucket.create(&record_key(&id), record.encode()).await?;
        Ok((id, token))
    }

    /// The record of a bearer token that is meant to be a deploy token and is valid now.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` for a token that does not exist, has expired or was revoked.
    pub(in crate::broker) async fn find(&self, text: &str) -> Result<Record> {
        let unknown = || refused("this deploy token does not exist");
        let token = DeployToken::parse(text).ok_or_else(unknown)?;
        let hash = token.hash();
        let record = self.read(&id_of(&hash)).await?.ok_or_else(unknown)?;
        // The comparison of hashes takes constant time.
        if record.hash != hash {
            return Err(unknown());
        }
        if record.revoked.is_some() {
            return Err(refused("this deploy token was revoked; issue a new one"));
        }
        if record.grant.expires_ms <= self.clock.wall_ms() {
            return Err(refused("this deploy token has expired; issue a new one"));
        }
        Ok(record)
    }

    /// The tenant's tokens whose ids follow `after`, sorted by id.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(in crate::broker) async fn list(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
    ) -> Result<Page> {
        let folder = entry_key(tenant);
        let after = after.map(|id| folder.join(id));
        let entries = self.bucket.list(&folder, after.as_ref(), PAGE).await?;
        let ids: Vec<String> =
            entries.iter().filter_map(|entry| id_in(&entry.key)).map(str::to_owned).collect();
        let next = ids.last().filter(|_| entries.len() == PAGE).cloned();
        Ok(Page { items: self.records(ids).await?, next })
    }

    /// Revokes a token of `tenant`; one that is revoked already stays as it is.
    ///
    /// # Errors
    ///
    /// `NotFound` when the tenant has no such token; those of the store, and then it may or may not
    /// be revoked.
    pub(in crate::broker) async fn revoke(
        &self,
        tenant: &Tenant,
        id: &str,
        by: &str,
    ) -> Result<()> {
        let found = if is_id(id) { self.read(id).await? } else { None };
        // Another tenant's token does not exist for this one.
        let record = found.filter(|record| record.grant.tenant == *tenant).ok_or_else(|| {
            Error::not_found("there is no deploy token with this id").with_code("UNKNOWN_TOKEN")
        })?;
        if record.revoked.is_some() {
            return Ok(());
        }
        let revoked = Some(Revoked { at_ms: self.clock.wall_ms(), by: by.to_owned() });
        let record = Record { revoked, ..record };
        Ok(self.bucket.put(&record_key(id), record.encode()).await?)
    }

    /// Makes sure that the tenant can have one more token: if it has too many, those that have
    /// expired are deleted. Creating one of them again is harmless, because it has expired.
    async fn make_room(&self, tenant: &Tenant) -> Result<()> {
        let entries = self.bucket.list(&entry_key(tenant), None, TOKENS_MAX).await?;
        if entries.len() < TOKENS_MAX {
            return Ok(());
        }
        let ids = entries.iter().filter_map(|entry| id_in(&entry.key)).map(str::to_owned);
        let now_ms = self.clock.wall_ms();
        let records = self.records(ids.collect()).await?;
        let expired: Vec<String> = records
            .iter()
            .filter(|record| record.grant.expires_ms <= now_ms)
            .map(|record| id_of(&record.hash))
            .collect();
        if expired.is_empty() {
            return Err(Error::conflict(format!(
                "expected fewer than {TOKENS_MAX} deploy tokens in this tenant, got as many; those that have expired are deleted, revoked ones when they would have"
            ))
            .with_code("TOO_MANY_TOKENS"));
        }
        self.delete(tenant, &expired).await
    }

    /// Deletes all tokens of a tenant that gets no more keys: its deletion is the only reason to
    /// delete tokens that have not expired.
    ///
    /// # Errors
    ///
    /// Those of the store, and then some may be left.
    pub(in crate::broker) async fn delete_all(&self, tenant: &Tenant) -> Result<()> {
        let entries = self.bucket.list(&entry_key(tenant), None, TOKENS_MAX).await?;
        let ids = entries.iter().filter_map(|entry| id_in(&entry.key)).map(str::to_owned);
        self.delete(tenant, &ids.collect::<Vec<_>>()).await
    }

    async fn delete(&self, tenant: &Tenant, ids: &[String]) -> Result<()> {
        let records: Vec<Key> = ids.iter().map(|id| record_key(id)).collect();
        let folder = entry_key(tenant);
        let entries: Vec<Key> = ids.iter().map(|id| folder.join(id)).collect();
        // The entries last: what is left after a failure is found again.
        self.bucket.delete(&records).await?;
        Ok(self.bucket.delete(&entries).await?)
    }

    /// The records with these ids, in this order, without those that do not exist.
    async fn records(&self, ids: Vec<String>) -> Result<Vec<Record>> {
        let read = futures_util::stream::iter(ids).map(async |id| self.read(&id).await);
        read.buffered(READS_AT_ONCE).try_filter_map(async |record| Ok(record)).try_collect().await
    }

    async fn read(&self, id: &str) -> Result<Option<Record>> {
        let key = record_key(id);
        let stored = self.bucket.get_within(&key, RECORD_BYTES_MAX).await?;
        stored.map(|stored| Record::decode(&key, &stored.bytes)).transpose()
    }
}

/// The key of a token's record.
fn record_key(id: &str) -> Key {
    Key::new(format!(".broker/tokens/{id}"))
}

/// The folder of the ids of a tenant's tokens. No encoded name has a `~`.
fn entry_key(tenant: &Tenant) -> Key {
    Key::new(format!(".broker/tenants/{}", tenant.prefix().as_str().replace('/', "~")))
}

/// The id at the end of the key of an entry.
fn id_in(key: &Key) -> Option<&str> {
    key.as_str().rsplit('/').next().filter(|id| is_id(id))
}

fn refused(why: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, why).with_code(INVALID_TOKEN)
}
