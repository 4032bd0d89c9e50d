//! Replacing the whole state: a file of its own, then one record that names it. Follows
//! docs/design/0027.

use crate::bug::Bug;
use crate::instance::{Plan, Upload};
use crate::log::{Anew, Record};
use crate::setup::Setup;
use crate::store::Snapshot;
use crate::world::World;
use crate::writes::Writes;

impl World {
    /// A function uploads the file of a new state.
    pub(crate) fn upload(&mut self, setup: &Setup, at: u8) {
        let file = self.store.snapshots_made;
        self.store.snapshots_made += 1;
        if !setup.has(Bug::NamedBeforeUploaded) {
            self.store.files |= 1 << file;
            self.store.uploads.push((file, 0));
        }
        self.instance_mut(at).upload = Some(Upload { file, age: 0 });
    }

    pub(crate) fn can_replace(&self, setup: &Setup, at: u8) -> bool {
        let instance = self.instance(at);
        let (Some(_), Some(_), Some(memory)) =
            (instance.held, instance.upload, instance.memory.as_ref())
        else {
            return false;
        };
        let is_free = memory.is_quiet() && !memory.is_behind;
        is_free && self.may_append(setup, at) && Self::has_room(setup, memory)
    }

    /// It sends the record that names the file, unless that may have been swept.
    pub(crate) fn replace(&mut self, setup: &Setup, at: u8) {
        let instance = self.instance_mut(at);
        let (Some(request), Some(upload)) = (instance.held, instance.upload) else { return };
        if !setup.may_publish(upload.age) {
            (instance.held, instance.upload) = (None, None);
            return self.refuse(setup, request);
        }
        if !self.prove(setup, at) {
            return self.lose(setup, at);
        }
        let mut writes = self.memory_mut(at).writes;
        writes.push(request);
        let anew = Anew { file: upload.file, writes };
        self.send_record(at, (Writes::of(request), 0), Some(anew));
    }

    /// The record of a new state is in the log. Its writer publishes the snapshot, if it lives so
    /// long, and restores.
    pub(crate) fn name_new_state(&mut self, at: u8, record: Record) {
        let Some(anew) = record.anew else { return };
        drop(self.forget(at));
        let instance = self.instance_mut(at);
        instance.upload = None;
        instance.plan = Some(Plan { snapshot: Snapshot::named_by(&record, anew), age: 0 });
    }

    /// Whether somebody who has not read the newest record sweeps. Where nobody has read it, nobody
    /// else can.
    pub(crate) fn sweeper_is_behind(&self, setup: &Setup) -> bool {
        let head = self.store.head();
        let memories = self.instances.iter().filter_map(|instance| instance.memory.as_ref());
        !memories.into_iter().any(|memory| memory.sequence() == head)
            && !setup.has(Bug::SweptBehind)
    }
}
