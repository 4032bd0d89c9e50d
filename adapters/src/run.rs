//! A program that serves an app: configuration, logs, runtime, engine, server, exit code.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{
    App, At, Clock, Components, Engine, Error, ErrorKind, Journey, ObjectId, Random, Received, Request, Response, Result, Router, Tenant,
    open,
};

use crate::components::{OsRandom, SystemClock};
use crate::config::{Resolved, Sources, resolve};
use crate::edge::{Edge, Objects};
use crate::http::Signals;
use crate::peers::Plan;
use crate::serve::{Ended, bind, serve};
use crate::telemetry::{keep_metrics, start_logs, start_metrics};
use crate::workers::{Workers, runtime};

/// The organisation and tenant of a server without authentication.
const LOCAL: &str = "local";
/// The exit code of a program that did what it was asked to.
const DONE: u8 = 0;
/// The exit code of a program that failed, or was ended by a second signal.
const FAILED: u8 = 1;
/// The exit code of a program that was started the wrong way.
const MISUSED: u8 = 2;

/// What a command line says about serving. What it leaves out comes from the environment, the files and the defaults.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// The address to listen on.
    pub host: Option<String>,
    /// The port to listen on.
    pub port: Option<String>,
    /// Where the state is kept.
    pub storage: Option<String>,
    /// The class of requests that name none.
    pub default_class: Option<String>,
    /// How much is logged.
    pub log_level: Option<String>,
    /// Serve other machines although nobody has to prove who they are.
    pub allow_unauthenticated: bool,
}

impl ServeOptions {
    /// The settings that were given: key, flag, value.
    fn flags(self) -> Vec<(&'static str, &'static str, String)> {
        let given = [
            ("host", "--host", self.host),
            ("port", "--port", self.port),
            ("storage", "--storage", self.storage),
            ("default_class", "--default-class", self.default_class),
            ("log.level", "--log-level", self.log_level),
            ("allow_unauthenticated", "--allow-unauthenticated", self.allow_unauthenticated.then(|| "true".to_owned())),
        ];
        given.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value?))).collect()
    }
}

/// Serves `app` until the program is asked to stop, configured by the environment and the files `dotdo.toml` and
/// `~/.config/dotdo/config.toml` (see `docs/SETTINGS.md`). This is what `main` returns.
///
/// SIGTERM or SIGINT stops it: it takes no more connections, finishes the requests in flight, writes what is due, releases the
/// objects, and the exit code is 0. A second signal ends it at once with 1; so does a store or an address that can't be used. A wrong
/// configuration ends it with 2 before anything is touched.
pub fn run(app: App) -> ExitCode {
    run_with(app, ServeOptions::default())
}

/// [`run`], with a command line that wins over the environment and the files.
pub fn run_with(app: App, options: ServeOptions) -> ExitCode {
    let resolved = Sources::gather(options.flags()).and_then(|sources| resolve(&sources));
    let outcome = resolved.and_then(|resolved| {
        start_logs(&resolved.config.log);
        resolved.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let app = match &resolved.config.default_class {
            Some(class) => app.with_default_class(class)?,
            None => app,
        };
        let runtime = runtime().map_err(|cause| Error::internal(format!("the system gives no threads: {cause}")))?;
        let ended = runtime.block_on(start(app, resolved));
        // Whatever still computes after the deadline must not keep the process.
        runtime.shutdown_background();
        ended
    });
    ExitCode::from(match outcome {
        Ok(Ended::InOrder) => DONE,
        Ok(Ended::AtOnce) => FAILED,
        Err(error) => {
            complain(&error);
            if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Forbidden) { MISUSED } else { FAILED }
        }
    })
}

/// Says why the program does not run: in the log, or as it is where there is none.
fn complain(error: &Error) {
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(code = error.code(), "{}", error.message());
    } else {
        // Nobody is left to hear of an error on standard error.
        let _ = writeln!(std::io::stderr(), "dotdo: {}", error.message());
    }
}

/// Starts the engine and serves it.
async fn start(app: App, resolved: Resolved) -> Result<Ended> {
    let Resolved { config, store, .. } = resolved;
    let no_signals = |cause| Error::internal(format!("the system gives no signals: {cause}"));
    let mut signals = Signals::new().map_err(no_signals)?;
    let listener = bind(&config).await?;
    let address = listener.local_addr().map_err(|cause| Error::internal(format!("the listener has no address: {cause}")))?;
    let plan = Plan::new(&config, address)?;
    let exporter = start_metrics();
    let keeper = exporter.clone().map(|exporter| tokio::spawn(keep_metrics(exporter)));

    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(SystemClock::new()), Arc::new(OsRandom));
    let instance = uuid::Builder::from_random_bytes(random.bytes16()).into_uuid();
    let bucket = open(&store, instance, Arc::clone(&clock), Arc::clone(&random))?;
    let location = bucket.location().to_owned();
    let router = Router::new(app.class_names(), app.default_class());
    let peers = plan.peers(instance, &clock, &random);
    let gate = plan.gate(instance, &clock);
    let components = Components { bucket, clock, random, executor: Arc::new(Workers::default()), peers, instance };
    let mut settings = config.settings.clone();
    settings.address = plan.address().or(settings.address);
    let engine = Engine::start(app, Tenant::new(LOCAL, LOCAL)?, settings, components).await?;

    let classes = router.classes().collect::<Vec<_>>().join(",");
    let edge = Edge::new(engine, router, config.edge.clone(), exporter, instance.as_u64_pair().0).with_gate(gate);
    let edge = Arc::new(edge);
    tracing::info!(%address, storage = location, classes, forwarding = plan.name(), version = env!("CARGO_PKG_VERSION"), "listening");
    let ended = serve(listener, edge, &config, &mut signals).await;
    if let Some(keeper) = keeper {
        keeper.abort();
    }
    Ok(ended)
}

impl Objects for Engine {
    async fn fetch(&self, object: &ObjectId, at: Option<At>, request: Request) -> Result<Response> {
        Engine::fetch(self, object, at, request).await
    }

    async fn receive(&self, object: &ObjectId, journey: Journey, request: Request) -> Received {
        Engine::receive(self, object, journey, request).await
    }

    async fn admits(&self, object: &ObjectId) -> bool {
        Engine::admits(self, object).await
    }

    async fn ready(&self) -> Result<()> {
        Engine::ready(self).await
    }

    async fn shutdown(&self, deadline: Duration) {
        Engine::shutdown(self, deadline).await;
    }
}
