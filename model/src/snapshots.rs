//! Writing snapshots, and deleting what they replace.

use crate::bug::Bug;
use crate::instance::Plan;
use crate::setup::Setup;
use crate::store::Snapshot;
use crate::world::World;

/// What a snapshot is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Files {
    /// Its own only.
    Own,
    /// Also those of the snapshot before.
    Shared,
}

impl World {
    /// The files that the next snapshot of this instance would consist of besides its own.
    fn shared(&self, setup: &Setup, base: Option<&Snapshot>) -> Option<u8> {
        let base = base?;
        let newest =
            self.store.snapshots.iter().max_by_key(|snapshot| (snapshot.sequence, snapshot.number));
        let is_kept = newest.is_some_and(|newest| newest.number == base.number);
        (is_kept || setup.has(Bug::SnapshotOnSweptBase)).then_some(base.files)
    }

    pub(crate) fn can_plan(&self, setup: &Setup, at: u8, files: Files) -> bool {
        let instance = self.instance(at);
        let Some(memory) = instance.memory.as_ref().filter(|memory| memory.is_quiet()) else {
            return false;
        };
        let is_due = memory.sequence() > memory.base.map_or(0, |base| base.sequence);
        let is_possible = files == Files::Own || self.shared(setup, memory.base.as_ref()).is_some();
        is_due
            && is_possible
            && instance.plan.is_none()
            && self.store.snapshots_made < setup.snapshots
    }

    /// Uploads the files of a snapshot of what is in memory.
    pub(crate) fn plan(&mut self, setup: &Setup, at: u8, files: Files) {
        let memory = self.instance(at).memory.as_ref().expect("a snapshot is taken of a memory");
        let (base, writes, head) =
            (memory.base, memory.writes, memory.head.expect("an empty object has no snapshot"));
        let shared =
            if files == Files::Shared { self.shared(setup, base.as_ref()).unwrap_or(0) } else { 0 };
        let number = self.store.snapshots_made;
        self.store.snapshots_made += 1;
        self.store.files |= 1 << number;
        let files = shared | 1 << number;
        let snapshot =
            Snapshot { number, sequence: head.sequence, last: head.id, writes, files, age: 0 };
        self.instance_mut(at).plan = Some(Plan { snapshot, age: 0 });
    }

    /// Makes the snapshot visible.
    pub(crate) fn publish(&mut self, setup: &Setup, at: u8) {
        let instance = self.instance_mut(at);
        let Some(plan) = instance.plan.take() else { return };
        let sequence = plan.snapshot.sequence;
        let is_newer = |base: Option<Snapshot>| base.is_none_or(|base| base.sequence < sequence);
        if let Some(memory) = instance
            .memory
            .as_mut()
            .filter(|memory| memory.sequence() >= sequence && is_newer(memory.base))
        {
            memory.base = Some(plan.snapshot);
        }
        if setup.has(Bug::NamedBeforeUploaded) {
            self.store.files |= 1 << plan.snapshot.number;
        }
        self.store.publish(plan.snapshot);
    }

    /// Deletes what the retention has released, except files that are still being uploaded.
    pub(crate) fn sweep(&mut self, setup: &Setup) {
        let plans = self.instances.iter().filter_map(|instance| instance.plan);
        let planned = plans
            .filter(|plan| !setup.is_released(plan.age))
            .fold(0, |files, plan| files | 1 << plan.snapshot.number);
        let uploaded = self.store.uploaded(setup, self.sweeper_is_behind(setup));
        self.store.sweep(setup, planned | uploaded);
    }
}
