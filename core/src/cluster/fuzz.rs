//! A target for fuzzers: the hints in the bucket.

use crate::alarms::fuzz_name;
use crate::cluster::lock_file::Hint;
use crate::id::Tenant;
use crate::messages::fuzz_marker;

/// A lock file or a marker of the outbox.
pub(crate) fn hints(data: &[u8]) {
    let object = Tenant::local().object("Counter", "a").expect("a good id");
    let _ = Hint::decode(data, &object);
    fuzz_marker(data);
    fuzz_name(data);
}
