//! Fuzz targets for snapshots with their files, and for files of position deletes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::reference::snapshots_key;
use super::restore::Fetched;
use super::stored::Document;
use super::table::FileRef;
use crate::iceberg::{read_deletes, write_deletes};
use crate::sqlite::Limits;
use crate::store::Key;

/// Maximum size of a database in these targets.
const LIMITS: Limits =
    Limits { database_bytes_max: 8 << 20, row_bytes_max: 1 << 20, temporary_bytes_max: 64 << 20 };

/// The body of `snapshot.json` behind its length (four bytes, the lowest first), then each file
/// that it names, in the same way.
pub(crate) fn snapshot(data: &[u8]) {
    let mut parts = Parts(data);
    let Ok(body) = std::str::from_utf8(parts.next()) else { return };
    let key = Key::new("snapshots/snapshot.json");
    let (Some(object), Some(sealed)) = (Document::object_of(body), Document::sealed(body)) else {
        return;
    };
    let Ok(mut document) = Document::decode(&key, &sealed, &object) else { return };
    let written = document.encode().expect("what was read can be written");
    Document::decode(&key, &written, &object).expect("what was written can be read");
    let mut files = HashMap::new();
    for table in &mut document.tables {
        let table = Arc::make_mut(table);
        let named = table
            .data
            .iter_mut()
            .map(|data| &mut data.file)
            .chain(table.deletes.iter_mut().map(|deletes| &mut deletes.file));
        named.for_each(|file| parts.put(file, &mut files));
    }
    let _ = Fetched::new(document, snapshots_key(&Key::new("local")), files).decode(&LIMITS, None);
}

/// A file of position deletes, read and written again.
pub(crate) fn position_deletes(data: &[u8]) {
    let Ok(deletes) = read_deletes("deletes.parquet", Bytes::copy_from_slice(data)) else { return };
    let by_path = deletes.iter().map(|(path, positions)| (path.clone(), positions)).collect();
    let written = write_deletes(&by_path).expect("what was read can be written");
    assert_eq!(
        read_deletes("deletes.parquet", written.bytes).expect("what was written can be read"),
        deletes
    );
}

struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn next(&mut self) -> &'a [u8] {
        let Some((length, rest)) = self.0.split_first_chunk::<4>() else { return &[] };
        let length =
            usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX).min(rest.len());
        let (part, rest) = rest.split_at(length);
        self.0 = rest;
        part
    }

    /// Uses the next part of the input as the content of `file`, with a correct checksum.
    fn put(&mut self, file: &mut FileRef, files: &mut HashMap<Arc<str>, Bytes>) {
        let content = files
            .entry(Arc::clone(&file.key))
            .or_insert_with(|| Bytes::copy_from_slice(self.next()));
        (file.bytes, file.blake3) = (content.len() as u64, blake3::hash(content));
    }
}
