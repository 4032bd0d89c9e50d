//! The run of a verification: records, snapshots with their files, then replays.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc;

use super::{Fault, Finding, Totals};
use crate::activation::{difference, restore};
use crate::budget::{Charge, Use};
use crate::cluster::check_lock_file;
use crate::error::{Error, ErrorKind, Result};
use crate::inspection::Inspection;
use crate::limits::{DOCUMENT_BYTES_MAX, HINT_BYTES_MAX, STORE_PAGE_MAX};
use crate::log::{Hash, Log, Proof, fetch};
use crate::snapshot::{self, Document, FileCheck, SnapshotRef, differs_key, latest_key};
use crate::store::{Bucket as _, Key};

/// Memory of the number and the size of a record, in bytes.
const KNOWN_BYTES: u64 = 64;

/// Number of records that are fetched concurrently.
const STEP: usize = 32;

/// A verification.
pub(super) struct Run {
    inspection: Inspection,
    log: Log,
    sender: mpsc::Sender<Finding>,
    totals: Totals,
    faulty: BTreeSet<String>,
    room: Charge,
    /// The sizes of the records that are there, by number.
    records: BTreeMap<u64, u64>,
    /// The hashes of the records with which snapshots end.
    hashes: BTreeMap<u64, Hash>,
    /// The newest record that needs none before it.
    start: u64,
}

impl Run {
    pub(super) fn new(inspection: Inspection, log: Log, sender: mpsc::Sender<Finding>) -> Self {
        let room = inspection.runtime().budget.count(Use::TimeTravel, &log.object, 0);
        Self {
            inspection,
            log,
            sender,
            totals: Totals::default(),
            faulty: BTreeSet::new(),
            room,
            records: BTreeMap::new(),
            hashes: BTreeMap::new(),
            start: 1,
        }
    }

    /// Checks everything; ends early when nobody reads the findings.
    pub(super) async fn all(mut self) {
        if let Err(error) = self.parts().await {
            let folder = self.log.prefix.clone();
            self.fault(&folder, &error).await;
        }
        let done = self.totals;
        let _nobody_reads = self.sender.send(Finding::Done { done }).await;
    }

    async fn parts(&mut self) -> Result<()> {
        let snapshots: Vec<SnapshotRef> = snapshot::list(self.log.snapshots())
            .await?
            .into_iter()
            .map(|entry| entry.reference)
            .collect();
        self.list_records().await?;
        let covered = snapshots.iter().map(|snapshot| snapshot.sequence).max().unwrap_or(0);
        self.check_records(&snapshots).await;
        self.check_gaps(covered).await;
        let whole = self.check_snapshots(&snapshots).await;
        self.check_hints(covered).await;
        self.replay(whole).await;
        Ok(())
    }

    async fn list_records(&mut self) -> Result<()> {
        let mut after = None;
        loop {
            let page =
                self.log.bucket.list(&self.log.folder(), after.as_ref(), STORE_PAGE_MAX).await?;
            self.room.grow(page.len() as u64 * KNOWN_BYTES).await?;
            for entry in &page {
                let name = entry.key.as_str().rsplit('/').next().unwrap_or_default();
                match self.log.sequence_of(&entry.key) {
                    Some(sequence) => _ = self.records.insert(sequence, entry.bytes),
                    None if name.starts_with('.') => {}
                    None => {
                        let what = "expected the key of a log record";
                        self.fault(&entry.key, &Error::corrupt(&entry.key, what)).await;
                    }
                }
            }
            if page.len() < STORE_PAGE_MAX {
                return Ok(());
            }
            after = page.into_iter().next_back().map(|entry| entry.key);
        }
    }

    /// A record is missing unless a snapshot covers it, because it could have been deleted then.
    async fn check_gaps(&mut self, covered: u64) {
        let mut expected = (covered + 1).max(self.start);
        let newer: Vec<u64> = self.records.range(expected..).map(|(number, _)| *number).collect();
        for sequence in newer {
            while expected < sequence {
                self.missing(expected).await;
                expected += 1;
                if expected < sequence && expected > covered.max(self.start) + STEP as u64 {
                    // One fault says enough about a gap of any size.
                    expected = sequence;
                }
            }
            expected = sequence + 1;
        }
        if covered > 0 && self.records.last_key_value().is_none_or(|(newest, _)| *newest < covered)
        {
            self.missing(covered).await;
        }
    }

