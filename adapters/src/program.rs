//! A started program: the engine on its store, and the edge in front of it. Each adapter delivers
//! requests to the edge in its own way.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::{
    Account, App, At, Bucket, BucketOfTenant, Buckets, CheckpointMode, Clock, Components,
    Directory, Engine, ErrorKind, Executor, ObjectId, Ownership, Random, Received, Request,
    RequestContext, Response, Result, SharedBucket, SocketTransport, Tenant,
};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::cluster::peers::Plan;
#[cfg(feature = "redis")]
use crate::cluster::redis::{self, Redis};
use crate::config::Config;
use crate::credentials::{Connected, Exchange, Storage, TokenFrom, Tokens, connect};
use crate::edge::{Edge, Ending, Objects};
use crate::platforms::Platform;
use crate::system::buckets::open;
use crate::system::components::{OsRandom, SystemClock};
use crate::system::memory::give_back;
use crate::system::workers::Workers;
use crate::telemetry::{self, FLUSH_MAX, keep_metrics, start_metrics};

/// The resolved configuration, before anything is started.
pub(crate) struct Found {
    pub(crate) config: Config,
    pub(crate) storage: Storage,
    /// Where tokens for the storage come from, if the settings do not have one.
    pub(crate) tokens: Tokens,
    pub(crate) platform: Platform,
    /// Reaches connections that the platform holds.
    pub(crate) transport: Option<Arc<dyn SocketTransport>>,
}

/// A started program, whose edge answers requests.
pub(crate) struct Program {
    pub(crate) edge: Arc<Edge<Engine>>,
    about: About,
    _keeper: Option<Keeper>,
    _trimmer: Keeper,
    /// Begins what the gateway has without requests.
    _beginner: Option<Keeper>,
}

/// The log line of a program at startup.
struct About {
    platform: Platform,
    storage: String,
    classes: String,
    ownership: Ownership,
    checkpoint: CheckpointMode,
    forwarding: &'static str,
    /// The Redis for announcements of owners.
    directory: Option<&'static str>,
    authentication: String,
    /// The address at which other servers reach this one.
    reached_at: Option<String>,
}

/// Pause before the gateway begins again after an error; each further one is twice as long.
const BEGIN_PAUSE: Duration = Duration::from_secs(1);
const BEGIN_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Identifies this process among those of its bucket.
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "only announcements contain it"))]
struct Process<'a> {
    location: &'a str,
    instance: Uuid,
}

/// A background task for the program's lifetime: folds metrics, or returns free memory.
struct Keeper(JoinHandle<()>);

impl Drop for Keeper {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Program {
    /// Opens the store and starts the engine.
    ///
    /// # Errors
    ///
    /// Those of [`connect`], [`open`] and [`Engine::start`].
    pub(crate) async fn start(app: App, found: &Found, plan: Plan) -> Result<Self> {
        Self::start_on(app, found, plan, Arc::new(Workers::default())).await
    }

    /// Opens the store and starts the engine, with handlers on the threads of `executor`.
    ///
    /// # Errors
    ///
    /// Those of [`Program::start`].
    pub(crate) async fn start_on(
        app: App,
        found: &Found,
        plan: Plan,
        executor: Arc<dyn Executor>,
    ) -> Result<Self> {
        let exporter = start_metrics();
        let keeper = exporter.clone().map(|exporter| Keeper(tokio::spawn(keep_metrics(exporter))));

        let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) =
            (Arc::new(SystemClock::new()), Arc::new(OsRandom));
        let instance = uuid::Builder::from_random_bytes(random.bytes16()).into_uuid();
        let connected = connect(&found.storage, &found.tokens, Arc::clone(&clock)).await?;
        let database = &found.config.access.database;
        let bucket = open(&connected.store, database, instance, Arc::clone(&clock))?;
        announce_choice(found, &connected, bucket.location());
        let router = app.router();
        let mut settings = found.config.settings.clone();
        settings.address = plan.told_address(instance).or(settings.address);
        let about = About {
            platform: found.platform,
            storage: bucket.location().to_owned(),
            classes: router.classes().collect::<Vec<_>>().join(","),
            ownership: settings.ownership,
            checkpoint: settings.checkpoint.mode,
            forwarding: plan.name(),
            directory: (plan.secret().is_some() && found.config.redis_url.is_some())
                .then_some("redis"),
            authentication: found.config.edge.auth.name(),
            reached_at: plan.address(),
        };
        let mut edge_settings = found.config.edge.clone();
        edge_settings.auth.prepare(&connected.store, Arc::clone(&clock))?;
        edge_settings.home = connected.tenant.clone().unwrap_or_else(Tenant::local);
        let (peers, forwarded) = (plan.peers(instance), plan.forwarded_requests(instance));
        let process = Process { location: bucket.location(), instance };
        let directory = directory(&found.config, &plan, &process, &clock)?;
        let buckets = buckets(connected, bucket);
        let transport = found.transport.clone();
        let components =
            Components { buckets, clock, random, executor, peers, directory, transport, instance };
        let has_timers = settings.ownership == Ownership::Leased;
        let engine = Engine::start(app, settings, components).await?;
        let trimmer = Keeper(tokio::spawn(give_back(engine.budget().clone())));
        let edge = Edge::new(engine, router, edge_settings, exporter, instance.as_u64_pair().0)
            .accepting(forwarded);
        let edge = Arc::new(edge);
        // A function is frozen between requests, and begins with its ticks.
        let has_gateway = found.config.edge.gateway.is_some();
        let beginner =
            (has_timers && has_gateway).then(|| Keeper(tokio::spawn(begin(edge.clone()))));
        Ok(Self { edge, about, _keeper: keeper, _trimmer: trimmer, _beginner: beginner })
    }

