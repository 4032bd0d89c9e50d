//! The configuration from flags, the environment and files, checked as a whole before anything
//! starts.
//!
//! Promises: one precedence (flag, environment, project file, user file, default); an unknown name
//! or an invalid value stops the start with an error that names it; a secret is never printed.
//! Must not know: the server, the engine.

mod broker;
mod draft;
mod effective;
mod exchange;
mod features;
mod known;
pub(crate) mod names;
mod platform_defaults;
mod reference;
mod resolve;
mod setting;
mod settings;
mod sources;
mod storage;
mod suggest;
mod trust;

use std::time::Duration;

use dotdo_core::{Secret, Settings};

pub(crate) use self::broker::{BrokerSettings, Requires};
pub use self::effective::{EffectiveSetting, EffectiveSettings, Origin};
pub use self::known::{KnownSetting, SettingShape};
pub use self::reference::{settings_matching, settings_matching_as_json, settings_reference};
pub(crate) use self::resolve::resolve;
pub(crate) use self::sources::{Flag, Login, Sources, user_folder};
pub use self::sources::{project_file, user_file};
use crate::credentials::Storage;
use crate::edge::{EdgeSettings, TrustedProxies};
use crate::libsql::LibsqlAccess;
use crate::platforms::azure::settings::Mode;
use crate::platforms::lambda::settings::LambdaSettings;
use crate::platforms::{LOOPBACK, Platform, Reached};
use crate::server::{ServerSettings, SocketSettings};
use crate::telemetry::{LogFormat, LogSettings, TraceSettings};

/// The complete configuration, with defaults.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The platform; `None` detects it from the environment.
    pub(crate) platform: Option<Platform>,
    /// The address to listen on: an IP address or a name.
    pub(crate) host: Option<String>,
    /// The port to listen on; 0 picks a free port.
    pub(crate) port: u16,
    /// Whether requests from other machines are accepted without authentication.
    pub(crate) allow_unauthenticated: bool,
    /// How to handle requests for objects that other servers own.
    pub(crate) forwarding: Forwarding,
    /// The secret that all servers of the bucket share.
    pub(crate) peer_secret: Option<Secret>,
    /// The Redis for announcements of owners.
    pub(crate) redis_url: Option<Secret>,
    /// How other servers reach this one, according to the environment.
    pub(crate) reached: Option<Reached>,
    /// The id of this machine on Fly, from the environment.
    pub(crate) fly_machine: Option<String>,
    /// How a Functions host delivers requests.
    pub(crate) functions: Mode,
    /// The class for requests that do not name one; `None` leaves it to the app.
    pub(crate) default_class: Option<String>,
    /// Tables of classes that are rolled up: `CLASS.TABLE`.
    pub(crate) analytics: Vec<String>,
    /// The folder or bucket for all state, as it was given.
    pub(crate) storage: Option<String>,
    /// Credentials and endpoints for it.
    pub(crate) access: StorageAccess,
    /// The log.
    pub(crate) log: LogSettings,
    /// Traces.
    pub(crate) traces: TraceSettings,
    /// Settings of requests.
    pub(crate) edge: EdgeSettings,
    /// Settings of connections.
    pub(crate) server: ServerSettings,
    /// Settings of the broker.
    pub(crate) broker: BrokerSettings,
    /// Settings of Lambda.
    pub(crate) lambda: LambdaSettings,
    /// Maximum time for a shutdown.
    pub(crate) shutdown: Duration,
    /// Whether a crash may leave a core dump.
    pub(crate) core_dumps: bool,
    /// The settings of the core.
    pub(crate) settings: Settings,
    /// The worker in JavaScript that is served.
    pub(crate) worker: Option<String>,
    /// Whether requests of classes in JavaScript reach addresses that are not public.
    pub(crate) fetch_private_networks: bool,
    /// Logins of the command line.
    pub(crate) login: Logins,
}

/// The name of the login of a user who has only one.
pub(crate) const DEFAULT_PROFILE: &str = "default";

/// Which login the command line uses, and where it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Logins {
    /// The name of the login.
    pub(crate) profile: Option<String>,
    /// Whether the system's keyring is used where there is one.
    pub(crate) keyring: bool,
    /// URL of the server that commands about objects ask.
    pub(crate) server: Option<String>,
}

/// How to handle requests for objects that other servers own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// The best way that the platform and the other settings allow.
    Auto,
    /// Requests are refused, or wait.
    Off,
    /// Requests are forwarded to the owner over HTTP.
    Proxy,
    /// Fly's proxy delivers requests to the owner.
    FlyReplay,
}

/// A valid configuration, and warnings about it.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The values.
    pub(crate) config: Config,
    /// Where the program runs.
    pub(crate) platform: Platform,
    /// The store that `config.storage` and `config.access` name.
    pub(crate) storage: Storage,
    /// Warnings for the log.
    pub(crate) warnings: Vec<String>,
}

