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
        let (found, rest) = Self::from_beginning(name.strip_prefix("seq-")?)?;
        rest.is_empty().then_some(found)
    }

    /// The snapshot that wrote the file with this key, which is relative to `snapshots/`.
    pub(super) fn of_file(key: &str) -> Option<Self> {
        match key.split('/').collect::<Vec<_>>()[..] {
            [TABLES, _, _, name] => {
                let (found, rest) = Self::from_beginning(name)?;
                rest.starts_with(['-', '.']).then_some(found)
            }
            [directory, _, ..] => Self::from_directory(directory),
            _ => None,
        }
    }

    /// What the names of its files begin with: a number that grows with every snapshot, and a
    /// unique id. Iceberg's catalogs name metadata files like that, and engines that are given a
    /// table's folder take the highest number.
    pub(super) fn stem(&self) -> String {
        format!("{:010}-{}", self.sequence, self.uuid)
    }

    /// The snapshot with this stem, and what follows it.
    fn from_beginning(text: &str) -> Option<(Self, &str)> {
        let (sequence, rest) = text.split_once('-')?;
        let (uuid, rest) = rest.split_at_checked(UUID_CHARACTERS)?;
        let found = Self { sequence: sequence.parse().ok()?, uuid: Uuid::parse_str(uuid).ok()? };
        let is_stem = found.sequence <= SEQUENCE_MAX
            && text.strip_prefix(&found.stem()).is_some_and(|after| after == rest);
        is_stem.then_some((found, rest))
    }
}

/// The length of a UUID's text.
const UUID_CHARACTERS: usize = 36;

/// The folder below `snapshots/` that has a folder for each table. It sorts before the snapshots'
/// own directories, so that these are the end of a listing.
const TABLES: &str = "iceberg";

impl fmt::Display for SnapshotRef {
    /// The name of its directory. Padded, so that listings are in order for the first ten thousand
    /// million records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seq-{}", self.stem())
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

/// A table's folder, relative to `snapshots/`: readable for usual names, never ambiguous.
pub(super) fn table_folder(table: &str) -> String {
    format!("{TABLES}/{}", shorten(table, 64, 32, 32))
}

/// The folder of the table whose metadata has this key; `None` for a key of the time when tables
/// had no folders.
pub(super) fn folder_of(metadata: &str) -> Option<&str> {
    let folder = metadata.rsplit_once("/metadata/")?.0;
    folder.strip_prefix(TABLES)?.starts_with('/').then_some(folder)
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
            names.iter().map(|name| table_folder(name)).collect();
        assert_eq!(encoded.len(), names.len());
        let is_folder = |name: &String| name.len() <= 78 && name.matches('/').count() == 1;
        assert!(encoded.iter().all(is_folder), "{encoded:?}");
        assert_eq!(table_folder("con"), "iceberg/.63on", "a device on Windows");
    }

    #[test]
    fn a_file_leads_to_the_snapshot_that_wrote_it() {
        let snapshot = SnapshotRef { sequence: 42, uuid: Uuid::from_u128(7) };
        let stem = snapshot.stem();
        for key in [
            format!("seq-{stem}/snapshot.json"),
            format!("seq-{stem}/metadata/t.metadata.json"),
            format!("iceberg/t/metadata/{stem}.metadata.json"),
            format!("iceberg/t/metadata/{stem}-list.avro"),
            format!("iceberg/t/data/{stem}-0.parquet"),
        ] {
            assert_eq!(SnapshotRef::of_file(&key), Some(snapshot), "{key}");
        }
        for key in [
            "latest".to_owned(),
            "iceberg/t/metadata/version-hint.text".to_owned(),
            format!("iceberg/t/{stem}-0.parquet"),
            format!("iceberg/t/data/x/{stem}-0.parquet"),
            format!("iceberg/t/data/{stem}0.parquet"),
            format!("iceberg/t/data/{}-0.parquet", &stem[1..]),
            format!("iceberg/t/data/{}", &stem[..20]),
        ] {
            assert_eq!(SnapshotRef::of_file(&key), None, "{key}");
        }
    }

    #[test]
    fn only_a_table_s_own_folder_is_its_location() {
        assert_eq!(folder_of("iceberg/t/metadata/x.metadata.json"), Some("iceberg/t"));
        assert_eq!(folder_of("seq-x/metadata/t.metadata.json"), None);
    }
}
