//! What can be set about the way of a request.

use std::time::Duration;

use super::access::AccessLog;
use super::body::Pace;
use super::client::TrustedProxies;
use super::compress::CompressionSettings;
use super::cors::CorsSettings;
use super::rate::RateSettings;
use crate::auth::AuthSettings;

/// Where requests can come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anywhere: a platform brings them. A browser is let in no further than anybody.
    #[default]
    Everywhere,
    /// A network, which not everybody is in.
    Network,
    /// This machine.
    Machine,
}

/// What an [`Edge`](super::Edge) does with requests, and the bounds that it keeps.
#[derive(Debug, Clone)]
pub(crate) struct EdgeSettings {
    /// The most bytes that the body of a request may have.
    pub(crate) body_bytes_max: u64,
    /// How long the sender of a body may pause.
    pub(crate) body_stall: Duration,
    /// How many bytes of a body have to come in a second, on average.
    pub(crate) body_bytes_per_second_min: u64,
    /// How long a whole body may take.
    pub(crate) body_time_max: Duration,
    /// Which requests get a line in the log.
    pub(crate) access_log: AccessLog,
    /// Whose word counts about where a request comes from: items that [`TrustedProxies::new`]
    /// takes.
    pub(crate) trusted_proxies: Vec<String>,
    /// Where requests can come from.
    pub(crate) reach: Reach,
    /// The names under which clients reach the server, where nobody has to prove who they are. Each
    /// passes `is_host`.
    pub(crate) allowed_hosts: Vec<String>,
    /// Which pages of other origins may use the server.
    pub(crate) cors: CorsSettings,
    /// Which responses become smaller.
    pub(crate) compression: CompressionSettings,
    /// Who may come in.
    pub(crate) auth: AuthSettings,
    /// How often.
    pub(crate) rate: RateSettings,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 << 20,
            body_stall: Duration::from_secs(15),
            body_bytes_per_second_min: 1024,
            body_time_max: Duration::from_secs(5 * 60),
            access_log: AccessLog::Errors,
            trusted_proxies: Vec::new(),
            reach: Reach::default(),
            allowed_hosts: Vec::new(),
            cors: CorsSettings::default(),
            compression: CompressionSettings::default(),
            auth: AuthSettings::default(),
            rate: RateSettings::default(),
        }
    }
}

impl EdgeSettings {
    /// What the sender of a body has to keep to.
    pub(super) fn pace(&self) -> Pace {
        Pace {
            stall: self.body_stall,
            bytes_per_second_min: self.body_bytes_per_second_min,
            time_max: self.body_time_max,
        }
    }

    /// Why these settings can't be used together, if so.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let proxies = TrustedProxies::new(&self.trusted_proxies).is_none();
        let mixed = proxies.then_some(
            "trusted_proxies: expected networks or a single number of proxies, got both",
        );
        mixed.or_else(|| self.cors.mistake())
    }
}
