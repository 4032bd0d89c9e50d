//! Folders by listings, for a store that lists keys in their order.

use super::{Bucket, Key, Names, StoreError};

/// The folders that `names` asks for, in the order of the keys in them: a listing of one key for
/// each.
pub(super) async fn by_listings<B: Bucket + ?Sized>(
    bucket: &B,
    prefix: &Key,
    names: Names<'_>,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let below = prefix.below();
    let mut after = match names.after {
        Some(name) => Some(behind(&below, name)),
        None => (!names.begin.is_empty()).then(|| Key::new(format!("{below}{}", names.begin))),
    };
    let mut found = Vec::new();
    while found.len() < limit {
        let next = bucket.list(prefix, after.as_ref(), 1).await?;
        let Some(entry) = next.into_iter().next() else { break };
        let rest = entry.key.as_str().strip_prefix(&below).unwrap_or_default();
        if !rest.starts_with(names.begin) {
            break;
        }
        match rest.split_once('/') {
            Some((name, _)) => {
                after = Some(behind(&below, name));
                found.push(name.to_owned());
            }
            // A file beside the folders.
            None => after = Some(entry.key),
        }
    }
    Ok(found)
}

/// A key that sorts after everything in the folder, and before everything else: `0` follows `/`.
fn behind(below: &str, name: &str) -> Key {
    Key::new(format!("{below}{name}0"))
}
