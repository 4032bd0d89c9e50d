//! What a restore is compared with: a compressed SQLite image, opened in memory and asked once. It
//! is nobody's truth, and as fast as it gets.

use std::io::Cursor;
use std::time::{Duration, Instant};

use rusqlite::{Connection, MAIN_DB};

/// Builds an image of `rows` rows like the measured app's, and returns how long decompressing and
/// opening it takes: the best of `tries`.
///
/// # Panics
///
/// When SQLite fails.
pub fn image_path(rows: i64, tries: usize) -> Duration {
    let mut source = Connection::open_in_memory().expect("memory");
    source
        .execute_batch(
            "CREATE TABLE rows (id TEXT PRIMARY KEY, type TEXT NOT NULL, data TEXT NOT NULL)",
        )
        .expect("DDL");
    source.execute(super::app::FILL, [rows]).expect("rows");
    let (packed, length) = {
        let image = source.serialize(MAIN_DB).expect("an image");
        (zstd::bulk::compress(&image, 1).expect("zstd"), image.len())
    };
    drop(source);
    let times = (0..tries).map(|_| {
        let started = Instant::now();
        let image = zstd::bulk::decompress(&packed, length).expect("zstd");
        let mut database = Connection::open_in_memory().expect("memory");
        database
            .deserialize_read_exact(MAIN_DB, Cursor::new(&image), length, false)
            .expect("an image");
        let count: i64 =
            database.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).expect("a count");
        assert_eq!(count, rows);
        started.elapsed()
    });
    times.min().expect("at least one try")
}
