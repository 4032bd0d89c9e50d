//! Runs a program that serves an app: configuration, logs, runtime, engine, server, exit code.

mod administration;
mod configured;

use std::future::Future;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use dotdo_core::{App, Error, ErrorKind, Result};

pub use self::administration::administration;
use self::configured::configured;
use crate::auth::{Authenticator, SharedAuthenticator};
use crate::cluster::peers::{Plan, own_address};
use crate::config::{Config, Login, Resolved, Sources, resolve};
use crate::credentials::{TokenSource, Tokens};
use crate::edge::{Gateway, Reach, SharedGateway};
use crate::health::{Health, health};
use crate::options::{DONE, FAILED, MISUSED, ServeOptions};
use crate::platforms::Platform;
#[cfg(feature = "azure")]
use crate::platforms::azure::{self, settings::Mode};
#[cfg(feature = "lambda")]
use crate::platforms::lambda;
#[cfg(feature = "vercel")]
use crate::platforms::vercel;
use crate::program::{Found, Program};
use crate::serve::{Ended, bind, serve};
use crate::server::Signals;
use crate::service::{ObjectService, ServiceHandle, host_executor, mountable};
use crate::system::dumps::leave_no_dumps;
use crate::system::workers::runtime;
use crate::telemetry::start_logs;

/// Serves `app` until the process receives a signal to stop. The configuration comes from the
/// environment and the files `dotdo.toml` and `~/.config/dotdo/config.toml` (see
/// `docs/SETTINGS.md`). `main` returns the result.
///
/// SIGTERM, SIGINT or SIGHUP shuts the server down: it accepts no more connections, finishes the
/// requests in flight, writes due snapshots, releases the objects, and exits with 0. A second
/// SIGTERM or SIGINT ends it at once with 1. A store or an address that can't be used ends it with
/// 1, too. A wrong configuration ends it with 2 before it touches anything.
///
/// With the argument `health` the program does not serve: it checks the server that runs on this
/// machine with the same configuration, and exits with 0 or 1 ([`health`]); `health --ready` also
/// checks that the server can use its store. Other arguments are ignored.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use dotdo::{App, Context, DurableObject, Request, Response, Result};
///
/// struct Hello;
///
/// impl DurableObject for Hello {
///     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
///         Ok(Response::new(format!("hello from {}", ctx.id().id()).into()))
///     }
/// }
///
/// fn main() -> ExitCode {
///     dotdo::run(App::new().class("Hello", || Hello))
/// }
/// ```
pub fn run(app: App) -> ExitCode {
    Serve::new(app).run()
}

/// Serves like [`run`], with settings that take precedence over the environment and the files. The
/// arguments of the program are ignored. [`commands`](crate::commands) has an example.
pub fn run_with(app: App, options: ServeOptions) -> ExitCode {
    Serve::new(app).options(options).run()
}

/// A server with options: settings from a command line, and an authenticator. It serves like
/// [`run`].
///
/// ```no_run
/// # use std::process::ExitCode;
/// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
/// # struct Hello;
/// # impl DurableObject for Hello {
/// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
/// #         Ok(Response::new("hello".into()))
/// #     }
/// # }
/// use dotdo::{Serve, ServeOptions};
///
/// fn main() -> ExitCode {
///     let options = ServeOptions { port: Some("8080".to_owned()), ..ServeOptions::default() };
///     Serve::new(App::new().class("Hello", || Hello)).options(options).run()
/// }
/// ```
pub struct Serve {
    app: App,
    /// `None` if the arguments of the program may ask for a health check.
    options: Option<ServeOptions>,
    authenticator: Option<SharedAuthenticator>,
    login: Option<Arc<dyn TokenSource>>,
    gateway: Option<SharedGateway>,
}

impl Serve {
    /// A server for `app`.
    pub fn new(app: App) -> Self {
        Self { app, options: None, authenticator: None, login: None, gateway: None }
    }

    /// Sets settings that take precedence over the environment and the files, as [`run_with`] does.
    #[must_use]
    pub fn options(self, options: ServeOptions) -> Self {
        Self { options: Some(options), ..self }
    }

    /// Sets the authenticator: every request needs a bearer token that it accepts, or one of
    /// `auth.tokens`. `docs/MIDDLEWARE.md` lists the exceptions.
    #[must_use]
    pub fn authenticate(self, authenticate: impl Authenticator) -> Self {
        Self { authenticator: Some(SharedAuthenticator::new(authenticate)), ..self }
    }

    /// Sets the login of whoever starts the program. Its tokens are exchanged for keys of the bucket
    /// if neither keys nor another token are given, the platform has no identity, and the settings
    /// say who exchanges tokens (`broker.url`, or `aws.role_arn`), or it has a broker itself. Without
    /// `storage`, the broker's answer or the token's claims also say where the objects are, and of
    /// which tenant.
    #[must_use]
    pub fn login(self, source: impl TokenSource) -> Self {
        Self { login: Some(Arc::new(source)), ..self }
    }

