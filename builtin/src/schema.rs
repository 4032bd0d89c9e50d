//! The tables and indexes, as steps: those that an object has not had run when it is next used.
//!
//! A new column is a step here and a line in the list of fields. A step that was released is never
//! changed.

/// The steps, oldest first.
pub(super) const STEPS: &[&str] = &[TABLES];

/// A thing's row is one version of it, and its rowid is the version's number: rows are only ever
/// added. The time of a version is that of the action that made it.
const TABLES: &str = r#"
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
"#;
