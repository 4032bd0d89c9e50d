//! The delivery of one object's messages in this process.

use crate::messages::marker::Marker;
use crate::messages::relay_state::RelayState;

/// The state of one object's delivery in this process.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) relay: RelayState,
    pub(crate) marker: Marker,
}
