//! Compiles SQLite, with the options that decide what SQL means.

use std::env;

/// With which options SQLite is compiled. All but the last two are as in the crate
/// `libsqlite3-sys`: they decide what is stored and what a statement answers, so they only change
/// together with the format.
const OPTIONS: &[(&str, Option<&str>)] = &[
    ("SQLITE_CORE", None),
    ("SQLITE_DEFAULT_FOREIGN_KEYS", Some("1")),
    ("SQLITE_ENABLE_API_ARMOR", None),
    ("SQLITE_ENABLE_COLUMN_METADATA", None),
    ("SQLITE_ENABLE_DBSTAT_VTAB", None),
    ("SQLITE_ENABLE_FTS3", None),
    ("SQLITE_ENABLE_FTS3_PARENTHESIS", None),
    ("SQLITE_ENABLE_FTS5", None),
    ("SQLITE_ENABLE_JSON1", None),
    ("SQLITE_ENABLE_RTREE", None),
    ("SQLITE_ENABLE_STAT4", None),
    ("SQLITE_SOUNDEX", None),
    ("SQLITE_THREADSAFE", Some("1")),
    ("SQLITE_USE_URI", None),
    ("HAVE_USLEEP", Some("1")),
    ("HAVE_ISNAN", None),
    // MinGW declares the functions that are safe with threads only when asked.
    ("_POSIX_THREAD_SAFE_FUNCTIONS", None),
    // Reports every row that changes; the log is made of it.
    ("SQLITE_ENABLE_PREUPDATE_HOOK", None),
    // Code of others has no business here; the core refuses SQL's `load_extension` besides.
    ("SQLITE_OMIT_LOAD_EXTENSION", None),
];

fn main() {
    for file in ["build.rs", "src/sqlite3.c", "src/prefix.h", "vendor/sqlite3.c"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let mut build = cc::Build::new();
    build.file("src/sqlite3.c").warnings(false);
    for (name, value) in OPTIONS {
        build.define(name, *value);
    }
    if env::var_os("CARGO_CFG_WINDOWS").is_none() {
        build.define("HAVE_LOCALTIME_R", None);
    }
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "android") {
        // There is no folder for temporary files.
        build.define("SQLITE_TEMP_STORE", "3");
    }
    // Without optimisation SQLite is several times slower, and nobody steps through it.
    if env::var("OPT_LEVEL").is_ok_and(|level| level == "0" || level == "1") {
        build.opt_level(2);
    }
    build.compile("dotdo_sqlite3");
}