    /// Sets what answers clients in the place of the routes to objects (`/do/…`), which it asks itself.
    ///
    /// ```no_run
    /// use std::process::ExitCode;
    ///
    /// use dotdo::service::{Gateway, GatewayObjects};
    /// use dotdo::{Request, Response, Result, Serve};
    /// # use dotdo::{App, Context, DurableObject};
    /// # struct Counter;
    /// # impl DurableObject for Counter {
    /// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
    /// #         Ok(Response::new("1".into()))
    /// #     }
    /// # }
    ///
    /// /// Every host has an object of its own, and clients need not know.
    /// struct ByHost;
    ///
    /// impl Gateway for ByHost {
    ///     async fn fetch(&self, request: Request, objects: GatewayObjects) -> Result<Response> {
    ///         let host = request.headers().get("host").and_then(|host| host.to_str().ok());
    ///         let host = host.unwrap_or("unknown").to_owned();
    ///         objects.fetch("Counter", &host, request).await
    ///     }
    /// }
    ///
    /// fn main() -> ExitCode {
    ///     Serve::new(App::new().class("Counter", || Counter)).gateway(ByHost).run()
    /// }
    /// ```
    #[must_use]
    pub fn gateway(self, gateway: impl Gateway) -> Self {
        Self { gateway: Some(SharedGateway::new(gateway)), ..self }
    }

    /// Serves until the process receives a signal to stop, and returns the exit code that [`run`]
    /// documents.
    pub fn run(self) -> ExitCode {
        let Self { app, options, authenticator, login, gateway } = self;
        if options.is_none()
            && let Some(question) = Health::asked_by(std::env::args_os().skip(1))
        {
            return health(ServeOptions::default(), question);
        }
        let sources = options.unwrap_or_default().sources();
        let resolved = sources.and_then(|sources| resolve(&with_login(sources, login.as_deref())));
        exit_code(resolved.and_then(|mut resolved| {
            resolved.config.edge.auth.authenticator = authenticator;
            resolved.config.edge.gateway = gateway;
            serve_app(app, resolved, login)
        }))
    }

    /// The objects as a service for a program with its own server, and a handle to shut them down.
    /// The service does everything that is done with a request on a port. Must be called inside a
    /// tokio runtime.
    ///
    /// The configuration is that of [`run`], without what concerns connections. No log is started:
    /// events go to the program's own `tracing` subscriber.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use dotdo::{App, Context, DurableObject, Request, Response, Result, Serve, ServeOptions};
    /// use tower::Service;
    ///
    /// struct Hello;
    ///
    /// impl DurableObject for Hello {
    ///     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
    ///         Ok(Response::new(format!("hello from {}", ctx.id().id()).into()))
    ///     }
    /// }
    ///
    /// let options = ServeOptions {
    ///     storage: Some("memory://".to_owned()),
    ///     allow_unauthenticated: true,
    ///     ..ServeOptions::default()
    /// };
    /// let app = App::new().class("Hello", || Hello);
    /// let (mut service, handle) = Serve::new(app).options(options).into_service().await?;
    /// let request = http::Request::get("/do/ada").header("host", "localhost");
    /// let response = service.call(request.body(dotdo::Body::empty())?).await?;
    /// assert_eq!(response.into_body().text().await?, "hello from ada");
    /// handle.shutdown().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` for a configuration that is wrong, or that only a program with a port can have;
    /// `Forbidden` when nobody would have to prove who they are and `allow_unauthenticated` is not
    /// set; `Unavailable` or `StoreRefused` when the store can't be used.
    pub async fn into_service(self) -> Result<(ObjectService, ServiceHandle)> {
        let Self { app, options, authenticator, login, gateway } = self;
        let sources = options.unwrap_or_default().sources()?;
        let resolved = resolve(&with_login(sources, login.as_deref()))?;
        resolved.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let Resolved { mut config, platform, storage, .. } = resolved;
        config.edge.auth.authenticator = authenticator;
        config.edge.gateway = gateway;
        mountable(&mut config)?;
        config.edge.reach = Reach::Network;
        check_administration(&config)?;
        let app = configured(app, &config)?;
        // It does not listen, so it has no address that others could be told.
        let plan = Plan::new(&config, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
        let shutdown_max = config.shutdown;
        let tokens = Tokens::new(&storage, login);
        let found = Found { config, storage, tokens, platform, transport: None };
        let program = Program::start_on(app, &found, plan, host_executor()).await?;
        program.announce("mounted", &"a program of its own");
        Ok(ObjectService::new(program, shutdown_max))
    }
}

/// The settings, and whether somebody is logged in.
pub(crate) fn with_login(sources: Sources, login: Option<&dyn TokenSource>) -> Sources {
    let login = login.map(|source| Login { broker: source.broker() });
    Sources { login, ..sources }
}

/// Runs the broker, which exchanges tokens for short-lived keys of one tenant's part of a bucket,
/// until the process receives a signal to stop (`docs/IDENTITY.md`). The configuration and the exit
/// code are those of [`run_with`]. [`commands`](crate::commands) has an example.
#[cfg(feature = "broker")]
pub fn run_broker(options: ServeOptions) -> ExitCode {
    let resolved = options.sources().and_then(|sources| resolve(&sources));
    exit_code(resolved.and_then(|resolved| {
        start_logs(&resolved.config.log, &resolved.config.traces)?;
        forbid_dumps(&resolved.config);
        resolved.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        until_it_ends(crate::broker::start(resolved))
    }))
}

/// Serves `app` with a configuration.
fn serve_app(app: App, resolved: Resolved, login: Option<Arc<dyn TokenSource>>) -> Result<Ended> {
    start_logs(&resolved.config.log, &resolved.config.traces)?;
    forbid_dumps(&resolved.config);
    resolved.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let app = configured(app, &resolved.config)?;
    until_it_ends(start(app, resolved, login))
}

/// Makes a crash leave no core dump, unless the settings want one.
fn forbid_dumps(config: &Config) {
    if !config.core_dumps {
        leave_no_dumps();
    }
}

/// Runs a server on threads of its own.
fn until_it_ends(server: impl Future<Output = Result<Ended>>) -> Result<Ended> {
    let runtime =
        runtime().map_err(|cause| Error::internal(format!("cannot start threads: {cause}")))?;
    let ended = runtime.block_on(server);
    // Work that still runs after the deadline must not keep the process alive.
    runtime.shutdown_background();
    ended
}

/// The exit code of an outcome; reports an error first.
fn exit_code(outcome: Result<Ended>) -> ExitCode {
    ExitCode::from(match outcome {
        Ok(Ended::InOrder) => DONE,
        Ok(Ended::AtOnce) => FAILED,
        Err(error) => {
            complain(&error);
            #[cfg(feature = "lambda")]
            lambda::report_failed_start(&error);
            if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Forbidden) {
                MISUSED
            } else {
                FAILED
            }
        }
    })
}

