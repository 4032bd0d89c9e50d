//! The other servers of the bucket: forwarding of requests, and announcements of owners.

pub(crate) mod peers;
#[cfg(feature = "redis")]
pub(crate) mod redis;
