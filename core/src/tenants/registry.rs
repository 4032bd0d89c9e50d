//! The list of tenants whose objects send messages: one small object in the shared bucket for each,
//! so that somebody finds their markers.

use serde::Serialize;

use crate::error::Result;
use crate::id::Tenant;
use crate::limits::STORE_PAGE_MAX;
use crate::segment::{escape, unescape};
use crate::store::{Bucket, Key};

/// The folder of the list. No tenant's keys begin with it: an escaped `.` is followed by hex
/// digits.
pub(super) const FOLDER: &str = ".tenants";

/// Between the organisation and the tenant; nothing escaped has it.
const BETWEEN: char = '~';

/// The stored form, format version 1. It is for people: the key says the same.
#[derive(Serialize)]
struct TenantFile<'a> {
    format: u32,
    org: &'a str,
    tenant: &'a str,
}

/// Puts `tenant` on the list.
///
/// # Errors
///
/// Those of the store.
pub(super) async fn register(bucket: &dyn Bucket, tenant: &Tenant) -> Result<()> {
    let file = TenantFile { format: 1, org: tenant.org(), tenant: tenant.name() };
    Ok(bucket.put(&key_of(tenant), serde_json::to_vec(&file)?.into()).await?)
}

/// Takes `tenant` off the list.
///
/// # Errors
///
/// Those of the store.
pub(super) async fn unregister(bucket: &dyn Bucket, tenant: &Tenant) -> Result<()> {
    Ok(bucket.delete(&[key_of(tenant)]).await?)
}

/// A page of the list: its tenants, and where the next page begins; `None` after the last one.
///
/// # Errors
///
/// Those of the store.
pub(super) async fn page(
    bucket: &dyn Bucket,
    after: Option<&Key>,
) -> Result<(Vec<Tenant>, Option<Key>)> {
    let entries = bucket.list(&Key::new(FOLDER), after, STORE_PAGE_MAX).await?;
    let last = entries.last().filter(|_| entries.len() == STORE_PAGE_MAX);
    let last = last.map(|entry| entry.key.clone());
    Ok((entries.iter().filter_map(|entry| tenant_of(&entry.key)).collect(), last))
}

/// Whether the list can be read.
///
/// # Errors
///
/// Those of the store.
pub(super) async fn is_readable(bucket: &dyn Bucket) -> Result<()> {
    bucket.list(&Key::new(FOLDER), None, 1).await?;
    Ok(())
}

fn key_of(tenant: &Tenant) -> Key {
    Key::new(FOLDER).join(format_args!(
        "{}{BETWEEN}{}",
        escape(tenant.org()),
        escape(tenant.name())
    ))
}

/// The tenant with this key; `None` for anything else.
fn tenant_of(key: &Key) -> Option<Tenant> {
    let (org, name) = key.as_str().strip_prefix(FOLDER)?.strip_prefix('/')?.split_once(BETWEEN)?;
    Tenant::new(&unescape(org)?, &unescape(name)?).ok()
}

/// A target for fuzzers: a name in the list.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn fuzz(data: &[u8]) {
    let Ok(name) = std::str::from_utf8(data) else { return };
    let key = Key::new(FOLDER).join(name);
    if let Some(tenant) = tenant_of(&key) {
        assert_eq!(key_of(&tenant), key, "two keys are one tenant");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;
    use crate::store::Memory;
    use crate::testing::ManualClock;

    #[test]
    fn the_list_is_read_page_by_page_and_anything_else_in_it_is_passed_over() {
        let bucket = Memory::new(Arc::new(ManualClock::new()));
        let tenants: Vec<Tenant> = (0..STORE_PAGE_MAX + 5)
            .map(|number| Tenant::new("acme", &format!("{number:05}")).expect("a good tenant"))
            .collect();
        for tenant in &tenants {
            register(&bucket, tenant).now_or_never().expect("at once").expect("memory stores");
        }
        let odd = Key::new(FOLDER).join("Acme~x");
        bucket.put(&odd, "?".into()).now_or_never().expect("at once").expect("memory stores");
        let read = |after: Option<Key>| {
            page(&bucket, after.as_ref()).now_or_never().expect("at once").expect("memory lists")
        };
        let (first, after) = read(None);
        assert_eq!(first.len(), STORE_PAGE_MAX - 1, "the odd one comes first");
        let (rest, after) = read(after);
        assert_eq!(after, None);
        assert_eq!([first, rest].concat(), tenants);
        unregister(&bucket, &tenants[0]).now_or_never().expect("at once").expect("memory deletes");
        assert_eq!(read(None).0[0], tenants[1]);
    }

    proptest! {
        #[test]
        fn every_tenant_comes_back_from_its_key(org in "\\PC{1,60}", name in "[A-Za-z.~/]{1,60}") {
            if let Ok(tenant) = Tenant::new(&org, &name) {
                prop_assert_eq!(tenant_of(&key_of(&tenant)), Some(tenant));
            }
        }

        #[test]
        fn no_key_is_another_spelling_of_a_tenant(name in "[a-z.0-9~A-Z]{1,12}") {
            fuzz(name.as_bytes());
        }
    }
}
