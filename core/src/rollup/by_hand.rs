//! Rolls a whole class up, whatever was noted of its objects.

use std::sync::Arc;

use crate::activation::Activations;
use crate::error::Result;
use crate::id::Tenant;
use crate::inspection::{Inspection, ObjectQuery};
use crate::limits::LISTED_OBJECTS_MAX;
use crate::rollup::drain::drain;
use crate::rollup::queue::Pending;
use crate::rollup::send::{Done, Link};

/// What was done to have all objects of a class in their roll-up
/// ([`Administration::roll_up`](crate::Administration::roll_up)), in numbers of objects.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, run};
/// # run(async || {
/// # use dotdo_core::testing::examples::{app, components};
/// use dotdo::engine::{Engine, RolledUp, Settings, Tenant};
///
/// let engine = Engine::start(app().analytics(["orders"]), Settings::default(), components()).await?;
/// let object = Tenant::local().object("Shop", "north")?;
/// engine.fetch(&object, None, dotdo::Request::new("tea".into())).await?;
/// let RolledUp { copied, failed, .. } =
///     engine.administration().roll_up(object.tenant(), "Shop").await?;
/// assert_eq!((copied, failed), (1, 0));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RolledUp {
    /// Those that exist.
    pub objects: u64,
    /// Those of which the roll-up lacked changes.
    pub changed: u64,
    /// Those that were copied whole: it did not have them, or their tables were defined anew.
    pub copied: u64,
    /// Those that are deleted, whose rows were still there.
    pub removed: u64,
    /// Those that could not be rolled up. The log says why.
    pub failed: u64,
}

/// Rolls up all objects of a class of `tenant`; `class` is a stored name.
///
/// # Errors
///
/// `Invalid` (code `NOT_ROLLED_UP`) when the program rolls nothing of the class up; those of the
/// store.
pub(crate) async fn roll_up(
    activations: &Arc<Activations>,
    (tenant, class): (&Tenant, &str),
) -> Result<RolledUp> {
    let mut held = Link::to(activations, (tenant, class))?.ask_all().await?;
    let inspection = Inspection::new(activations.clone());
    let mut done = RolledUp::default();
    let mut query = ObjectQuery {
        class: Some(class.to_owned()),
        limit: LISTED_OBJECTS_MAX,
        ..ObjectQuery::default()
    };
    loop {
        let page = inspection.objects(tenant, &query).await?;
        let mut pending = Vec::new();
        for item in page.items {
            done.objects += 1;
            let known = held.remove(&item.id).unwrap_or_default();
            if !known.is_whole || known.sequence < item.sequence {
                let object = tenant.object(&item.class, &item.id)?;
                pending.push(Pending { object, head: item.sequence });
            }
        }
        run(activations, pending, &mut done).await;
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    // What is left was deleted, or created a moment ago.
    let mut left = Vec::new();
    for id in held.into_keys() {
        left.push(Pending { object: tenant.object(class, &id)?, head: 0 });
    }
    run(activations, left, &mut done).await;
    Ok(done)
}

async fn run(activations: &Arc<Activations>, pending: Vec<Pending>, done: &mut RolledUp) {
    for (object, outcome) in drain(activations, pending).await {
        match outcome {
            Ok(Done::Nothing) => {}
            Ok(Done::Changed) => done.changed += 1,
            Ok(Done::Copied) => done.copied += 1,
            Ok(Done::Removed) => done.removed += 1,
            Err(error) => {
                tracing::warn!(%object, code = error.code(), %error, "cannot roll an object up");
                done.failed += 1;
            }
        }
    }
}
