//! Manifests that nobody of ours wrote.

use super::*;

/// The Avro reader panics on some of them: these are errors too.
#[test]
fn a_manifest_with_a_damaged_byte_is_read_or_refused() {
    let data = [
        entry(FileStatus::Removed { sequence: 5 }, "gone"),
        entry(FileStatus::Existing { snapshot_id: 40, sequence: 3 }, "old"),
    ];
    let none = ManifestEntries { files: &[], uri: "u://deletes.avro" };
    let data = ManifestEntries { files: &data, uri: "u://data.avro" };
    let written = write_manifests(&version(0), &field_set(0), data, none).expect("manifests");
    let whole = written.data.expect("a data manifest").to_vec();
    let gone = removed_files("whole", &whole).expect("it is whole");
    assert_eq!(gone.iter().map(|file| file.uri.as_str()).collect::<Vec<_>>(), ["gone"]);
    let mut refused = 0;
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (at % 8);
        if let Err(error) = removed_files("damaged", &damaged) {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            refused += 1;
        }
    }
    assert!(refused > whole.len() / 4, "{refused} of {}", whole.len());
}
