//! The markers of alarms in the bucket: each names an object, and its key begins with the time at
//! which somebody must look at that object. So one listing shows what is due, however many alarms
//! there are.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::activation::Runtime;
use crate::error::Result;
use crate::id::{ObjectId, Tenant};
use crate::log::Log;
use crate::store::{Bucket as _, Key};

/// Number of hexadecimal digits of the time.
const TIME_DIGITS: usize = 16;

/// Number of hexadecimal digits of a UUID.
const UUID_DIGITS: usize = 32;

/// The name of a marker: `{time}-{instance}-{random}`, hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    text: String,
    /// When somebody must look, in milliseconds since 1970.
    pub(super) at_ms: i64,
    /// The process that has written it.
    pub(super) instance: Uuid,
}

/// The stored form, format version 1.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    format: u32,
    class: String,
    id: String,
}

impl Name {
    /// A new name for a marker of this process.
    pub(super) fn new(runtime: &Runtime, at_ms: i64) -> Self {
        let (at_ms, instance) = (at_ms.max(0), runtime.instance);
        let mut text = format!("{at_ms:016x}-{}-", instance.simple());
        for byte in &runtime.random.bytes16()[8..] {
            let _ = write!(text, "{byte:02x}");
        }
        Self { text, at_ms, instance }
    }

    /// The name with this text; `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (time, instance, random) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let fits = time.len() == TIME_DIGITS && instance.len() == UUID_DIGITS;
        if !fits || !is_hex(time) || random.is_empty() || parts.next().is_some() {
            return None;
        }
        let at_ms = i64::from_str_radix(time, 16).ok()?;
        let instance = Uuid::try_parse(instance).ok()?;
        Some(Self { text: text.to_owned(), at_ms, instance })
    }

    /// The name in the key of an entry of a listing.
    pub(super) fn of_key(key: &Key) -> Option<Self> {
        Self::parse(key.as_str().rsplit('/').next()?)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Its key among those of `tenant`.
    pub(super) fn key(&self, tenant: &Tenant) -> Key {
        tenant.alarms().join(&self.text)
    }
}

/// Writes the marker `name` of an object.
///
/// # Errors
///
/// Those of the store.
pub(super) async fn write(runtime: &Runtime, log: &Log, name: &Name) -> Result<()> {
    let (class, id) = (log.object.class().to_owned(), log.object.id().to_owned());
    let file = File { format: 1, class, id };
    runtime.tenants.register(&log.bucket).await?;
    log.bucket.put(&name.key(log.object.tenant()), serde_json::to_vec(&file)?.into()).await?;
    metrics::counter!("dotdo_alarm_markers_total").increment(1);
    Ok(())
}

/// Deletes a marker that nothing refers to any more.
pub(super) async fn remove(log: &Log, name: &Name) {
    if let Err(error) = log.bucket.delete(&[name.key(log.object.tenant())]).await {
        tracing::debug!(object = %log.object, %error, "cannot delete the marker of an alarm that is over; it costs one extra look");
    }
}

/// The object that a marker of `tenant` is about; `None` when it has another version or format.
pub(super) fn object_of(bytes: &[u8], tenant: &Tenant) -> Option<ObjectId> {
    let file: File = serde_json::from_slice(bytes).ok()?;
    if file.format == 1 { tenant.object(&file.class, &file.id).ok() } else { None }
}

/// Fuzz target: reads the name of a marker, and a marker.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz_name(data: &[u8]) {
    let _ = object_of(data, &Tenant::local());
    if let Some(name) = std::str::from_utf8(data).ok().and_then(Name::parse) {
        assert!(name.at_ms >= 0 && Name::of_key(&name.key(&Tenant::local())) == Some(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "0000019bd7f6a000-00000000000000000000000000000001-0123456789abcdef";

    #[test]
    fn a_name_is_a_time_an_instance_and_random_digits() {
        let name = Name::parse(GOOD).expect("a good name");
        assert_eq!((name.at_ms, name.instance), (0x19b_d7f6_a000, Uuid::from_u128(1)));
        assert_eq!(Name::of_key(&name.key(&Tenant::local())), Some(name));
        let bad = [
            "",
            "-",
            "0192f7a0-0000-7000-8000-000000000000",
            "0000019bd7f6a00-00000000000000000000000000000001-0",
            "+000019bd7f6a000-00000000000000000000000000000001-0",
            "ffffffffffffffff-00000000000000000000000000000001-0",
            "0000019bd7f6a000-0000000000000000000000000000000x-0",
            "0000019bd7f6a000-00000000000000000000000000000001-",
            "0000019bd7f6a000-00000000000000000000000000000001-0-0",
        ];
        for text in bad {
            assert_eq!(Name::parse(text), None, "{text}");
            fuzz_name(text.as_bytes());
        }
        fuzz_name(GOOD.as_bytes());
    }

    #[test]
    fn names_are_listed_in_the_order_of_their_times() {
        let at = |ms: i64| format!("{ms:016x}");
        let times = [0, 1, 9, 10, 0xffff, 1_767_225_600_000, crate::limits::ALARM_MS_MAX];
        assert!(times.windows(2).all(|pair| at(pair[0]) < at(pair[1])));
    }

    #[test]
    fn only_a_marker_of_this_version_is_read() {
        let tenant = Tenant::local();
        let file = br#"{"format":1,"class":"C","id":"a/b","later":1}"#;
        assert_eq!(object_of(file, &tenant), tenant.object("C", "a/b").ok());
        for bad in [&b"?"[..], br#"{"format":2,"class":"C","id":"a"}"#, br#"{"format":1}"#] {
            assert_eq!(object_of(bad, &tenant), None);
        }
    }
}