    async fn missing(&mut self, sequence: u64) {
        let key = self.log.key(sequence);
        let error = Error::corrupt(&key, "expected a log record, found nothing");
        self.fault(&key, &error).await;
    }

    /// Reads every record, the oldest first.
    async fn check_records(&mut self, snapshots: &[SnapshotRef]) {
        let ends: BTreeSet<u64> = snapshots.iter().map(|snapshot| snapshot.sequence).collect();
        let numbers: Vec<u64> = self.records.keys().copied().collect();
        let mut previous: Option<(u64, Hash)> =
            (numbers.first() == Some(&1)).then_some((0, Hash::NONE));
        for run in numbers.chunk_by(|one, other| one + 1 == *other) {
            for step in run.chunks(STEP) {
                let follows = previous.filter(|(number, _)| number + 1 == step[0]);
                previous = self.check_step(step, follows.map(|(_, hash)| hash), &ends).await;
            }
        }
    }

    /// Reads records that follow on each other; returns the last, if it is whole.
    async fn check_step(
        &mut self,
        step: &[u64],
        mut previous: Option<Hash>,
        ends: &BTreeSet<u64>,
    ) -> Option<(u64, Hash)> {
        let mut room = self.room.another();
        let (first, last) = (step[0], step[step.len() - 1]);
        let together = fetch(&self.log, first..=last, previous, &mut room).await;
        // Where one is damaged, each is read by itself, so that every fault is found.
        let each: Vec<(u64, Option<Result<Vec<crate::log::Found>>>)> = match together {
            Ok(found) => vec![(first, Some(Ok(found)))],
            Err(_) => step.iter().map(|number| (*number, None)).collect(),
        };
        let mut end = None;
        for (number, found) in each {
            let found = match found {
                Some(found) => found,
                None => fetch(&self.log, number..=number, previous, &mut room).await,
            };
            match found {
                Ok(found) => {
                    for found in found {
                        let (sequence, hash) = (found.record.sequence, found.hash);
                        if found.record.start.is_some() || found.record.deleted {
                            self.start = sequence;
                        }
                        if ends.contains(&sequence) {
                            self.hashes.insert(sequence, hash);
                        }
                        self.totals.records += 1;
                        self.checked(&self.log.key(sequence), found.bytes).await;
                        (previous, end) = (Some(hash), Some((sequence, hash)));
                    }
                }
                Err(error) => {
                    self.fault(&self.log.key(number), &error).await;
                    (previous, end) = (None, None);
                }
            }
        }
        end
    }

    /// Reads the snapshots and all their files; returns those that are whole, oldest first.
    async fn check_snapshots(&mut self, snapshots: &[SnapshotRef]) -> Vec<SnapshotRef> {
        let (mut files, mut whole) = (FileCheck::default(), Vec::new());
        for reference in snapshots {
            let key = reference.document_key(&self.log.prefix);
            let (document, bytes) = match self.document(*reference).await {
                Ok(found) => found,
                Err(error) => {
                    self.fault(&key, &error).await;
                    continue;
                }
            };
            self.totals.snapshots += 1;
            self.checked(&key, bytes).await;
            let (faults, mut table) = (self.totals.faults, 0);
            loop {
                let log = self.log.clone();
                let Some(looked) = files.table(log.snapshots(), &document, table).await else {
                    break;
                };
                self.looked(looked).await;
                table += 1;
            }
            if self.totals.faults == faults {
                whole.push(*reference);
            }
        }
        let log = self.log.clone();
        let rest = files.rest(log.snapshots()).await;
        self.looked(rest).await;
        whole.reverse();
        whole
    }

    /// A snapshot's description, which ends with the record that is in the log; and its size.
    async fn document(&self, reference: SnapshotRef) -> Result<(Document, u64)> {
        let key = reference.document_key(&self.log.prefix);
        let found = self.log.bucket.get_within(&key, DOCUMENT_BYTES_MAX).await?;
        let missing =
            || Error::corrupt(&key, "expected a description of a snapshot, found nothing");
        let bytes = found.ok_or_else(missing)?.bytes;
        let document = self.log.snapshots().decode(&key, &bytes)?;
        let hash = self.hashes.get(&reference.sequence);
        if document.reference != reference
            || hash.is_some_and(|hash| hash.0 != document.record_hash)
        {
            let what = format!("expected the snapshot {reference} of the records that are there");
            return Err(Error::corrupt(&key, what));
        }
        Ok((document, bytes.len() as u64))
    }

