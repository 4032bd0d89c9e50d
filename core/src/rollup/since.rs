//! What has become of an object since its roll-up saw it last: the changes that its records have, or
//! a copy of its tables.
//!
//! Its records and snapshots say it, so it takes no turn of the object, and any process can find it
//! out.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::activation::{Runtime, Sources, place_of_former, replay_from, restore_at};
use crate::budget::{Charge, Use};
use crate::change::{Changes, Row, RowKey, TableChanges, ValueRef};
use crate::error::{Error, ErrorKind, Result};
use crate::executor::offload;
use crate::limits::{
    RESIDENT_BYTES, ROLLUP_CHANGES_BYTES_MAX, ROLLUP_PIECE_BYTES, ROLLUP_RECORDS_MAX,
};
use crate::log::{Log, Record, fetch, list_newest};
use crate::rollup::layout::{SourceTable, schema_of};
use crate::rollup::message::{Held, encode_rows};
use crate::router::At;
use crate::sqlite::Database;

/// Number of records that are read at a time.
const STEP: u64 = 64;

/// Number of records of a new object that are replayed without a look at its snapshots.
const NEW_MAX: u64 = 16;

/// What has become of an object.
pub(super) enum Since {
    /// Nothing that is rolled up.
    Nothing,
    /// It does not exist any more, since the record `to` at the latest.
    Gone { to: u64 },
    /// Its rows have changed, in these steps.
    Changes(Vec<Step>),
    /// These are all of its rows.
    Copy(Copy),
}

/// The changes of the records after `from` up to `to`.
pub(super) struct Step {
    pub(super) from: u64,
    pub(super) to: u64,
    /// The rows, encoded.
    pub(super) rows: Vec<u8>,
}

/// All rows of an object that are rolled up.
pub(super) struct Copy {
    /// The last record in it.
    pub(super) to: u64,
    pub(super) tables: Vec<SourceTable>,
    pub(super) schema: String,
    /// The rows, encoded, in parts; at least one.
    pub(super) pieces: Vec<Vec<u8>>,
    /// The memory of the parts.
    _room: Charge,
}

/// What has become of the object of `log` since its roll-up saw it, which has what `held` says.
/// `head` is its newest record, as far as is known.
///
/// # Errors
///
/// Those of the store and of a restore; `Busy` when there is no memory or place for it.
pub(super) async fn since(
    runtime: &Runtime,
    log: &Log,
    (held, head): (&Held, u64),
    wanted: &[String],
) -> Result<Since> {
    if held.is_whole
        && let Some(found) = recorded(log, (held, head), wanted).await?
    {
        return Ok(found);
    }
    copy(runtime, log, (held, head), wanted).await
}

/// What the records say that the roll-up has not seen; `None` when only a copy can tell.
async fn recorded(
    log: &Log,
    (held, head): (&Held, u64),
    wanted: &[String],
) -> Result<Option<Since>> {
    if (1..=held.sequence).contains(&head) {
        return Ok(Some(Since::Nothing));
    }
    if head > 0 {
        match changes(log, held, head, wanted).await {
            // A record that was lost is not there: the listing says what is.
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            found => return found,
        }
    }
    let listing = list_newest(log, held.sequence + 1).await?;
    if listing.head <= held.sequence {
        return Ok(Some(Since::Nothing));
    }
    if listing.unbroken_from > held.sequence + 1 {
        return Ok(None);
    }
    changes(log, held, listing.head, wanted).await
}

/// What the records up to `head` have changed; `None` when only a copy can tell.
async fn changes(log: &Log, held: &Held, head: u64, wanted: &[String]) -> Result<Option<Since>> {
    if head - held.sequence > ROLLUP_RECORDS_MAX {
        return Ok(None);
    }
    let mut walk =
        Walk { wanted, held, steps: Vec::new(), net: Net::default(), bytes: 0, gone: false };
    let (mut from, mut previous) = (held.sequence, None);
    while from < head {
        let to = head.min(from + STEP);
        let mut room = log.room();
        let records: RangeInclusive<u64> = from + 1..=to;
        let found = fetch(log, records, previous, &mut room).await?;
        previous = found.last().map(|found| found.hash);
        for found in &found {
            if !walk.pass(&found.record) {
                return Ok(None);
            }
        }
        from = to;
    }
    Ok(Some(walk.end(head)))
}

