//! The routes of administration without a server, for command lines.

use std::net::{Ipv4Addr, SocketAddr};

use dotdo_core::{App, Ownership, Result, Upkeep};

use super::configured::with_analytics;
use super::{Serve, with_login};
use crate::cluster::peers::Plan;
use crate::config::{Config, Forwarding, Resolved, resolve};
use crate::credentials::Tokens;
use crate::edge::{AccessLog, EdgeSettings};
use crate::options::ServeOptions;
use crate::program::{Found, Program};
use crate::service::{ObjectService, ServiceHandle, host_executor};

/// The routes of administration (`docs/ADMINISTRATION.md`) on the storage of `options`, as a service
/// without a server: for command lines. It serves no objects, and acts as an operator, because
/// whoever has the keys of a bucket may do everything. Must be called inside a tokio runtime.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use dotdo::ServeOptions;
/// use tower::Service;
///
/// let options = ServeOptions { storage: Some("memory://".to_owned()), ..ServeOptions::default() };
/// let (mut service, handle) = dotdo::commands::administration(options).await?;
/// let request = http::Request::get("/objects?limit=10").body(dotdo::Body::empty())?;
/// let response = service.call(request).await?;
/// assert_eq!(response.into_body().text().await?, r#"{"items":[]}"#);
/// handle.shutdown().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `Invalid` for a configuration that is wrong; `Unavailable` or `StoreRefused` when the store can't
/// be used.
pub async fn administration(options: ServeOptions) -> Result<(ObjectService, ServiceHandle)> {
    Serve::new(App::new()).options(options).into_administration().await
}

impl Serve {
    /// What [`administration`] returns, with the login that was set.
    ///
    /// # Errors
    ///
    /// Those of [`administration`].
    pub async fn into_administration(self) -> Result<(ObjectService, ServiceHandle)> {
        let Self { app, options, login, .. } = self;
        let sources = options.unwrap_or_default().sources()?;
        let resolved = resolve(&with_login(sources, login.as_deref()))?;
        resolved.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let Resolved { mut config, platform, storage, .. } = resolved;
        for_administration(&mut config);
        let app = with_analytics(app, &config)?;
        let plan = Plan::new(&config, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
        let (shutdown_max, tokens) = (config.shutdown, Tokens::new(&storage, login));
        let found = Found { config, storage, tokens, platform, transport: None };
        let program = Program::start_on(app, &found, plan, host_executor()).await?;
        Ok(ObjectService::for_operator(program, shutdown_max))
    }
}

/// The configuration of a program that only administers: it owns objects for one request at a time,
/// tells nobody of itself, and does what the edge of a server does for strangers for nobody.
fn for_administration(config: &mut Config) {
    let edge = EdgeSettings {
        body_bytes_max: config.edge.body_bytes_max,
        access_log: AccessLog::Off,
        is_mounted_for_administration: true,
        ..EdgeSettings::default()
    };
    config.edge = edge;
    config.forwarding = Forwarding::Off;
    config.redis_url = None;
    config.settings.address = None;
    config.settings.ownership = Ownership::PerRequest;
    config.settings.upkeep = Upkeep::OnDemand;
}