/// Reports why the program does not run: in the log, or on standard error if the log is off.
fn complain(error: &Error) {
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(code = error.code(), "{}", error.message());
    } else {
        // An error on standard error can be reported nowhere.
        let _ = writeln!(std::io::stderr(), "dotdo: {}", error.message());
    }
}

/// Starts the engine and serves it on the platform.
async fn start(app: App, resolved: Resolved, login: Option<Arc<dyn TokenSource>>) -> Result<Ended> {
    let Resolved { config, platform, storage, .. } = resolved;
    let no_signals = |cause| Error::internal(format!("cannot listen for signals: {cause}"));
    let signals = Signals::new().map_err(no_signals)?;
    let tokens = Tokens::new(&storage, login);
    let found = Found { config, storage, tokens, platform, transport: None };
    match found.platform {
        #[cfg(feature = "vercel")]
        Platform::Vercel => vercel::serve(app, found, signals).await,
        #[cfg(feature = "lambda")]
        Platform::Lambda => lambda::serve(app, found).await,
        _ => serve_http(app, found, signals).await,
    }
}

/// # Errors
///
/// `Forbidden` when the routes of administration are on for everybody who reaches this server.
fn check_administration(config: &Config) -> Result<()> {
    if !config.edge.lacks_administration() {
        return Ok(());
    }
    let text = "admin.routes is on, and other machines reach this server without authentication: set DOTDO_AUTH_ISSUER or DOTDO_AUTH_TOKENS, \
                listen on 127.0.0.1, or set DOTDO_ADMIN_ROUTES=auto";
    Err(Error::new(ErrorKind::Forbidden, text).with_code("OPEN_ADMINISTRATION"))
}

/// Where requests can come from. A platform that delivers them delivers anyone's.
fn reach(found: &Found, address: SocketAddr) -> Reach {
    match (found.platform, address.ip().to_canonical().is_loopback()) {
        (Platform::Http, true) => Reach::Machine,
        (Platform::Http | Platform::Kubernetes, false) => Reach::Network,
        _ => Reach::Everywhere,
    }
}

/// Serves on a port, for every platform that starts a program and sends it HTTP.
async fn serve_http(app: App, mut found: Found, mut signals: Signals) -> Result<Ended> {
    let listener = bind(&found.config, found.platform).await?;
    let address = listener.local_addr().map_err(|cause| {
        Error::internal(format!("cannot read the address of the listener: {cause}"))
    })?;
    found.config.settings.address = own_address(&found.config, address).await;
    found.config.edge.reach = reach(&found, address);
    check_administration(&found.config)?;
    // A platform with a port of its own sends single requests there.
    found.config.server.sockets.are_held = found.platform.port().is_none();
    found.config.server.sockets.compression = found.config.edge.compression.clone();
    let plan = Plan::new(&found.config, address)?;
    found.config.server.peers = plan.acceptor();
    let program = Program::start(app, &found, plan).await?;
    #[cfg(feature = "azure")]
    if found.platform == Platform::AzureFunctions || found.config.functions == Mode::Payload {
        return Ok(azure::serve(listener, program, &found.config, &mut signals).await);
    }
    // A program that was built without the payloads has refused to start with them.
    program.announce("listening", &address);
    Ok(serve(listener, program.edge, &found.config, &mut signals).await)
}