    async fn looked(&mut self, looked: Vec<(Key, Result<u64>)>) {
        for (key, outcome) in looked {
            match outcome {
                Ok(bytes) => {
                    self.totals.files += 1;
                    self.checked(&key, bytes).await;
                }
                Err(error) => self.fault(&key, &error).await,
            }
        }
    }

    /// Reads what is only there for speed and for people. Damage to it is harmless, and a fault.
    async fn check_hints(&mut self, covered: u64) {
        let differs = differs_key(&self.log.prefix);
        match self.log.bucket.get_within(&differs, HINT_BYTES_MAX).await {
            Ok(None) => {}
            Ok(Some(found)) => {
                let what = String::from_utf8_lossy(&found.bytes).trim_end().to_owned();
                self.fault(&differs, &Error::corrupt(&differs, what)).await;
            }
            Err(error) => self.fault(&differs, &error.into()).await,
        }
        let latest = latest_key(&self.log.prefix);
        match self.log.snapshots().latest().await {
            Ok(None) => {}
            Ok(Some((named, bytes))) => {
                self.checked(&latest, bytes).await;
                // A hint that is late names an older one.
                if named.sequence > covered {
                    let key = named.document_key(&self.log.prefix);
                    let what =
                        "expected the description that snapshots/latest names, found nothing";
                    self.fault(&key, &Error::corrupt(&key, what)).await;
                }
            }
            Err(error) => self.fault(&latest, &error).await,
        }
        let lock = self.log.prefix.join("lock");
        match check_lock_file(&self.log).await {
            Ok(None) => {}
            Ok(Some(bytes)) => self.checked(&lock, bytes).await,
            Err(error) => self.fault(&lock, &error).await,
        }
    }

    /// Compares each snapshot with the records since the one before, and restores the newest state.
    async fn replay(&mut self, whole: Vec<SnapshotRef>) {
        let mut base: Option<SnapshotRef> = None;
        for snapshot in whole {
            let from = base.map_or(1, |base| base.sequence + 1);
            if self.has_all(from, snapshot.sequence) {
                let key = snapshot.document_key(&self.log.prefix);
                match self.compare(base, snapshot).await {
                    Ok(None) => {}
                    Ok(Some(what)) => self.fault(&key, &Error::corrupt(&key, what)).await,
                    Err(error) => self.fault(&key, &error).await,
                }
            }
            base = Some(snapshot);
        }
        let inspection = self.inspection.clone();
        let mut room = self.room.another();
        let asked = Proof::now(&self.log);
        let newest = restore(inspection.runtime(), &self.log, asked, None, &mut room).await;
        if let Err(error) = newest {
            let key = self.log.folder();
            self.fault(&key, &error).await;
        }
    }

    async fn compare(
        &self,
        base: Option<SnapshotRef>,
        snapshot: SnapshotRef,
    ) -> Result<Option<String>> {
        let base = match base {
            Some(base) => Some(snapshot::read(self.log.snapshots(), base).await?),
            None => None,
        };
        let snapshot = snapshot::read(self.log.snapshots(), snapshot).await?;
        difference(self.inspection.runtime(), &self.log, base, snapshot).await
    }

    /// Whether all records from `from` to `to` are there and whole.
    fn has_all(&self, from: u64, to: u64) -> bool {
        if from > to {
            return true;
        }
        let is_whole = |sequence: &u64| !self.faulty.contains(self.log.key(*sequence).as_str());
        let found = self.records.range(from..=to).filter(|(sequence, _)| is_whole(sequence));
        found.count() as u64 == to - from + 1
    }

    async fn checked(&mut self, key: &Key, bytes: u64) {
        self.totals.bytes += bytes;
        let checked = key.to_string();
        let _nobody_reads = self.sender.send(Finding::Checked { checked, bytes }).await;
    }

    /// Reports what is wrong, under the key that the error names, otherwise under `key`; each key
    /// once.
    async fn fault(&mut self, key: &Key, error: &Error) {
        let named = error.details().and_then(|details| details["key"].as_str());
        let named = named.filter(|_| error.kind() == ErrorKind::Corrupt);
        let key = named.unwrap_or(key.as_str()).to_owned();
        if !self.faulty.insert(key.clone()) {
            return;
        }
        self.totals.faults += 1;
        let message = error.message();
        let problem = message.strip_prefix(&format!("{key}: ")).unwrap_or(message).to_owned();
        let fault = Fault { key, problem };
        let _nobody_reads = self.sender.send(Finding::Fault { fault }).await;
    }
}
