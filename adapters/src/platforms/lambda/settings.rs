//! What can be set about AWS Lambda.

use std::time::Duration;

/// What can be configured for Lambda alone.
#[derive(Debug, Clone)]
pub(crate) struct LambdaSettings {
    /// Which front ends get responses piece by piece.
    pub(crate) streaming: Streaming,
    /// How long an invocation waits for what its answer has left behind.
    pub(crate) settle_max: Duration,
}

impl Default for LambdaSettings {
    fn default() -> Self {
        Self { streaming: Streaming::Off, settle_max: Duration::from_secs(2) }
    }
}

/// Which front ends get responses piece by piece. Events do not tell how the front end wants its
/// response, so somebody has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streaming {
    /// None.
    Off,
    /// Function URLs.
    FunctionUrl,
    /// Function URLs and REST APIs: all that can.
    All,
}
