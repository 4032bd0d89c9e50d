//! A snapshot costs what changed.

use super::*;

const KIB: usize = 1024;

fn bytes(rig: &mut Rig) -> usize {
    let plan = rig.plan();
    let files = usize::try_from(plan.bytes()).expect("it is in memory");
    rig.publish(plan);
    let key = latest_key(&rig.prefix());
    let description =
        block_on(rig.bucket.get(&key)).expect("an answer").expect("a hint").bytes.len();
    files + 2 * description
}

#[test]
fn one_changed_row_costs_at_most_64_kib_however_large_the_table() {
    let mut rig = Rig::with(
        "CREATE TABLE things(id TEXT PRIMARY KEY, type TEXT, data TEXT);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO things SELECT hex(randomblob(8)), 'type ' || i % 8, hex(randomblob(40)) FROM n",
    );
    let whole = bytes(&mut rig);
    assert!(whole > 4000 * KIB, "{whole}");
    let mut most = 0;
    for row in 1..60 {
        rig.pass(Duration::from_secs(60));
        rig.commit(&format!("UPDATE things SET data = 'changed' WHERE rowid = {}", row * 1000));
        most = most.max(bytes(&mut rig));
    }
    assert!(most <= 64 * KIB, "one row cost {most} bytes");
    rig.restart();
}

/// What a table costs while it is changed snapshot by snapshot.
struct Cost {
    /// Bytes of rows and deletes written for each byte of rows that changed.
    factor: f64,
    /// The most data files, and the most delete files of one of them, that a snapshot has.
    files_max: (usize, usize),
    /// Bytes of rows and deletes of the last snapshot for each byte of the table's rows, freshly
    /// written.
    space: f64,
}

/// Commits each of `steps`, which change about `changed` bytes of rows as files have them, and makes
/// a snapshot after each.
fn cost(mut rig: Rig, changed: f64, steps: impl ExactSizeIterator<Item = String>) -> Cost {
    rig.snapshot();
    let (mut written, mut files_max, count) = (0, (0, 0), steps.len());
    for step in steps {
        rig.commit(&step);
        rig.pass(Duration::from_secs(60));
        let plan = rig.plan();
        let of_rows = plan.files().iter().filter(|(key, _)| key.as_str().ends_with(".parquet"));
        written += of_rows.map(|(_, bytes)| bytes.len()).sum::<usize>();
        rig.publish(plan);
        let document = rig.latest();
        let table = &document.tables[0];
        let deletes_of = |data: &&Arc<str>| {
            table.deletes.iter().filter(|deletes| deletes.of.as_ref() == Some(*data)).count()
        };
        let data: Vec<&Arc<str>> = table.data.iter().map(|data| &data.file.key).collect();
        files_max.0 = files_max.0.max(data.len());
        files_max.1 = files_max.1.max(data.iter().map(deletes_of).max().unwrap_or(0));
    }
    let kept = rig.latest().bytes();
    rig.restart();
    rig.tracker = Tracker::new();
    rig.snapshot();
    let factor = written as f64 / (changed * count as f64);
    Cost { factor, files_max, space: kept as f64 / rig.latest().bytes() as f64 }
}

/// A table of so many rows of about a hundred bytes that can't be compressed.
fn noisy(rows: usize) -> Rig {
    Rig::with(&format!(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB);
         WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO t SELECT i, randomblob(100) FROM n"
    ))
}

#[test]
fn merging_is_paid_for_by_what_changes_and_bounds_files_and_space() {
    const ROW_BYTES: f64 = 105.0;
    let inserted = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)
                    INSERT INTO t(data) SELECT randomblob(100) FROM n";
    let inserted = (0..150).map(|_| inserted.to_owned());
    let of_inserts = cost(noisy(10_000), 100.0 * ROW_BYTES, inserted);
    let updated = (0..150).map(|step| {
        format!(
            "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 99)
             UPDATE t SET data = randomblob(100)
             WHERE id IN (SELECT 1 + (i * 7907 + {step} * 104729) % 10000 FROM n)"
        )
    });
    let of_updates = cost(noisy(10_000), 100.0 * ROW_BYTES, updated);
    for (what, cost) in [("inserts", of_inserts), ("updates", of_updates)] {
        let Cost { factor, files_max, space } = cost;
        assert!((1.0..9.0).contains(&factor), "{what}: {factor} bytes for each that changed");
        let (data, deletes) = files_max;
        assert!((2..=8).contains(&data) && deletes <= 4, "{what}: {data} files, {deletes}");
        assert!((0.9..1.5).contains(&space), "{what}: {space} times the space of the rows");
    }
}

#[test]
fn a_small_table_is_one_file_after_every_change() {
    let mut rig = noisy(200);
    rig.snapshot();
    for row in 1..6 {
        rig.commit(&format!("UPDATE t SET data = randomblob(9) WHERE id = {row}"));
        rig.snapshot();
        let document = rig.latest();
        let table = &document.tables[0];
        assert_eq!((table.data.len(), table.deletes.len()), (1, 0));
        assert_eq!(table.data[0].file.rows, 200);
    }
}
