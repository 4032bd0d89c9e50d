//! Notes that an object has changed what its class rolls up, and marks it in the bucket, so that
//! others find it if this process does not roll it up.

use std::sync::Arc;

use crate::activation::Activation;
use crate::change::Changes;
use crate::messages::{Marker, mark_behind};
use crate::object::Response;
use crate::settings::Upkeep;

impl Activation {
    /// Whether `changes` may be ones of tables that the class rolls up.
    pub(crate) fn is_rolled_up(&self, changes: &Changes) -> bool {
        let Some(tables) = self.runtime.app.rolled_up(self.log.object.class()) else {
            return false;
        };
        let is_wanted = |name: &str| tables.iter().any(|table| table.eq_ignore_ascii_case(name));
        changes.schema.is_some() || changes.tables.iter().any(|table| is_wanted(&table.table))
    }

    /// Notes again, once such a record is in the log, that there are changes: what was rolled up in
    /// between did not have them.
    pub(crate) fn mark_rollup_again(&self) {
        let is_noted = self.runtime.settings.upkeep == Upkeep::Full;
        if is_noted && self.runtime.app.rolled_up(self.log.object.class()).is_some() {
            self.mark_rollup(0, std::iter::empty());
        }
    }

    /// Notes that the record `head`, which is about to be written, has such changes. Each of the
    /// `responses` will wait until the object has a marker.
    pub(crate) fn mark_rollup<'a>(
        &self,
        head: u64,
        responses: impl Iterator<Item = &'a mut Response>,
    ) {
        let marker = self.note_rollup(head);
        mark_behind(&self.runtime, &self.log, marker, responses);
    }

    /// Notes that the record `head`, which is about to be written, replaces or deletes the object's
    /// state, and marks it before.
    pub(crate) async fn mark_rollup_before(&self, head: u64) {
        if self.runtime.app.rolled_up(self.log.object.class()).is_some() {
            let marker = self.note_rollup(head);
            let _ = marker.relies(&self.runtime);
            marker.keep(&self.runtime, &self.log).await;
        }
    }

    fn note_rollup(&self, head: u64) -> Arc<Marker> {
        // A process that does nothing without a request leaves it to others.
        let noted = (self.runtime.settings.upkeep == Upkeep::Full).then(|| {
            self.runtime.rollups.note(&self.log.object, head, self.runtime.clock.monotonic())
        });
        noted.flatten().unwrap_or_else(|| Arc::new(Marker::of_rollup()))
    }
}
