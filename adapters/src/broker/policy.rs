//! The session policy that limits keys to one tenant's prefix: a pure function.
//!
//! Promises: whatever the prefix is, the policy allows nothing outside of it, or there is no policy.

use dotdo_core::{Error, Result};
use serde_json::json;

use super::keys::Access;

/// Maximum length of a session policy, in characters: Amazon's limit.
const POLICY_CHARS_MAX: usize = 2048;

/// What can be done with an object. Deleting is for retention; aborting frees the parts of an upload
/// that failed.
const ON_OBJECTS: [&str; 4] =
    ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"];

/// A part of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reach<'a> {
    /// The partition of resource names, such as `aws` or `aws-cn`.
    pub(super) partition: &'a str,
    pub(super) bucket: &'a str,
    /// The prefix of all keys, with a slash at its end.
    pub(super) prefix: &'a str,
}

/// The policy that allows `access` to `reach`, and nothing else.
///
/// Denying the token service matters where a role lets anyone assume it: the keys could otherwise
/// get keys of the whole role, without this policy.
///
/// # Errors
///
/// `Internal` for a name with a character that could have a meaning in a policy, a prefix without a
/// slash at its end, or one that is too long for a policy.
pub(super) fn session_policy(reach: &Reach<'_>, access: Access) -> Result<String> {
    let Reach { partition, bucket, prefix } = *reach;
    let is_safe = is_plain(partition, b"-")
        && is_plain(bucket, b"-._")
        && is_plain(prefix, b"-._=/")
        && prefix.ends_with('/')
        && !prefix.starts_with('/')
        && !prefix.contains("//");
    if !is_safe {
        return Err(Error::internal(format!(
            "expected a bucket and a prefix of letters, digits and -._=/ for a policy, got {bucket:?} and {prefix:?}"
        )));
    }
    let objects = match access {
        Access::ReadWrite => &ON_OBJECTS[..],
        Access::ReadOnly => &ON_OBJECTS[..1],
    };
    let bucket = format!("arn:{partition}:s3:::{bucket}");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Effect": "Allow", "Action": objects, "Resource": [format!("{bucket}/{prefix}*")] },
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": [bucket],
                "Condition": { "StringLike": { "s3:prefix": [format!("{prefix}*")] } },
            },
            { "Effect": "Deny", "Action": ["sts:*"], "Resource": ["*"] },
        ],
    })
    .to_string();
    if policy.len() > POLICY_CHARS_MAX {
        return Err(Error::internal(format!(
            "the prefix {prefix:?} is too long for a session policy: expected at most {POLICY_CHARS_MAX} characters, got {}",
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
