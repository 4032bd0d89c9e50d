//! Which texts can be names of places: they become parts of URLs and keys.

/// Whether `text` can be the name of a bucket. Stores may have stricter rules.
pub(crate) fn is_bucket(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Whether `prefix` can begin a key: every store must accept its segments unchanged.
pub(crate) fn is_prefix(prefix: &str) -> bool {
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._=".contains(&byte))
    };
    prefix.is_empty() || prefix.split('/').all(plain)
}

/// Whether `text` can be a label of a host name, such as a region: the service's host name is made
/// from it.
pub(crate) fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
