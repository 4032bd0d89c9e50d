//! Entries in Redis: the writer, a keyed hash, and a text.

use std::time::Duration;

use dotdo_core::{Holding, ObjectId, Owner, OwnershipChange, Secret, Tenant, millis};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ENTRY_BYTES_MAX;
use crate::cluster::peers::CLOCK_SKEW_MAX;

/// The version of the text. Entries of other versions are ignored.
const VERSION: u32 = 2;

/// The context of key derivation. Never change it; change the version.
const CONTEXT: &str = "dotdo 2026-11 owners in a directory";

/// The length of a hash in hexadecimal digits.
const HEX: usize = 2 * blake3::OUT_LEN;

/// An announcement of an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) object: ObjectId,
    pub(super) holding: Holding,
    pub(super) change: OwnershipChange,
    /// When it was written, in milliseconds since 1970.
    pub(super) time_ms: i64,
}

/// The text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text {
    version: u32,
    org: String,
    tenant: String,
    class: String,
    id: String,
    news: String,
    instance: Uuid,
    address: String,
    epoch: u64,
    sequence: u64,
    lease_ms: u64,
    time_ms: i64,
}

/// Keys that are derived from the shared secret for one bucket.
pub(super) struct Keys {
    mac: [u8; 32],
    bucket: String,
}

impl Keys {
    /// The keys for the bucket at `location`.
    pub(super) fn new(secret: &Secret, location: &str) -> Self {
        let root = blake3::derive_key(CONTEXT, secret.reveal().as_bytes());
        let derive = |what: &str| {
            *blake3::Hasher::new_keyed(&root)
                .update(what.as_bytes())
                .update(location.as_bytes())
                .finalize()
                .as_bytes()
        };
        let name = blake3::Hash::from_bytes(derive("name:")).to_hex();
        Self { mac: derive("mac:"), bucket: name[..HEX / 2].to_owned() }
    }

    /// The hash of the bucket in names.
    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The entry: `{instance} {hash} {text}`.
    pub(super) fn seal(&self, entry: &Entry) -> String {
        let Holding { owner, epoch, sequence, remaining } = &entry.holding;
        let text = Text {
            version: VERSION,
            org: entry.object.tenant().org().to_owned(),
            tenant: entry.object.tenant().name().to_owned(),
            class: entry.object.class().to_owned(),
            id: entry.object.id().to_owned(),
            news: name_of(entry.change).to_owned(),
            instance: owner.instance,
            address: owner.address.clone(),
            epoch: *epoch,
            sequence: *sequence,
            lease_ms: millis::of(*remaining),
            time_ms: entry.time_ms,
        };
        let text = serde_json::to_string(&text).expect("a text has nothing that JSON can't say");
        let mac = blake3::keyed_hash(&self.mac, text.as_bytes());
        format!("{}{} {text}", prefix_of(&owner.instance), mac.to_hex())
    }

    /// Parses an entry that was written with the same secret for the same bucket, and whose lease
    /// can still hold; `None` for anything else.
    pub(super) fn open(&self, bytes: &[u8], now_ms: i64) -> Option<Entry> {
        let written =
            std::str::from_utf8(bytes).ok().filter(|written| written.len() <= ENTRY_BYTES_MAX)?;
        let (instance, rest) = written.split_once(' ')?;
        let (hex, text) = rest.split_once(' ')?;
        // The comparison takes constant time. Another spelling of the same hash would be another
        // text.
        let theirs =
            Some(hex).filter(|hex| !hex.contains(|digit: char| digit.is_ascii_uppercase()));
        if blake3::Hash::from_hex(theirs?).ok()? != blake3::keyed_hash(&self.mac, text.as_bytes()) {
            return None;
        }
        let text: Text = serde_json::from_str(text).ok()?;
        let change = [OwnershipChange::Taken, OwnershipChange::Kept, OwnershipChange::Released]
            .into_iter()
            .find(|change| name_of(*change) == text.news)?;
        let skew_ms = millis::signed(CLOCK_SKEW_MAX);
        let age_ms = now_ms.saturating_sub(text.time_ms);
        let age_ms_max = i64::try_from(text.lease_ms).unwrap_or(i64::MAX).saturating_add(skew_ms);
        let is_sound = text.version == VERSION
            && text.instance.to_string() == instance
            && (-skew_ms..=age_ms_max).contains(&age_ms);
        if !is_sound {
            return None;
        }
        let owner = Owner { instance: text.instance, address: text.address };
        let holding = Holding {
            owner,
            epoch: text.epoch,
            sequence: text.sequence,
            remaining: Duration::from_millis(text.lease_ms),
        };
        Some(Entry {
            object: Tenant::new(&text.org, &text.tenant)
                .ok()?
                .object(&text.class, &text.id)
                .ok()?,
            holding,
            change,
            time_ms: text.time_ms,
        })
    }
}

/// Fuzz target: an entry's text, with a correct hash.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    let keys = Keys::new(&Secret::new("a secret of at least thirty-two bytes"), "file:///bucket");
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mac = blake3::keyed_hash(&keys.mac, text.as_bytes()).to_hex();
    let instance =
        serde_json::from_str::<Text>(text).map_or_else(|_| Uuid::nil(), |text| text.instance);
    if let Some(entry) = keys.open(format!("{}{mac} {text}", prefix_of(&instance)).as_bytes(), 0) {
        let again = keys.open(keys.seal(&entry).as_bytes(), 0);
        assert!(again.as_ref() == Some(&entry), "an entry is another one when it is read again");
    }
}

/// The prefix of all entries of a process.
pub(super) fn prefix_of(instance: &Uuid) -> String {
    format!("{instance} ")
}

fn name_of(change: OwnershipChange) -> &'static str {
    match change {
        OwnershipChange::Taken => "taken",
        OwnershipChange::Kept => "kept",
        OwnershipChange::Released => "released",
    }
}
