//! The session policy that limits keys to some prefixes, such as a tenant's: a pure function.
//!
//! Promises: whatever the prefixes are, the policy allows nothing outside of them, or there is no
//! policy.

use dotdo_core::{Error, Result};
use serde::Deserialize;
use serde_json::json;

/// Maximum length of a session policy, in characters: Amazon's limit.
const POLICY_CHARS_MAX: usize = 2048;

/// What can be done with an object. Deleting is for retention; aborting frees the parts of an upload
/// that failed.
const ON_OBJECTS: [&str; 4] =
    ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];

/// What keys may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Access {
    /// Read, list, write and delete.
    #[default]
    ReadWrite,
    /// Read and list.
    ReadOnly,
}

/// A part of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach<'a> {
    /// The partition of resource names, such as `aws` or `aws-cn`.
    pub(crate) partition: &'a str,
    pub(crate) bucket: &'a str,
    /// The prefixes of all keys, each with a slash at its end.
    pub(crate) prefixes: &'a [String],
}

impl Reach<'_> {
    /// The partition of a resource name: `aws` of `arn:aws:iam::…`.
    pub(crate) fn partition(arn: &str) -> &str {
        arn.split(':').nth(1).unwrap_or("aws")
    }
}

/// The policy that allows `access` to `reach`, and nothing else.
///
/// Denying the token service matters where a role lets anyone assume it: the keys could otherwise
/// get keys of the whole role, without this policy.
///
/// # Errors
///
/// `Internal` without a prefix, for a name with a character that could have a meaning in a policy, a
/// prefix without a slash at its end, or prefixes that are too long for a policy.
pub(crate) fn session_policy(reach: &Reach<'_>, access: Access) -> Result<String> {
    let Reach { partition, bucket, prefixes } = *reach;
    let is_prefix = |prefix: &String| {
        is_plain(prefix, b"-._=/")
            && prefix.ends_with('/')
            && !prefix.starts_with('/')
            && !prefix.contains("//")
    };
    let is_safe = is_plain(partition, b"-")
        && is_plain(bucket, b"-._")
        && !prefixes.is_empty()
        && prefixes.iter().all(is_prefix);
    if !is_safe {
        return Err(Error::internal(format!(
            "expected a bucket and a prefix of letters, digits and -._=/ for a policy, got {bucket:?} and {prefixes:?}"
        )));
    }
    let objects = match access {
        Access::ReadWrite => &ON_OBJECTS[..],
        Access::ReadOnly => &ON_OBJECTS[..1],
    };
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    let below: Vec<String> = prefixes.iter().map(|prefix| format!("{prefix}*")).collect();
    let resources: Vec<String> = below.iter().map(|below| format!("{bucket}/{below}")).collect();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": objects, "Resource": resources },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [bucket],
                "Condition": { "StringLike": { "s3:prefix": below } },
            },
            { "Effect": "Deny", "Action": ["sts:*"], "Resource": ["*"] },
        ],
    })
    .to_string();
    if policy.len() > POLICY_CHARS_MAX {
        return Err(Error::internal(format!(
            "the prefixes {prefixes:?} are too long for a session policy: expected at most {POLICY_CHARS_MAX} characters, got {}",
            policy.len()
        )));
    }
    Ok(policy)
}

/// Whether `text` has only ASCII letters, digits and these signs, and is not empty.
fn is_plain(text: &str, signs: &[u8]) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte))
}

#[cfg(test)]
mod tests;
