//! The configuration from flags, the environment and files, checked as a whole before anything
//! starts.
//!
//! Promises: one precedence (flag, environment, project file, user file, default); an unknown name
//! or an invalid value stops the start with an error that names it; a secret is never printed.
//! Must not know: the server, the engine.

mod draft;
mod platform_defaults;
mod reference;
mod resolve;
mod setting;
mod sources;
mod storage;
mod suggest;
mod table;
mod trust;

use std::time::Duration;

use dotdo_core::{Secret, Settings, StoreConfig};

pub use self::reference::{settings_matching, settings_reference};
pub(crate) use self::resolve::resolve;
pub(crate) use self::sources::Sources;
use crate::edge::{EdgeSettings, TrustedProxies};
use crate::http::ServerSettings;
use crate::platforms::azure::settings::Mode;
use crate::platforms::lambda::settings::LambdaSettings;
use crate::platforms::{LOOPBACK, Platform, Reached};
use crate::telemetry::{LogFormat, LogSettings, TraceSettings};

/// Everything that can be configured, with its defaults.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where the program runs; `None` goes by the environment.
    pub(crate) platform: Option<Platform>,
    /// The address to listen on: an IP address or a name.
    pub(crate) host: Option<String>,
    /// The port to listen on; 0 takes any free one.
    pub(crate) port: u16,
    /// Whether other addresses than loopback are served although nobody has to say who they are.
    pub(crate) allow_unauthenticated: bool,
    /// What becomes of requests for objects that other servers own.
    pub(crate) forwarding: Forwarding,
    /// What all servers of the bucket know.
    pub(crate) peer_secret: Option<Secret>,
    /// Where servers tell each other what they own.
    pub(crate) redis_url: Option<Secret>,
    /// Where other servers reach this one, by the environment.
    pub(crate) reached: Option<Reached>,
    /// The machine on Fly that this is, by the environment.
    pub(crate) fly_machine: Option<String>,
    /// How a Functions host brings requests.
    pub(crate) functions: Mode,
    /// The class of requests that name none, when it is not the app's own choice.
    pub(crate) default_class: Option<String>,
    /// Where the state is kept, as it was written.
    pub(crate) storage: Option<String>,
    /// How to get in there.
    pub(crate) access: StorageAccess,
    /// The log.
    pub(crate) log: LogSettings,
    /// Traces.
    pub(crate) traces: TraceSettings,
    /// The bounds of requests.
    pub(crate) edge: EdgeSettings,
    /// The bounds of connections.
    pub(crate) server: ServerSettings,
    /// What only Lambda has.
    pub(crate) lambda: LambdaSettings,
    /// How long a stop may take.
    pub(crate) shutdown: Duration,
    /// The settings of the core.
    pub(crate) settings: Settings,
}

/// What becomes of requests for objects that other servers own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forwarding {
    /// What the platform and the other settings allow.
    Auto,
    /// They are refused, or wait.
    Off,
    /// They are sent to the owner over HTTP.
    Proxy,
    /// Fly's proxy is asked to bring them to the owner.
    FlyReplay,
}

/// A configuration that can be used, and what should be said about it.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The values.
    pub(crate) config: Config,
    /// Where the program runs.
    pub(crate) platform: Platform,
    /// The store that `config.storage` and `config.access` name.
    pub(crate) store: StoreConfig,
    /// Sentences for the log.
    pub(crate) warnings: Vec<String>,
}

/// What the ways into the stores are made of, under the names that their own tools use.
#[derive(Debug, Clone, Default)]
pub(crate) struct StorageAccess {
    /// Another address of Google's or Azure's service.
    pub(crate) endpoint: Option<String>,
    /// R2.
    pub(crate) r2: R2Access,
    /// Amazon and everything that speaks S3.
    pub(crate) aws: AwsAccess,
    /// Google Cloud.
    pub(crate) google: GoogleAccess,
    /// Azure.
    pub(crate) azure: AzureAccess,
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
    pub(crate) container_credentials_relative_uri: Option<String>,
    pub(crate) container_credentials_full_uri: Option<String>,
    pub(crate) container_authorization_token_file: Option<String>,
}

/// The variables `GOOGLE_*`.
#[derive(Debug, Clone, Default)]
pub(crate) struct GoogleAccess {
    pub(crate) application_credentials: Option<String>,
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
    pub(crate) client_id: Option<String>,
    pub(crate) tenant_id: Option<String>,
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
                peers: None,
            },
            lambda: LambdaSettings::default(),
            shutdown: Platform::Http.shutdown(),
            settings: Settings::default(),
        }
    }
}

#[cfg(test)]
mod tests;
