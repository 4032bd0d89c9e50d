//! The tables and indexes, which the first request that writes creates.

use dotdo_core::{Context, Error, ErrorKind, Result};

/// The schema's version, kept in `user_version`.
const VERSION: i64 = 1;

/// A thing's row is one version of it, and its rowid is the version's number: rows are only ever
/// added. The time of a version is that of the action that made it.
const CREATE: &str = r#"
CREATE TABLE things (
    "id" TEXT NOT NULL, "type" TEXT NOT NULL, "branch" TEXT NOT NULL, "name" TEXT, "data" TEXT,
    "deleted" INTEGER NOT NULL, "visibility" TEXT
);
CREATE INDEX things_by_id ON things ("id", "branch");
CREATE INDEX things_by_type ON things ("type", "id", "branch");
CREATE INDEX things_by_branch ON things ("branch", "id");

CREATE TABLE relationships (
    "id" TEXT NOT NULL UNIQUE, "verb" TEXT NOT NULL, "from" TEXT NOT NULL, "to" TEXT NOT NULL, "data" TEXT,
    "created_at" TEXT NOT NULL,
    UNIQUE ("verb", "from", "to")
);
CREATE INDEX relationships_by_from ON relationships ("from", "verb");
CREATE INDEX relationships_by_to ON relationships ("to", "verb");

CREATE TABLE actions (
    "id" TEXT NOT NULL UNIQUE, "verb" TEXT NOT NULL, "actor" TEXT, "target" TEXT, "input" INTEGER, "output" INTEGER,
    "options" TEXT, "durability" TEXT NOT NULL, "status" TEXT NOT NULL, "error" TEXT, "request_id" TEXT, "session_id" TEXT,
    "workflow_id" TEXT, "started_at" TEXT, "completed_at" TEXT, "duration" INTEGER, "created_at" TEXT NOT NULL
);
CREATE INDEX actions_by_target ON actions ("target");
CREATE INDEX actions_by_status ON actions ("status");
CREATE INDEX actions_by_output ON actions ("output");

CREATE TABLE events (
    "id" TEXT NOT NULL UNIQUE, "verb" TEXT NOT NULL, "source" TEXT, "data" TEXT, "action_id" TEXT,
    "sequence" INTEGER PRIMARY KEY, "streamed" INTEGER NOT NULL, "streamed_at" TEXT, "created_at" TEXT NOT NULL
);
CREATE INDEX events_by_source ON events ("source");
CREATE INDEX events_by_action ON events ("action_id");
CREATE INDEX events_to_stream ON events ("sequence") WHERE "streamed" = 0;

PRAGMA user_version = 1;
"#;

/// Whether the tables exist, which reading does not create.
///
/// # Errors
///
/// `Handler` when a newer program has written the schema.
pub(super) fn exists(ctx: &mut Context) -> Result<bool> {
    match ctx.sql().exec("PRAGMA user_version", ())?.one()? {
        0 => Ok(false),
        VERSION => Ok(true),
        newer => {
            let text = format!(
                "expected a schema of version {VERSION} or older, got {newer}; use a newer version of the program"
            );
            Err(Error::new(ErrorKind::Handler, text).with_code("SCHEMA_VERSION"))
        }
    }
}

/// Creates the tables if they do not exist.
pub(super) fn create(ctx: &mut Context) -> Result<()> {
    if !exists(ctx)? {
        ctx.sql().exec(CREATE, ())?;
    }
    Ok(())
}
