//! What a request gives when nothing stands in the way of its response any more.

use crate::object::{Background, Response};

/// A response that may leave.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// What the handler left to be done after the response.
    pub(crate) background: Vec<Background>,
}
