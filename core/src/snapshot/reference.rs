//! Keys of a snapshot's files.

use std::fmt;

use uuid::Uuid;

use crate::limits::SEQUENCE_MAX;
use crate::segment::shorten;
use crate::store::Key;

/// Names one snapshot of an object: the last record that is folded in, and a unique id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SnapshotRef {
    /// The sequence number of the last record in it.
    pub(crate) sequence: u64,
    /// Distinguishes snapshots that end with the same record.
    pub(crate) uuid: Uuid,
}

impl SnapshotRef {
    /// The key of its `snapshot.json`, for an object whose keys begin with `prefix`.
    pub(crate) fn document_key(&self, prefix: &Key) -> Key {
        snapshots_key(prefix).join(self).join("snapshot.json")
    }

    /// A key that sorts before everything of this snapshot and of all newer ones, and after
    /// everything of older ones.
    pub(super) fn before_key(&self, prefix: &Key) -> Key {
        snapshots_key(prefix).join(format_args!("seq-{:010}", self.sequence))
    }

    /// The snapshot whose directory has this name.
    pub(super) fn from_directory(name: &str) -> Option<Self> {
        let (sequence, uuid) = name.strip_prefix("seq-")?.split_once('-')?;
        let found = Self { sequence: sequence.parse().ok()?, uuid: Uuid::parse_str(uuid).ok()? };
        (found.sequence <= SEQUENCE_MAX && found.to_string() == name).then_some(found)
    }
}

impl fmt::Display for SnapshotRef {
    /// The name of its directory. Padded, so that listings are in order for the first ten thousand
    /// million records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seq-{:010}-{}", self.sequence, self.uuid)
    }
}

/// The key below which all snapshots of an object lie. Keys inside snapshots are relative to it.
pub(crate) fn snapshots_key(prefix: &Key) -> Key {
    prefix.join("snapshots")
}

/// The key of the hint that holds a copy of the newest `snapshot.json`.
pub(crate) fn latest_key(prefix: &Key) -> Key {
    snapshots_key(prefix).join("latest")
}

/// The key of the marker for a snapshot that differs from the records that it covers.
pub(crate) fn differs_key(prefix: &Key) -> Key {
    snapshots_key(prefix).join("differs")
}

/// A table's name as part of a file's name: readable for usual names, never ambiguous.
pub(super) fn table_file_name(table: &str) -> String {
    shorten(table, 64, 32, 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_name_leads_back_to_its_snapshot() {
        let snapshot = SnapshotRef { sequence: 42, uuid: Uuid::from_u128(7) };
        assert_eq!(snapshot.to_string(), "seq-0000000042-00000000-0000-0000-0000-000000000007");
        assert_eq!(SnapshotRef::from_directory(&snapshot.to_string()), Some(snapshot));
        let huge = SnapshotRef { sequence: SEQUENCE_MAX, ..snapshot };
        assert_eq!(SnapshotRef::from_directory(&huge.to_string()), Some(huge));
        let larger = SnapshotRef { sequence: u64::MAX, ..snapshot };
        assert_eq!(SnapshotRef::from_directory(&larger.to_string()), None, "one more overflows");
        for wrong in [
            "latest",
            "seq-42-00000000-0000-0000-0000-000000000007",
            "seq-0000000042",
            "seq-0000000042-x",
        ] {
            assert_eq!(SnapshotRef::from_directory(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn tables_never_share_a_file_name() {
        let long = "x".repeat(200);
        let names = [
            "things",
            "Things",
            "a b",
            "a.20b",
            "",
            "\"",
            "a/b",
            "..",
            "con",
            &long,
            &format!("{long}y"),
            "日本語",
        ];
        let encoded: std::collections::HashSet<String> =
            names.iter().map(|name| table_file_name(name)).collect();
        assert_eq!(encoded.len(), names.len());
        assert!(encoded.iter().all(|name| name.len() <= 70 && !name.contains('/')), "{encoded:?}");
        assert_eq!(table_file_name("con"), ".63on", "a device on Windows");
    }
}
