//! Readers of Iceberg tables by other people: what they see in our files.

use std::process::Command;

use serde_json::{Value, json};

use crate::chores::scratch;
use crate::tools::{Tool, run};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rig/tools/read.py");

/// An Iceberg REST catalog, as engines are told of it.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Its address, without the `/v1`.
    pub endpoint: String,
    /// The bearer token.
    pub token: Option<String>,
    /// How the store of the tables is reached (see [`Seaweed::environment`](crate::Seaweed)).
    pub environment: Vec<(String, String)>,
}

/// An engine that reads Iceberg tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// DuckDB with its Iceberg extension.
    DuckDb,
    /// PyIceberg.
    PyIceberg,
    /// polars, with its own reader of data files and deletes.
    Polars,
}

impl Reader {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DuckDb, Self::PyIceberg, Self::Polars];

    /// What the engine sees in the table whose metadata file is at `metadata` (or in a single file of
    /// Parquet), at its current or another snapshot: `{"columns": [names], "rows": [[values]]}`. A double is `{"real": "1.5"}`,
    /// bytes are `{"hex": "00ff"}`, all else is as it is. The rows are in no particular order.
    /// `environment` says how a store is reached (see [`Seaweed::environment`](crate::Seaweed)).
    ///
    /// # Panics
    ///
    /// When the engine fails, with what it says.
    pub fn read(
        self,
        metadata: &str,
        snapshot: Option<i64>,
        environment: &[(&str, String)],
    ) -> Value {
        let snapshot = snapshot.map(|number| number.to_string());
        self.run(&[Some(metadata), snapshot.as_deref()], environment)
    }

    /// The same for many tables and snapshots at once, which saves most of the time: engines start
    /// slowly.
    ///
    /// # Panics
    ///
    /// When the engine fails, with what it says.
    pub fn read_all(
        self,
        tables: &[(String, Option<i64>)],
        environment: &[(&str, String)],
    ) -> Vec<Value> {
        let folder = scratch();
        let file = folder.path().join("batch.json");
        std::fs::write(&file, serde_json::to_vec(tables).expect("texts and numbers are JSON"))
            .expect("the build folder is writable");
        match self.run(&[Some("--batch"), file.to_str()], environment) {
            Value::Array(answers) => answers,
            other => panic!("a batch has a list of answers, not {other}"),
        }
    }

    /// For each of `filters` (a column, one of `=`, `<`, `>=`, and a value in the form of
    /// [`Reader::read`]) how many rows of the table at `metadata` the engine finds, and from how many
    /// files it reads them, if it tells.
    ///
    /// # Panics
    ///
    /// When the engine fails, with what it says.
    pub fn filter_all(self, metadata: &str, filters: &[Value]) -> Vec<(u64, Option<u64>)> {
        let wanted = json!({ "metadata": metadata, "filters": filters }).to_string();
        let found = self.run(&[Some("--filters"), Some(&wanted)], &[]);
        serde_json::from_value(found).expect("pairs of numbers")
    }

    /// What the engine sees in a table of a catalog, at its current or another snapshot, in the form
    /// of [`Reader::read`].
    ///
    /// # Panics
    ///
    /// When the engine fails, with what it says.
    pub fn through(
        self,
        catalog: &Catalog,
        namespace: &[&str],
        table: &str,
        snapshot: &Value,
    ) -> Value {
        let Catalog { endpoint, token, environment } = catalog;
        let wanted = json!({
            "endpoint": endpoint,
            "token": token,
            "namespace": namespace,
            "table": table,
            "snapshot": snapshot,
        });
        let environment: Vec<(&str, String)> =
            environment.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.run(&[Some("--catalog"), Some(&wanted.to_string())], &environment)
    }

    fn run(self, arguments: &[Option<&str>], environment: &[(&str, String)]) -> Value {
        let engine = match self {
            Self::DuckDb => "duckdb",
            Self::PyIceberg => "pyiceberg",
            Self::Polars => "polars",
        };
        let mut command = Command::new(Tool::Readers.program("python"));
        command.args([SCRIPT, engine]).args(arguments.iter().flatten());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let json = run(&mut command, "a table that the engine can read");
        serde_json::from_str(&json).expect("the script writes JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readers_are_there() {
        let seen =
            run(Command::new(Tool::Readers.program("python")).args([SCRIPT, "all"]), "the readers");
        assert!(seen.contains("pyiceberg") && seen.contains("polars"), "{seen}");
    }
}