/// What records have changed, as they are read.
struct Walk<'a> {
    wanted: &'a [String],
    held: &'a Held,
    steps: Vec<Step>,
    net: Net,
    /// The size of all steps.
    bytes: usize,
    gone: bool,
}

impl Walk<'_> {
    /// Adds a record. `false`: only a copy can tell.
    fn pass(&mut self, record: &Record) -> bool {
        if record.deleted {
            self.gone = true;
            return true;
        }
        self.gone = false;
        if record.start.is_some() || !record.transactions.iter().all(|changes| self.add(changes)) {
            return false;
        }
        if self.net.bytes > ROLLUP_PIECE_BYTES {
            self.cut(record.sequence);
        }
        self.bytes + self.net.bytes <= ROLLUP_CHANGES_BYTES_MAX
    }

    fn add(&mut self, changes: &Changes) -> bool {
        let is_wanted =
            |name: &str| self.wanted.iter().any(|table| table.eq_ignore_ascii_case(name));
        let renamed = changes.renames.iter().any(|(from, to)| is_wanted(from) || is_wanted(to));
        let is_same = |schema| schema_of(self.wanted, schema) == self.held.schema;
        if renamed || !changes.schema.as_ref().is_none_or(is_same) {
            return false;
        }
        let tables: Vec<_> =
            changes.tables.iter().filter(|changes| is_wanted(&changes.table)).collect();
        if tables.iter().any(|changes| changes.rewritten) {
            return false;
        }
        tables.into_iter().for_each(|changes| self.net.add(changes));
        true
    }

    /// Ends a step with the record `to`.
    fn cut(&mut self, to: u64) {
        let from = self.steps.last().map_or(self.held.sequence, |step| step.to);
        let rows = encode_rows(std::mem::take(&mut self.net).finish());
        self.bytes += rows.len();
        self.steps.push(Step { from, to, rows });
    }

    fn end(mut self, head: u64) -> Since {
        if self.gone {
            return Since::Gone { to: head };
        }
        // What is passed over here is read again the next time, unless it is much.
        let is_long = head - self.held.sequence > STEP;
        if !self.net.is_empty() || (self.steps.is_empty() && is_long) {
            self.cut(head);
        }
        if self.steps.is_empty() { Since::Nothing } else { Since::Changes(self.steps) }
    }
}

/// The net changes of several transactions: of a row with a rowid, the last one.
#[derive(Default)]
struct Net {
    by_rowid: BTreeMap<String, BTreeMap<i64, Option<Row>>>,
    /// Those of tables without rowids, in their order.
    others: Vec<TableChanges>,
    bytes: usize,
}

impl Net {
    fn is_empty(&self) -> bool {
        self.by_rowid.is_empty() && self.others.is_empty()
    }

    fn add(&mut self, changes: &TableChanges) {
        let bytes = |row: &Row| row.values.iter().map(crate::Value::bytes).sum::<usize>() + 16;
        self.bytes += changes.upserts.iter().map(bytes).sum::<usize>() + 16 * changes.deletes.len();
        let is_by_rowid = changes.upserts.iter().all(|row| row.rowid.is_some())
            && changes.deletes.iter().all(|key| matches!(key, RowKey::Rowid(_)));
        if !is_by_rowid {
            self.others.push(changes.clone());
            return;
        }
        let rows = self.by_rowid.entry(changes.table.clone()).or_default();
        for key in &changes.deletes {
            if let RowKey::Rowid(rowid) = key {
                rows.insert(*rowid, None);
            }
        }
        for row in &changes.upserts {
            rows.extend(row.rowid.map(|rowid| (rowid, Some(row.clone()))));
        }
    }

