//! What can be set about Azure Functions.

/// How a Functions host delivers requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As they are.
    Http,
    /// As the payload of an invocation.
    Payload,
}
