//! The bucket: slots that are created once, requests under way, snapshots.

use crate::log::{Anew, Record, RecordId};
use crate::setup::Setup;
use crate::writes::Writes;

/// A record in its slot, and its age by the store's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) record: Record,
    pub(crate) age: u8,
}

/// A create-if-absent under way, and the time since it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Put {
    pub(crate) record: Record,
    pub(crate) age: u8,
}

/// A published snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    /// Also the number of the one file that is its own.
    pub(crate) number: u8,
    /// The last record folded in.
    pub(crate) sequence: u8,
    pub(crate) last: RecordId,
    pub(crate) writes: Writes,
    /// The files that it consists of, a bit each: its own and those it shares.
    pub(crate) files: u8,
    pub(crate) age: u8,
}

impl Snapshot {
    /// The snapshot that a record starts from.
    pub(crate) fn named_by(record: &Record, Anew { file, writes }: Anew) -> Self {
        let (sequence, last) = (record.sequence, record.id);
        Self { number: file, sequence, last, writes, files: 1 << file, age: 0 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Store {
    slots: Vec<Option<Stored>>,
    /// A set, in a fixed order. Nobody needs to be waiting for them any more.
    pub(crate) flying: Vec<Put>,
    pub(crate) snapshots: Vec<Snapshot>,
    /// The files that exist, a bit each.
    pub(crate) files: u8,
    pub(crate) snapshots_made: u8,
    /// Files of whole states that no snapshot has, and the time since they were sent.
    pub(crate) uploads: Vec<(u8, u8)>,
    /// Idempotency entries that are kept beside the log instead of inside it: a mistake.
    pub(crate) entries: u16,
}

/// What a cold start makes of the bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restored {
    pub(crate) head: Option<Record>,
    pub(crate) writes: Writes,
    /// The snapshot that it began with.
    pub(crate) base: Option<Snapshot>,
}

impl Store {
    pub(crate) fn slot(&self, sequence: u8) -> Option<&Stored> {
        self.slots.get(usize::from(sequence).checked_sub(1)?)?.as_ref()
    }

    /// What a listing shows: the newest record's number, 0 when there is none.
    pub(crate) fn head(&self) -> u8 {
        let newest = self.slots.iter().rposition(Option::is_some).map_or(0, |at| at + 1);
        u8::try_from(newest).expect("few slots")
    }

    /// Creates the record if its slot is empty.
    ///
    /// Ages that nobody can ask for are not kept: without deletion only the head's is asked for;
    /// without leases that of a record is asked for when a snapshot covers it, which is younger
    /// unless it was there first.
    pub(crate) fn create(&mut self, setup: &Setup, record: Record) -> bool {
        let at = usize::from(record.sequence - 1);
        if self.slots.len() <= at {
            self.slots.resize(at + 1, None);
        }
        let is_free = self.slots[at].is_none();
        if is_free {
            if setup.retention.is_none() {
                self.slots[..at]
                    .iter_mut()
                    .flatten()
                    .for_each(|older| older.age = setup.record_age_max());
            }
            let is_covered =
                self.snapshots.iter().any(|snapshot| snapshot.sequence >= record.sequence);
            let age = if is_covered || setup.lease_max() > 0 { 0 } else { setup.record_age_max() };
            self.slots[at] = Some(Stored { record, age });
        }
        is_free
    }

    /// A put enters the network. The same bytes twice are one: the age is that of the younger.
    pub(crate) fn send(&mut self, record: Record) {
        self.flying.retain(|put| put.record.id != record.id);
        self.flying.push(Put { record, age: 0 });
        self.flying.sort_unstable_by_key(|put| (put.record.id, put.age));
    }

    /// The newest state: the newest snapshot that the log reaches back to, and the records after it
    /// as an unbroken chain. `None`: the bucket does not hold it any more.
    pub(crate) fn restore(&self) -> Option<Restored> {
        let head = self.head();
        let base = self
            .snapshots
            .iter()
            .filter(|snapshot| snapshot.sequence <= head)
            .max_by_key(|snapshot| (snapshot.sequence, snapshot.number));
        match base {
            Some(base) => self.restore_from(base),
            None => {
                self.replay(Restored { head: None, writes: Writes::default(), base: None }, None, 1)
            }
        }
    }

    /// The newest state by way of `base`.
    pub(crate) fn restore_from(&self, base: &Snapshot) -> Option<Restored> {
        if base.files & !self.files != 0 {
            return None;
        }
        // The head is always read; a record below it, in the slot that the snapshot ends with, is
        // not.
        let head = self.slot(base.sequence).map(|stored| stored.record);
        let is_its_own =
            base.sequence < self.head() || head.is_some_and(|record| record.id == base.last);
        let begun = Restored { head, writes: base.writes, base: Some(*base) };
        is_its_own.then(|| self.replay(begun, Some(base.last), base.sequence + 1))?
    }

    fn replay(
        &self,
        mut restored: Restored,
        mut previous: Option<RecordId>,
        from: u8,
    ) -> Option<Restored> {
        for sequence in from..=self.head() {
            let record = self.slot(sequence)?.record;
            if record.previous != previous {
                return None;
            }
            previous = Some(record.id);
            match record.anew {
                Some(anew) if self.files >> anew.file & 1 == 0 => return None,
                Some(anew) => {
                    restored.writes = anew.writes;
                    restored.base = Some(Snapshot::named_by(&record, anew));
                }
                None => restored.writes.extend(record.writes),
            }
            restored.head = Some(record);
        }
        (restored.head.is_some() || self.head() == 0).then_some(restored)
    }

    /// Makes a snapshot visible, unless it is.
    pub(crate) fn publish(&mut self, snapshot: Snapshot) {
        if self.snapshots.iter().all(|known| known.number != snapshot.number) {
            self.snapshots.push(snapshot);
            self.uploads.retain(|(file, _)| *file != snapshot.number);
        }
    }

    /// The files of whole states that a sweep leaves: they are young, or the sweeper is behind, so
    /// that a record that it has not read may name them.
    pub(crate) fn uploaded(&self, setup: &Setup, is_behind: bool) -> u8 {
        let stay = |age: u8| !setup.is_released(age) || is_behind;
        let kept = self.uploads.iter().filter(|(_, age)| stay(*age));
        kept.fold(0, |files, (file, _)| files | 1 << file)
    }

    /// Whether anything could be deleted now.
    pub(crate) fn has_expired(&self, setup: &Setup) -> bool {
        !self.expired_records(setup).is_empty()
            || self.snapshots.iter().any(|snapshot| self.is_replaced(snapshot, setup))
    }

    /// Deletes what the retention has released. `planned`: files of snapshots that are being
    /// written.
    pub(crate) fn sweep(&mut self, setup: &Setup, planned: u8) {
        for sequence in self.expired_records(setup) {
            self.slots[usize::from(sequence - 1)] = None;
        }
        let kept: Vec<Snapshot> = self
            .snapshots
            .iter()
            .filter(|snapshot| !self.is_replaced(snapshot, setup))
            .copied()
            .collect();
        self.snapshots = kept;
        self.files &= self.snapshots.iter().fold(planned, |files, snapshot| files | snapshot.files);
    }

    /// Records that an old snapshot covers, that are old themselves, and that are not the head.
    fn expired_records(&self, setup: &Setup) -> Vec<u8> {
        let covered = self
            .snapshots
            .iter()
            .filter(|snapshot| setup.is_released(snapshot.age))
            .map(|snapshot| snapshot.sequence)
            .max()
            .unwrap_or(0);
        let last = covered.min(self.head().saturating_sub(1));
        (1..=last)
            .filter(|sequence| {
                self.slot(*sequence).is_some_and(|stored| setup.is_released(stored.age))
            })
            .collect()
    }

    /// Whether a newer snapshot has stood for longer than the retention.
    fn is_replaced(&self, snapshot: &Snapshot, setup: &Setup) -> bool {
        let order = |snapshot: &Snapshot| {
            (snapshot.sequence, std::cmp::Reverse(snapshot.age), snapshot.number)
        };
        self.snapshots
            .iter()
            .any(|newer| order(newer) > order(snapshot) && setup.is_released(newer.age))
    }

    /// Time passes by the store's clock.
    pub(crate) fn tick(&mut self, setup: &Setup) {
        for stored in self.slots.iter_mut().flatten() {
            stored.age = (stored.age + 1).min(setup.record_age_max());
        }
        for snapshot in &mut self.snapshots {
            snapshot.age = (snapshot.age + 1).min(setup.snapshot_age_max());
        }
        for (_, age) in &mut self.uploads {
            *age = (*age + 1).min(setup.snapshot_age_max());
        }
        if let Some(flight) = setup.flight {
            self.flying.iter_mut().for_each(|put| put.age += 1);
            self.flying.retain(|put| put.age <= flight);
        }
    }
}
