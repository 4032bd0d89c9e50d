//! Inspection on buckets in memory.

mod damage;
mod lookup;
mod reads;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use super::{Finding, Inspection, ObjectPage, ObjectQuery};
use crate::activation::Components;
use crate::engine::Engine;
use crate::error::Result;
use crate::id::{ObjectId, Tenant};
use crate::object::{App, Body, Context, DurableObject, Request, Response};
use crate::settings::{CheckpointMode, Settings, Upkeep};
use crate::store::{Bucket, Key, Memory};
use crate::testing::ManualClock;

/// Runs the SQL of a request's body.
struct Runs;

impl DurableObject for Runs {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        if request.uri().path() == "/plan" {
            ctx.set_alarm(ctx.now_ms() + 60_000)?;
            ctx.schedule("weekly", "0 8 * * MON", &())?;
            ctx.schedule("once", ctx.now_ms() + 1_800_000, &())?;
            return Ok(Response::new(Body::empty()));
        }
        let sql = request.into_body().text().await?;
        ctx.sql().exec(&sql, ())?;
        Ok(Response::new(Body::empty()))
    }
}

/// A bucket, its clock, and the servers on it.
struct World {
    clock: Arc<ManualClock>,
    bucket: Arc<Memory>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new());
        Self { bucket: Arc::new(Memory::new(clock.clone())), clock }
    }

    fn components(&self, instance: u128) -> Components {
        Components::of_test(self.bucket.clone(), self.clock.clone(), instance)
    }

    /// A server that writes a snapshot with every response.
    async fn server(&self) -> Engine {
        let mut settings = Settings::default();
        settings.checkpoint.mode = CheckpointMode::EveryRequest;
        let app = App::new().class("Runs", || Runs).class("Other", || Runs);
        Engine::start(app, settings, self.components(1)).await.expect("memory passes the probe")
    }

    /// What a command line uses: no class, and nothing of the server's memory.
    async fn inspection(&self) -> Inspection {
        let settings = Settings { upkeep: Upkeep::OnDemand, ..Settings::default() };
        let passive = Engine::start(App::new(), settings, self.components(2)).await;
        passive.expect("memory passes the probe").inspection()
    }

    async fn put(&self, key: &str, bytes: impl Into<bytes::Bytes>) {
        self.bucket.put(&Key::new(key), bytes.into()).await.expect("memory stores");
    }

    async fn keys(&self, object: &ObjectId) -> Vec<Key> {
        let entries = self.bucket.list(&object.prefix(), None, 10_000).await.expect("memory lists");
        entries.into_iter().map(|entry| entry.key).collect()
    }
}

fn object(class: &str, id: &str) -> ObjectId {
    Tenant::local().object(class, id).expect("a good id")
}

async fn run(engine: &Engine, object: &ObjectId, sql: &str) {
    let request = Request::new(sql.to_owned().into());
    engine.fetch(object, None, request).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

/// The ids of all pages, and how many pages there were.
async fn listed(
    inspection: &Inspection,
    tenant: &Tenant,
    query: ObjectQuery,
) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut query) = (Vec::new(), 0, query);
    loop {
        let ObjectPage { items, next } = inspection.objects(tenant, &query).await.expect("a page");
        assert!(items.len() <= query.limit, "{} objects", items.len());
        ids.extend(items.into_iter().map(|item| format!("{}/{}", item.class, item.id)));
        pages += 1;
        let Some(next) = next else { return (ids, pages) };
        query.after = Some(next);
    }
}

/// The faults of an object by their keys, and how much was checked.
async fn verified(inspection: &Inspection, object: &ObjectId) -> (Vec<String>, u64) {
    let mut verification = inspection.verify(object).await.expect("there is an object");
    let (mut faults, mut checked) = (Vec::new(), 0);
    while let Some(finding) = verification.next().await {
        match finding {
            Finding::Checked { .. } => checked += 1,
            Finding::Fault { fault } => faults.push(fault.key),
            Finding::Done { done } => {
                assert_eq!(done.faults, faults.len() as u64);
                assert!(done.records + done.snapshots + done.files <= checked);
                return (faults, checked);
            }
        }
    }
    panic!("a verification ends with its totals");
}