    /// Logs that the program is ready, with its platform and the chosen defaults.
    pub(crate) fn announce(&self, what: &'static str, address: &dyn Display) {
        let About {
            platform,
            storage,
            classes,
            ownership,
            checkpoint,
            forwarding,
            directory,
            reached_at,
            authentication,
        } = &self.about;
        let platform = platform.name();
        let ownership = match ownership {
            Ownership::Leased => "leased",
            Ownership::PerRequest => "per-request",
        };
        let checkpoint = match checkpoint {
            CheckpointMode::Auto => "auto",
            CheckpointMode::EveryRequest => "every-request",
        };
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(
            %address, platform, storage, classes, ownership, checkpoint, forwarding, directory, reached_at, authentication, version, "{what}"
        );
    }
}

/// Has the gateway begin, again and again until it has.
async fn begin(edge: Arc<Edge<Engine>>) {
    let mut pause = BEGIN_PAUSE;
    while let Err(error) = edge.begin().await {
        tracing::warn!(code = error.code(), %error, "what goes on without requests can't begin; trying again");
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(BEGIN_PAUSE_MAX);
    }
}

/// The buckets of all tenants, or that of the only one that the server's keys reach.
fn buckets(connected: Connected, bucket: Arc<dyn Bucket>) -> Arc<dyn Buckets> {
    #[cfg(feature = "s3")]
    if let Some(by_tenant) = connected.by_tenant {
        return by_tenant.buckets(bucket, Arc::new(OsRandom));
    }
    match connected.tenant {
        Some(tenant) => Arc::new(BucketOfTenant { tenant, bucket }),
        None => Arc::new(SharedBucket(bucket)),
    }
}

/// Says that the login has chosen the storage, because its user may expect the folder.
fn announce_choice(found: &Found, connected: &Connected, location: &str) {
    let Storage::Exchanged(Exchange { place, token: TokenFrom::Login, .. }) = &found.storage else {
        return;
    };
    if let (true, Some(login)) = (place.bucket.is_empty(), &found.tokens.login) {
        let (login, tenant) = (login.name(), connected.tenant.as_ref().map(Tenant::to_string));
        tracing::info!(
            storage = location,
            tenant,
            "no storage is set, so {login} chooses it; --storage ./.dotdo is the folder"
        );
    }
}

/// The directory of owners in Redis, if it is configured and the servers share a secret.
#[cfg(feature = "redis")]
fn directory(
    config: &Config,
    plan: &Plan,
    process: &Process<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<dyn Directory>>> {
    let Some(url) = &config.redis_url else { return Ok(None) };
    let Some(secret) = plan.secret() else {
        let forwarding = plan.name();
        tracing::warn!(
            forwarding,
            "redis_url is set but not used: announcements need forwarding by proxy and a peer_secret"
        );
        return Ok(None);
    };
    let Process { location, instance: me } = *process;
    let about = redis::About { url, secret, location, me };
    Ok(Some(Arc::new(Redis::new(&about, Arc::clone(clock))?)))
}

/// A program without a client for Redis has no directory.
#[cfg(not(feature = "redis"))]
fn directory(
    _: &Config,
    _: &Plan,
    _: &Process<'_>,
    _: &Arc<dyn Clock>,
) -> Result<Option<Arc<dyn Directory>>> {
    Ok(None)
}

impl Objects for Engine {
    async fn fetch(&self, object: &ObjectId, at: Option<At>, request: Request) -> Result<Response> {
        Engine::fetch(self, object, at, request).await
    }

    async fn receive(
        &self,
        object: &ObjectId,
        request_context: RequestContext,
        request: Request,
    ) -> Received {
        Engine::receive(self, object, request_context, request).await
    }

    async fn delete_tenant(&self, tenant: &Tenant) -> Result<Ending> {
        self.close_tenant(tenant).await?;
        match Engine::delete_tenant(self, tenant).await {
            Ok(keys) => Ok(Ending::Deleted { keys }),
            Err(error) if error.kind() == ErrorKind::Busy => {
                Ok(Ending::Closed { wait: error.retry_after().unwrap_or_default() })
            }
            Err(error) => Err(error),
        }
    }

    fn engine(&self) -> Option<&Engine> {
        Some(self)
    }

    fn account(&self, object: &ObjectId) -> Option<Account> {
        Some(Engine::account(self, object))
    }

    async fn admits(&self, object: &ObjectId) -> bool {
        Engine::admits(self, object).await
    }

    async fn ready(&self) -> Result<()> {
        Engine::ready(self).await
    }

    async fn tick(&self) -> Result<()> {
        Engine::tick(self).await
    }

    async fn finish_background(&self) {
        Engine::finish_background(self).await;
        telemetry::flush(FLUSH_MAX).await;
    }

    async fn shutdown(&self, deadline: Duration) {
        let for_traces = if telemetry::is_on() { deadline / 4 } else { Duration::ZERO };
        Engine::shutdown(self, deadline - for_traces).await;
        telemetry::flush(for_traces).await;
    }
}
