//! A bucket whose log is held by another store, which coordinates.

use std::sync::Arc;

use crate::store::{Bucket, Files, Key, Part, Split};

/// What is beside the tenants in a bucket.
const OF_NO_TENANT: [&str; 4] = [".broker", ".dotdo", ".instances", ".tenants"];

/// The bucket whose files are in `files` and whose log is in `log`, as all that is created by the
/// first of several writers, and every hint beside it. Only the snapshots of objects are files.
///
/// Both are probed when an engine starts on it: `log` for create-if-absent, `files` for what the
/// snapshots need. A bucket is refused if its log was held by another store before.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// use std::sync::Arc;
///
/// use dotdo::engine::{Bucket, Key, Memory, StoreConfig, Uuid, open_files, with_log};
/// use dotdo::testing::{CountingRandom, ManualClock};
///
/// let (clock, random) =
///     (Arc::new(ManualClock::new()), Arc::new(CountingRandom::starting_at(1)));
/// let log = Arc::new(Memory::new(clock.clone()));
/// let files = open_files(&StoreConfig::Memory, Uuid::from_u128(1), clock, random)?;
/// let bucket = with_log(files, log.clone());
/// bucket.put(&Key::new("acme/web/do/shop/north/lock"), "…".into()).await?;
/// bucket.put(&Key::new("acme/web/do/shop/north/snapshots/latest"), "…".into()).await?;
/// assert_eq!(log.list(&Key::new(""), None, 100).await?.len(), 1, "the other is a file");
/// # Ok(())
/// # });
/// ```
pub fn with_log(files: Files, log: Arc<dyn Bucket>) -> Arc<dyn Bucket> {
    Arc::new(Split::new(log, files, part_of))
}

/// The part that a key belongs to, or all keys below it: `{org}/{tenant}/do/{class}/{id}/snapshots/`
/// has files.
fn part_of(key: &Key) -> Option<Part> {
    let mut segments = key.as_str().split('/').peekable();
    if segments.peek().is_some_and(|first| OF_NO_TENANT.contains(first)) {
        return Some(Part::Log);
    }
    if segments.nth(2)? != "do" {
        return Some(Part::Log);
    }
    match segments.nth(2) {
        None => None,
        Some("snapshots") => Some(Part::Files),
        Some(_) => Some(Part::Log),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Tenant;

    #[test]
    fn only_snapshots_are_files() {
        let tenant = Tenant::new("acme", "shop").expect("a good tenant");
        let object = tenant.object("Counter", "a/snapshots").expect("a good id").prefix();
        let part = |key: &Key| part_of(key);
        for file in ["snapshots", "snapshots/latest", "snapshots/iceberg/t/data/1-x-0.parquet"] {
            assert_eq!(part(&object.join(file)), Some(Part::Files), "{file}");
        }
        for log in ["log", "log/ff-1", "lock", "log/snapshots"] {
            assert_eq!(part(&object.join(log)), Some(Part::Log), "{log}");
        }
        for log in [
            ".dotdo/probe.json",
            ".broker/tokens/00",
            ".tenants/acme~shop",
            "acme/shop/closed",
            "acme/shop/outbox/do",
            "acme/shop/.dotdo/probe.json",
        ] {
            assert_eq!(part(&Key::new(log)), Some(Part::Log), "{log}");
        }
        let other = Tenant::new("Acme", "Shop").expect("a good tenant");
        let prefix = other.object("Counter", "a").expect("a good id").prefix();
        assert!(prefix.as_str().starts_with('.'), "an upper-case letter is escaped: {prefix}");
        assert_eq!(part(&prefix.join("snapshots/latest")), Some(Part::Files));
        assert_eq!(part(other.prefix()), None);
        for both in ["", "acme", "acme/shop", "acme/shop/do", "acme/shop/do/counter"] {
            assert_eq!(part(&Key::new(both)), None, "{both}");
        }
        assert_eq!(part(&object), None, "an object has both");
    }
}
