//! The other servers of the bucket: how requests get to them, and how they tell each other what
//! they own.

pub(crate) mod peers;
pub(crate) mod redis;
