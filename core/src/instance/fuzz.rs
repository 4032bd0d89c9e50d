//! A target for fuzzers: the hints in the bucket.

use crate::id::ObjectId;
use crate::instance::{hint, outbox};

/// A lock file or a marker of the outbox.
pub(crate) fn hints(data: &[u8]) {
    let object = ObjectId::new("Counter", "a").expect("a good id");
    let _ = hint::Hint::decode(data, &object);
    outbox::fuzz(data);
}
