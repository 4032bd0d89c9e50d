//! Fuzz targets for records and their keys.

use crate::change::Changes;
use crate::id::Tenant;
use crate::log::record::{Envelope, Hash, Opened, Record, seal};
use crate::log::{codec, key_of, sequence_of};
use crate::sqlite::{Database, Limits};
use crate::store::Key;

/// Maximum size of a database in these targets.
const LIMITS: Limits =
    Limits { database_bytes_max: 8 << 20, row_bytes_max: 1 << 20, temporary_bytes_max: 64 << 20 };

/// Puts the input into a valid envelope as a record's body, decodes it, encodes it again, and
/// applies it to an empty database.
pub(crate) fn record(data: &[u8]) {
    let key = Key::new("log/record");
    let Ok((record, _)) = decode(&key, data) else { return };
    let written = record.encode().expect("what came from few bytes is not too large");
    let (again, hash) = Record::decode(&key, &written.bytes, &Tenant::local())
        .expect("what was written can be read");
    assert!(
        hash == written.hash && codec::encode(&again) == codec::encode(&record),
        "a record is another one when it is read again"
    );
    let mut database = Database::new(&LIMITS).expect("there is memory for an empty database");
    for changes in &record.transactions {
        if database.apply(changes).is_err() {
            return;
        }
    }
}

/// The first byte chooses a plain or a compressed body, of a record that starts anew when it is above
/// one.
fn decode(key: &Key, data: &[u8]) -> crate::error::Result<(Record, Hash)> {
    let (how, body) = data.split_first().unwrap_or((&0, &[]));
    let (flags, version) = (u16::from(how % 2), 1 + u16::from(how / 2));
    let plain_len = match flags {
        0 => body.len(),
        _ => zstd::bulk::decompress(body, 1 << 20).map_or(0, |plain| plain.len()),
    };
    let envelope = Envelope { version, flags, plain_len: plain_len as u64 };
    let sealed = seal(body, envelope).bytes;
    let opened = Opened::open(key, &sealed)?;
    let weight = opened.weight();
    let (record, hash) = opened.decode(key, &Tenant::local())?;
    let bytes: usize = record.transactions.iter().map(Changes::bytes).sum();
    assert!(bytes as u64 <= weight, "a record takes more than was paid for it");
    Ok((record, hash))
}

/// Parses the input as a name in the folder of an object's log.
pub(crate) fn key(data: &[u8]) {
    let Ok(name) = std::str::from_utf8(data) else { return };
    let folder = Key::new("local/local/do/Class/id/log");
    let key = folder.join(name);
    if let Some(sequence) = sequence_of(&folder, &key) {
        assert_eq!(key_of(&folder, sequence), key, "two keys are one slot");
    }
}
