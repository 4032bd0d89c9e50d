//! The delivery of one object's messages in this process.

use crate::messages::marker::Marker;
use crate::messages::state::Courier;

/// One object's delivery in this process.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) courier: Courier,
    pub(crate) marker: Marker,
}
