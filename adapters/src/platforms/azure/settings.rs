//! Settings of Azure Functions.

/// How a Functions host delivers requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As proxied HTTP.
    Http,
    /// As the payload of an invocation.
    Payload,
}
