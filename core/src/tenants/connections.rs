//! What the program notes about connections that something else holds: whose they are.
//!
//! Whoever has a message of such a connection knows its name only, and no tenant yet. So the notes
//! are in one folder, where the process keeps what belongs to no object.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::limits::HINT_BYTES_MAX;
use crate::store::{Bucket, Entry, Key, PROBE_FOLDER};
use crate::tenants::Tenants;

/// The folder of the notes in the folder of the probe.
const FOLDER: &str = "sockets";

/// Where the notes are.
pub(crate) struct Connections {
    pub(crate) bucket: Arc<dyn Bucket>,
    folder: Key,
}

impl Tenants {
    /// Where the notes about connections are: for all tenants, or for the only one of this process.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `NO_CONNECTIONS`) when the process serves several tenants, and reaches
    /// nothing that they share; those of [`Buckets::of`](crate::tenants::Buckets::of).
    pub(crate) fn connections(&self) -> Result<Connections> {
        if let Some(bucket) = self.shared() {
            return Ok(Connections { bucket, folder: Key::new(PROBE_FOLDER).join(FOLDER) });
        }
        let Ok([tenant]) = <[_; 1]>::try_from(self.own()) else {
            let text = "expected a process that reaches what all tenants share, or one of a single tenant, to hold connections for";
            return Err(Error::invalid(text).with_code("NO_CONNECTIONS"));
        };
        let folder = tenant.prefix().join(PROBE_FOLDER).join(FOLDER);
        Ok(Connections { bucket: self.bucket(&tenant)?, folder })
    }
}

impl Connections {
    /// Writes the note about a connection.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn put(&self, connection: Uuid, note: Bytes) -> Result<()> {
        Ok(self.bucket.put(&self.key(connection), note).await?)
    }

    /// The note about a connection; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn get(&self, connection: Uuid) -> Result<Option<Bytes>> {
        let stored = self.bucket.get_within(&self.key(connection), HINT_BYTES_MAX).await?;
        Ok(stored.map(|stored| stored.bytes))
    }

    /// Deletes the note about a connection.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn delete(&self, connection: Uuid) -> Result<()> {
        Ok(self.bucket.delete(&[self.key(connection)]).await?)
    }

    /// The notes after `after`, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub(crate) async fn list(&self, after: Option<&Key>, limit: usize) -> Result<Vec<Entry>> {
        Ok(self.bucket.list(&self.folder, after, limit).await?)
    }

    /// The connection of an entry of the listing.
    pub(crate) fn connection(entry: &Entry) -> Option<Uuid> {
        Uuid::try_parse(entry.key.as_str().rsplit('/').next()?).ok()
    }

    fn key(&self, connection: Uuid) -> Key {
        self.folder.join(connection)
    }
}
