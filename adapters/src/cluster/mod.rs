//! The other servers of the bucket: forwarding of requests, and announcements of owners.

pub(crate) mod peers;
pub(crate) mod redis;