/// Credentials and endpoints of the stores, under the names that the providers' own tools use.
#[derive(Debug, Clone, Default)]
pub(crate) struct StorageAccess {
    /// URL of Google's or Azure's service, if it is not the default.
    pub(crate) endpoint: Option<String>,
    /// R2.
    pub(crate) r2: R2Access,
    /// Amazon S3 and compatible stores.
    pub(crate) aws: AwsAccess,
    /// Google Cloud.
    pub(crate) google: GoogleAccess,
    /// Azure.
    pub(crate) azure: AzureAccess,
    /// The token that is exchanged for keys.
    pub(crate) identity: IdentityAccess,
    /// The database that holds the log, if one does.
    pub(crate) database: LibsqlAccess,
}

/// The variables `R2_*`.
#[derive(Debug, Clone, Default)]
pub(crate) struct R2Access {
    pub(crate) endpoint: Option<String>,
    pub(crate) bucket: Option<String>,
    pub(crate) access_key_id: Option<String>,
    pub(crate) secret_access_key: Option<Secret>,
}

/// The variables `AWS_*`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AwsAccess {
    pub(crate) endpoint_url: Option<String>,
    pub(crate) endpoint_url_s3: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) default_region: Option<String>,
    pub(crate) access_key_id: Option<String>,
    pub(crate) secret_access_key: Option<Secret>,
    pub(crate) session_token: Option<Secret>,
    pub(crate) web_identity_token_file: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) role_session_name: Option<String>,
    pub(crate) endpoint_url_sts: Option<String>,
    pub(crate) container_credentials_relative_uri: Option<String>,
    pub(crate) container_credentials_full_uri: Option<String>,
    pub(crate) container_authorization_token_file: Option<String>,
}

/// The variables `GOOGLE_*`.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoogleAccess {
    pub(crate) application_credentials: Option<String>,
    /// The provider of workload identity federation: `projects/…/providers/…`.
    pub(crate) workload_identity_provider: Option<String>,
    /// The service account to act for.
    pub(crate) service_account: Option<String>,
    pub(crate) service_account_key: Option<Secret>,
}

/// The variables `AZURE_*`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AzureAccess {
    pub(crate) storage_account: Option<String>,
    pub(crate) storage_key: Option<Secret>,
    pub(crate) storage_sas_token: Option<Secret>,
    pub(crate) federated_token_file: Option<String>,
    pub(crate) identity_endpoint: Option<String>,
    pub(crate) authority_host: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) tenant_id: Option<String>,
}

/// The server's own token, and who exchanges it for keys.
#[derive(Debug, Clone)]
pub(crate) struct IdentityAccess {
    pub(crate) token: Option<Secret>,
    pub(crate) token_file: Option<String>,
    pub(crate) token_header: Option<String>,
    /// The login of whoever started the program.
    pub(crate) login: Option<Login>,
    /// Whether this machine is one of Fly's, which gives it tokens.
    pub(crate) is_on_fly: bool,
    /// For whom tokens of Fly are.
    pub(crate) token_audience: Option<String>,
    pub(crate) broker: Option<String>,
    pub(crate) session_policy: Option<String>,
    pub(crate) duration_seconds: u64,
    /// Whether there are keys for each tenant's part of the bucket.
    pub(crate) keys_by_tenant: bool,
}

impl Default for IdentityAccess {
    fn default() -> Self {
        Self {
            token: None,
            token_file: None,
            token_header: None,
            login: None,
            is_on_fly: false,
            token_audience: None,
            broker: None,
            session_policy: None,
            duration_seconds: 3600,
            keys_by_tenant: false,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            platform: None,
            host: Some(LOOPBACK.to_owned()),
            port: 8787,
            allow_unauthenticated: false,
            forwarding: Forwarding::Auto,
            peer_secret: None,
            redis_url: None,
            reached: None,
            fly_machine: None,
            functions: Mode::Http,
            default_class: None,
            analytics: Vec::new(),
            storage: Some("./.dotdo".to_owned()),
            access: StorageAccess::default(),
            log: LogSettings { level: Some("info".to_owned()), format: LogFormat::Auto },
            traces: TraceSettings::default(),
            edge: EdgeSettings::default(),
            server: ServerSettings {
                header_bytes_max: 64 << 10,
                idle: Duration::from_secs(65),
                write_stall: Duration::from_secs(60),
                connections_max: 10_000,
                connections_per_client_max: 5000,
                proxies: TrustedProxies::default(),
                sockets: SocketSettings::default(),
                peers: None,
            },
            broker: BrokerSettings::default(),
            lambda: LambdaSettings::default(),
            shutdown: Platform::Http.shutdown(),
            core_dumps: false,
            settings: Settings::default(),
            worker: None,
            fetch_private_networks: false,
            login: Logins {
                profile: Some(DEFAULT_PROFILE.to_owned()),
                keyring: true,
                server: None,
            },
        }
    }
}

#[cfg(test)]
mod tests;
