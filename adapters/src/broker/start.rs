//! Starts the broker from a configuration.

use std::sync::Arc;

use dotdo_core::{Bucket, Clock, Error, Random as _, Result, Router, StoreConfig, probe};

use super::api::Broker;
use super::callers::DeployTokens;
use super::front::BrokerFront;
use super::issuing::Issuing;
use super::plan::Plan;
use super::tokens::Tokens;
use crate::auth::SharedAuthenticator;
use crate::config::{Config, Resolved};
use crate::credentials::{Storage, Tokens as TokensForStorage, connect};
use crate::edge::{Edge, Limit};
use crate::platforms::Platform;
use crate::serve::{Ended, bind, serve};
use crate::server::Signals;
use crate::system::buckets::open;
use crate::system::components::{OsRandom, SystemClock};
use crate::telemetry::{keep_metrics, start_metrics};

/// Serves the broker until the process receives a signal to stop.
///
/// # Errors
///
/// `Invalid` for a configuration with which there is no broker; `Unavailable` or `StoreRefused` when
/// the store can't be used.
pub(crate) async fn start(resolved: Resolved) -> Result<Ended> {
    let no_signals = |cause| Error::internal(format!("cannot listen for signals: {cause}"));
    let mut signals = Signals::new().map_err(no_signals)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = whole_store(&resolved, &clock).await?;
    let Resolved { mut config, platform, .. } = resolved;
    let plan = Plan::new(&config, &store)?;
    let listener = bind(&config, platform).await?;
    let address = listener.local_addr().map_err(|cause| {
        Error::internal(format!("cannot read the address of the listener: {cause}"))
    })?;
    let exporter = start_metrics();
    let keeper = exporter.clone().map(|exporter| tokio::spawn(keep_metrics(exporter)));
    let instance = uuid::Builder::from_random_bytes(OsRandom.bytes16()).into_uuid();
    let database = &config.access.database;
    let bucket = open(&store, database, instance, Arc::clone(&clock))?;
    // Without create-if-absent, a delayed create could replace a revocation.
    probe(&*bucket, &*clock, &OsRandom).await?;
    let (backend, storage) = (plan.backend.name(), bucket.location().to_owned());
    let broker = broker(&config, plan, bucket, &clock);
    let deploy_tokens = DeployTokens(Arc::clone(&broker.tokens));
    config.edge.auth.authenticator = Some(SharedAuthenticator::new(deploy_tokens));
    config.edge.auth.prepare(&store, clock)?;
    let settings = config.edge.clone();
    let edge = Edge::new(broker, Router::default(), settings, exporter, instance.as_u64_pair().0);
    let (authentication, version) = (config.edge.auth.name(), env!("CARGO_PKG_VERSION"));
    tracing::info!(%address, storage, backend, authentication, version, "broker listening");
    let ended = serve(listener, Arc::new(BrokerFront::new(edge)), &config, &mut signals).await;
    keeper.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(ended)
}

/// The store with the state of all tenants.
async fn whole_store(resolved: &Resolved, clock: &Arc<dyn Clock>) -> Result<StoreConfig> {
    let wrong = |text: String| Error::invalid(text).with_code("BAD_CONFIG");
    if matches!(resolved.platform, Platform::Lambda | Platform::Vercel) {
        let name = resolved.platform.name();
        return Err(wrong(format!(
            "the broker listens on a port, which {name} does not have; run it where a program can listen"
        )));
    }
    if matches!(&resolved.storage, Storage::Exchanged(exchange) if exchange.is_by_tenant) {
        return Err(wrong(
            "identity.keys_by_tenant is for servers of objects; the broker needs keys for the state of all tenants"
                .to_owned(),
        ));
    }
    let tokens = TokensForStorage::new(&resolved.storage, None);
    let connected = connect(&resolved.storage, &tokens, Arc::clone(clock)).await?;
    match connected.tenant {
        None => Ok(connected.store),
        Some(tenant) => Err(wrong(format!(
            "the broker needs keys for the state of all tenants, got a token of {tenant}; give it keys, or the platform's identity"
        ))),
    }
}

fn broker(config: &Config, plan: Plan, bucket: Arc<dyn Bucket>, clock: &Arc<dyn Clock>) -> Broker {
    let settings = &config.broker;
    let tokens = Tokens::new(Arc::clone(&bucket), Arc::clone(clock), Arc::new(OsRandom));
    Broker {
        tokens: Arc::new(tokens),
        issuing: Issuing::new(plan.backend, Arc::clone(clock)),
        bucket,
        clock: Arc::clone(clock),
        place: plan.place,
        requires: settings.requires,
        by_address: Limit::per_minute(settings.requests_per_address, "address"),
        by_tenant: Limit::per_minute(settings.requests_per_tenant, "tenant"),
    }
}
