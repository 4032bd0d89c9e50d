//! Settings of the edge.

use std::time::Duration;

use dotdo_core::{Secret, Tenant};

use super::access::AccessLog;
use super::body::Pace;
use super::client::TrustedProxies;
use super::compress::CompressionSettings;
use super::cors::CorsSettings;
use super::gateway::SharedGateway;
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

/// Whether the routes of administration are there: the setting `admin.routes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AdministrationRoutes {
    /// With authentication, and on a server that only this machine reaches.
    #[default]
    Auto,
    /// As `Auto`, and a server for which that is not so does not start.
    On,
    /// They are not there.
    Off,
}

impl AdministrationRoutes {
    /// The words of the setting, in the order of the variants.
    pub(crate) const WORDS: &'static [&'static str] = &["auto", "on", "off"];

    /// All of them, in the order of the words.
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::On, Self::Off];
}

/// The settings of an [`Edge`](super::Edge).
#[derive(Debug, Clone)]
pub(crate) struct EdgeSettings {
    /// Maximum size of a request body, in bytes.
    pub(crate) body_bytes_max: u64,
    /// Maximum pause of a client that sends a body.
    pub(crate) body_stall: Duration,
    /// Minimum average rate of a body, in bytes per second.
    pub(crate) body_bytes_per_second_min: u64,
    /// Maximum time for a whole body.
    pub(crate) body_time_max: Duration,
    /// The tenant of callers that name none. It is another than `local/local` if the server's own
    /// token names one, because then its keys may reach nothing else.
    pub(crate) home: Tenant,
    /// The requests to log.
    pub(crate) access_log: AccessLog,
    /// Trusted proxies, in the form of [`TrustedProxies::new`].
    pub(crate) trusted_proxies: Vec<String>,
    /// Where requests can come from.
    pub(crate) reach: Reach,
    /// Allowed host names without authentication. Each passes `is_host`.
    pub(crate) allowed_hosts: Vec<String>,
    /// The pages of other origins that may use the server.
    pub(crate) cors: CorsSettings,
    /// The responses to compress.
    pub(crate) compression: CompressionSettings,
    /// Authentication.
    pub(crate) auth: AuthSettings,
    /// The rate limit.
    pub(crate) rate: RateSettings,
    /// What a platform's timer must send, in the form of `auth.tokens`.
    pub(crate) tick_secret: Option<Secret>,
    /// Whether the routes of administration are there.
    pub(crate) administration: AdministrationRoutes,
    /// Whether it is for administration in the program around it, which says who the caller is.
    pub(crate) is_mounted_for_administration: bool,
    /// What answers clients in the place of the routes to objects.
    pub(crate) gateway: Option<SharedGateway>,
}

impl Default for EdgeSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 32 << 20,
            body_stall: Duration::from_secs(15),
            body_bytes_per_second_min: 1024,
            body_time_max: Duration::from_secs(5 * 60),
            home: Tenant::local(),
            access_log: AccessLog::Errors,
            trusted_proxies: Vec::new(),
            reach: Reach::default(),
            allowed_hosts: Vec::new(),
            cors: CorsSettings::default(),
            compression: CompressionSettings::default(),
            auth: AuthSettings::default(),
            rate: RateSettings::default(),
            tick_secret: None,
            administration: AdministrationRoutes::default(),
            is_mounted_for_administration: false,
            gateway: None,
        }
    }
}

/// Who may use the routes of administration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Nobody: the paths name nothing.
    Off,
    /// Everybody on this machine.
    Machine,
    /// Callers with the scopes for it.
    Scoped,
}

impl Access {
    /// What the settings of a server mean.
    pub(super) fn new(settings: &EdgeSettings) -> Self {
        match settings.administration {
            AdministrationRoutes::Off => Self::Off,
            _ if settings.auth.is_on() || settings.is_mounted_for_administration => Self::Scoped,
            _ if settings.reach == Reach::Machine => Self::Machine,
            _ => Self::Off,
        }
    }
}

impl EdgeSettings {
    /// The limits for the sender of a body.
    pub(super) fn pace(&self) -> Pace {
        Pace {
            stall: self.body_stall,
            bytes_per_second_min: self.body_bytes_per_second_min,
            time_max: self.body_time_max,
        }
    }

    /// The contradiction in these settings, if there is one.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        let proxies = TrustedProxies::new(&self.trusted_proxies).is_none();
        let mixed = proxies.then_some(
            "trusted_proxies: expected networks or a single number of proxies, got both",
        );
        mixed.or_else(|| self.cors.mistake()).or_else(|| self.auth.mistake())
    }

    /// Whether the routes of administration are asked for where they can't be.
    pub(crate) fn lacks_administration(&self) -> bool {
        self.administration == AdministrationRoutes::On && Access::new(self) == Access::Off
    }
}
