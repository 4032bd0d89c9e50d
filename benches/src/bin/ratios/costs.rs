//! What some of the product's guards cost, each beside the same work without it.

use std::time::{Duration, Instant};

use dotdo_benches::{Client, Figure, median};
use dotdo_sqlite_sys as ffi;
use dotdo_tests::Server;
use tempfile::TempDir;

use crate::world::{address, measured};

const CONNECTIONS: usize = 32;
const TIME: Duration = Duration::from_secs(4);
const ROUNDS: usize = 3;
/// How many rows `/scan` reads.
const ROWS: u32 = 1000;
const WRITES: usize = 60;
/// How many limits users' statements have that ours have not.
const LIMITS: [i32; 8] = [
    ffi::SQLITE_LIMIT_LENGTH,
    ffi::SQLITE_LIMIT_SQL_LENGTH,
    ffi::SQLITE_LIMIT_COLUMN,
    ffi::SQLITE_LIMIT_EXPR_DEPTH,
    ffi::SQLITE_LIMIT_COMPOUND_SELECT,
    ffi::SQLITE_LIMIT_FUNCTION_ARG,
    ffi::SQLITE_LIMIT_LIKE_PATTERN_LENGTH,
    ffi::SQLITE_LIMIT_TRIGGER_DEPTH,
];

/// A server on a folder of its own, with an object of some rows.
async fn server(is_counted: bool) -> (Server, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = measured(&format!("file://{}", folder.path().display()));
    let setup = if is_counted { setup } else { setup.env("MEASURED_UNCOUNTED", "1") };
    let server = setup.start().await;
    let mut client = Client::connect(&address(&server)).await;
    client.get("/do/Measured/a/create").await;
    client.get(&format!("/do/Measured/a/fill?{ROWS}")).await;
    (server, folder)
}

/// Reads with SQLite's memory counted and bounded, and without, in turns; the best round of each.
pub(crate) async fn counting() -> Vec<Figure> {
    let ((with, _one), (without, _other)) = (server(true).await, server(false).await);
    let mut figures = Vec::new();
    for (path, what) in [("value", "of one row"), ("scan", "of 1,000 rows, sorted")] {
        let path = format!("/do/Measured/a/{path}");
        let (mut counted, mut uncounted) = (0_f64, 0_f64);
        for _ in 0..ROUNDS {
            let rate = Client::rate(&address(&without), &path, CONNECTIONS, TIME).await;
            uncounted = uncounted.max(rate);
            counted = counted.max(Client::rate(&address(&with), &path, CONNECTIONS, TIME).await);
        }
        figures.push(Figure {
            what: format!("warm reads a second {what}, SQLite's memory counted and bounded"),
            reference: format!("neither: {uncounted:.0}/s"),
            ours: format!("{counted:.0}/s"),
            ratio: Some(counted / uncounted),
        });
    }
    figures
}

/// Writes that change the schema, and first writes of objects, against one that changes a row; in
/// turns.
pub(crate) async fn schemas() -> Vec<Figure> {
    let (server, _folder) = server(true).await;
    let mut client = Client::connect(&address(&server)).await;
    let (mut rows, mut columns, mut firsts) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..WRITES {
        rows.extend(client.times("/do/Measured/a/add", 1).await);
        columns.extend(client.times(&format!("/do/Measured/a/column?{number}"), 1).await);
        firsts.extend(client.times(&format!("/do/Measured/new-{number}/create"), 1).await);
    }
    let (row, column, first) = (median(&rows), median(&columns), median(&firsts));
    [
        ("write that adds a column to one of two tables", column),
        ("first write of an object, with two tables", first),
    ]
    .map(|(what, ours)| Figure {
        what: format!("{what}, folder"),
        reference: format!("write of one row: {row:.2} ms"),
        ours: format!("{ours:.2} ms"),
        ratio: Some(ours / row),
    })
    .into()
}

/// What setting and lifting the limits of users' statements would add to each row that is read.
pub(crate) async fn limits() -> Figure {
    let (server, _folder) = server(true).await;
    let mut client = Client::connect(&address(&server)).await;
    let row = median(&client.times("/do/Measured/a/scan", 200).await) * 1e6 / f64::from(ROWS);
    let mut connection = std::ptr::null_mut();
    // SAFETY: the name is a C string, and the pointer outlives the call; the connection stays open.
    let code = unsafe {
        let flags = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
        ffi::sqlite3_open_v2(c":memory:".as_ptr(), &raw mut connection, flags, std::ptr::null())
    };
    assert_eq!(code, ffi::SQLITE_OK, "SQLite opens a database in memory");
    let (times, started) = (100_000, Instant::now());
    for _ in 0..times {
        for value in [100, i32::MAX] {
            for limit in LIMITS {
                // SAFETY: the connection is open.
                unsafe { ffi::sqlite3_limit(connection, limit, value) };
            }
        }
    }
    let pair = started.elapsed().as_secs_f64() * 1e9 / f64::from(times);
    Figure {
        what: "limits of users' statements, set and lifted for each row (before: once now)".into(),
        reference: format!("reading a row, one of 1,000: {row:.0} ns"),
        ours: format!("{pair:.0} ns"),
        ratio: Some(pair / row),
    }
}