    fn finish(self) -> Vec<TableChanges> {
        let mut tables = self.others;
        for (table, rows) in self.by_rowid {
            let (mut deletes, mut upserts) = (Vec::new(), Vec::new());
            for (rowid, row) in rows {
                match row {
                    Some(row) => upserts.push(row),
                    None => deletes.push(RowKey::Rowid(rowid)),
                }
            }
            tables.push(TableChanges { table, rewritten: false, deletes, upserts });
        }
        tables
    }
}

/// A copy of the object as it is.
async fn copy(
    runtime: &Runtime,
    log: &Log,
    (held, head): (&Held, u64),
    wanted: &[String],
) -> Result<Since> {
    let _place = place_of_former(runtime, &log.object).await?;
    let mut room = runtime.budget.count(Use::TimeTravel, &log.object, 0);
    if held.sequence == 0 && (1..=NEW_MAX).contains(&head) {
        let sources = Sources { base: None, records: 1..=head };
        match replay_from(runtime, log, sources, &mut room).await {
            Ok(former) if former.exists => {
                return pieces(runtime, (&former.database, head), wanted, room);
            }
            Ok(_) => return Ok(Since::Gone { to: head }),
            // It is older than it seemed, or a record was lost.
            Err(error) if error.kind() == ErrorKind::Corrupt => {}
            Err(error) => return Err(error),
        }
    }
    let head = list_newest(log, u64::MAX).await?.head;
    if head == 0 {
        return Ok(Since::Nothing);
    }
    match restore_at(runtime, log, At::Sequence(head), &mut room).await {
        Ok(former) => pieces(runtime, (&former.database, former.sequence), wanted, room),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Since::Gone { to: head }),
        Err(error) => Err(error),
    }
}

/// The rows of a state after the record `to`, in parts.
fn pieces(
    runtime: &Runtime,
    (database, to): (&Database, u64),
    wanted: &[String],
    mut room: Charge,
) -> Result<Since> {
    let (mut tables, mut parts) = (Vec::new(), Parts::default());
    offload(runtime.executor.as_ref(), || {
        for name in wanted {
            let shape =
                database.shapes().iter().find(|shape| shape.name.eq_ignore_ascii_case(name));
            let Some(shape) = shape else { continue };
            tables.push(SourceTable::of(name, shape));
            database.scan(&shape.name, &mut |rowid, values| {
                parts.add(name, rowid, values);
                Ok(())
            })?;
        }
        Ok::<_, Error>(())
    })?;
    let pieces = parts.finish();
    let bytes: usize = pieces.iter().map(Vec::len).sum();
    room.set(RESIDENT_BYTES + database.bytes() + bytes as u64);
    let schema = schema_of(wanted, &database.header().schema);
    Ok(Since::Copy(Copy { to, tables, schema, pieces, _room: room }))
}

/// Rows that become parts of about the same size.
#[derive(Default)]
struct Parts {
    done: Vec<Vec<u8>>,
    tables: Vec<TableChanges>,
    bytes: usize,
}

impl Parts {
    fn add(&mut self, table: &str, rowid: Option<i64>, values: &[ValueRef<'_>]) {
        let values: Vec<_> = values.iter().copied().map(ValueRef::to_owned).collect();
        self.bytes += values.iter().map(crate::Value::bytes).sum::<usize>() + 16;
        if self.tables.last().is_none_or(|last| last.table != table) {
            let (table, rewritten) = (table.to_owned(), false);
            let (deletes, upserts) = (Vec::new(), Vec::new());
            self.tables.push(TableChanges { table, rewritten, deletes, upserts });
        }
        if let Some(last) = self.tables.last_mut() {
            last.upserts.push(Row { rowid, values });
        }
        if self.bytes > ROLLUP_PIECE_BYTES {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.done.push(encode_rows(std::mem::take(&mut self.tables)));
        self.bytes = 0;
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        if self.done.is_empty() || !self.tables.is_empty() {
            self.cut();
        }
        self.done
    }
}
