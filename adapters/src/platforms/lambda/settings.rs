//! Settings of AWS Lambda.

use std::time::Duration;

/// Settings that only Lambda has.
#[derive(Debug, Clone)]
pub(crate) struct LambdaSettings {
    /// Front ends with streamed responses.
    pub(crate) streaming: Streaming,
    /// Maximum time that an invocation waits for background work.
    pub(crate) background_max: Duration,
    /// Where the connections of API Gateway's WebSocket APIs are, if not at each API itself: what
    /// stands before `/@connections`.
    pub(crate) connections_url: Option<String>,
}

impl Default for LambdaSettings {
    fn default() -> Self {
        Self {
            streaming: Streaming::Off,
            background_max: Duration::from_secs(2),
            connections_url: None,
        }
    }
}

/// Front ends with streamed responses. Events do not contain this, so it must be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streaming {
    /// None.
    Off,
    /// Function URLs.
    FunctionUrl,
    /// Function URLs and REST APIs, which is all that support it.
    All,
}
