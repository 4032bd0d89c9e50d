//! The bindings of a worker besides those of its classes, and its crons.

use std::collections::BTreeMap;
use std::path::Path;

use dotdo::engine::{Weekdays, next_cron_time};
use dotdo::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};

/// The beginning of the names of the runtime's own classes, which no class of a bundle may have.
pub(crate) const OWN_CLASSES: &str = "dotdo_";

/// The keys of the configuration that are read here.
pub(super) const READ: &[&str] =
    &["d1_databases", "kv_namespaces", "queues", "r2_buckets", "triggers"];

/// Maximum length of the name of a namespace, bucket, database or queue, in bytes: it is part of ids.
const NAME_BYTES_MAX: usize = 64;

/// What the configuration says of them, as `runtime/bindings` takes it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Bindings {
    /// The namespace of each binding of KV.
    kv: BTreeMap<String, String>,
    /// The bucket of each binding of R2.
    r2: BTreeMap<String, String>,
    /// The database of each binding of D1.
    d1: BTreeMap<String, String>,
    databases: BTreeMap<String, Database>,
    queues: BTreeMap<String, Producer>,
    /// By their queues.
    pub(crate) consumers: BTreeMap<String, Consumer>,
    pub(crate) crons: Vec<String>,
}

/// A database of D1.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Database {
    /// The table that says which migrations were applied.
    table: String,
    migrations: Vec<Migration>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Migration {
    name: String,
    sql: String,
}

/// A binding that sends to a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Producer {
    queue: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<u64>,
}

/// How the worker's `queue` gets the messages of a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Consumer {
    /// Maximum number of messages.
    batch_size: u64,
    /// How long the first one waits for others, in seconds.
    batch_timeout: u64,
    /// How often a message is tried again.
    retries: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_queue: Option<String>,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_delay: Option<u64>,
}

impl Bindings {
    /// What `settings` say, of files in `folder`.
    ///
    /// # Errors
    ///
    /// `Invalid` for what is not here, or is wrong.
    pub(super) fn of(settings: &Map<String, Value>, folder: &Path) -> Result<Self> {
        let list = |key: &'static str| Item::list(key, settings.get(key));
        let mut bindings = Self::default();
        for item in list("kv_namespaces")? {
            item.knows(&["binding", "id", "preview_id"])?;
            bindings.kv.insert(item.text("binding")?, item.name(&["id", "binding"])?);
        }
        for item in list("r2_buckets")? {
            item.knows(&["binding", "bucket_name", "preview_bucket_name"])?;
            bindings.r2.insert(item.text("binding")?, item.name(&["bucket_name", "binding"])?);
        }
        for item in list("d1_databases")? {
            item.knows(&[
                "binding",
                "database_name",
                "database_id",
                "preview_database_id",
                "migrations_dir",
                "migrations_table",
            ])?;
            let name = item.name(&["database_name", "database_id", "binding"])?;
            bindings.d1.insert(item.text("binding")?, name.clone());
            bindings.databases.insert(name, Database::of(&item, folder)?);
        }
        bindings.add_queues(settings.get("queues"))?;
        bindings.crons = crons(settings.get("triggers"))?;
        Ok(bindings)
    }

    fn add_queues(&mut self, setting: Option<&Value>) -> Result<()> {
        let Some(queues) = setting else { return Ok(()) };
        for item in Item::list("queues.producers", queues.get("producers"))? {
            item.knows(&["binding", "queue", "delivery_delay"])?;
            let producer =
                Producer { queue: item.name(&["queue"])?, delay: item.number("delivery_delay")? };
            self.queues.insert(item.text("binding")?, producer);
        }
        for item in Item::list("queues.consumers", queues.get("consumers"))? {
            item.knows(&[
                "queue",
                "type",
                "max_batch_size",
                "max_batch_timeout",
                "max_retries",
                "dead_letter_queue",
                "max_concurrency",
                "retry_delay",
            ])?;
            if item.get("type").is_some_and(|kind| kind != "worker") {
                return Err(item.wrong("only the worker consumes queues here"));
            }
            self.consumers.insert(item.name(&["queue"])?, Consumer::of(&item)?);
        }
        Ok(())
    }

    /// The names of all bindings.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let named = self.kv.keys().chain(self.r2.keys()).chain(self.d1.keys());
        named.chain(self.queues.keys())
    }

    /// Whether there are none, and no crons.
    pub(crate) fn is_empty(&self) -> bool {
        self.names().next().is_none() && self.consumers.is_empty() && self.crons.is_empty()
    }

    /// The runtime's own classes that they need, of a worker with these handlers.
    pub(crate) fn classes(&self, handlers: &[String]) -> Vec<&'static str> {
        let handles = |name: &str| handlers.iter().any(|handler| handler == name);
        let has_queues = !self.queues.is_empty() || !self.consumers.is_empty() || handles("queue");
        [
            (!self.kv.is_empty(), &["dotdo_kv", "dotdo_kv_value"][..]),
            (!self.r2.is_empty(), &["dotdo_r2", "dotdo_r2_value"]),
            (!self.d1.is_empty(), &["dotdo_d1"]),
            (has_queues, &["dotdo_queue"]),
            // Those of crons that were removed ring once more, and end.
            (!self.crons.is_empty() || handles("scheduled"), &["dotdo_cron"]),
        ]
        .into_iter()
        .filter(|(is_needed, _)| *is_needed)
        .flat_map(|(_, classes)| classes.iter().copied())
        .collect()
    }
}

impl Consumer {
    fn of(item: &Item<'_>) -> Result<Self> {
        let number = |key: &str, usual: u64, max: u64| match item.number(key)?.unwrap_or(usual) {
            number if number <= max => Ok(number),
            number => Err(item.wrong(&format!("expected {key} of at most {max}, got {number}"))),
        };
        Ok(Self {
            batch_size: number("max_batch_size", 10, 100)?.max(1),
            batch_timeout: number("max_batch_timeout", 5, 60)?,
            retries: number("max_retries", 3, 100)?,
            dead_letter_queue: item
                .get("dead_letter_queue")
                .and_then(Value::as_str)
                .map(Into::into),
            retry_delay: item.number("retry_delay")?,
        })
    }
}

impl Database {
    fn of(item: &Item<'_>, folder: &Path) -> Result<Self> {
        let text = |key: &str| item.get(key).and_then(Value::as_str);
        let table = text("migrations_table").unwrap_or("d1_migrations").to_owned();
        let named = text("migrations_dir");
        let path = folder.join(named.unwrap_or("migrations"));
        if named.is_none() && !path.is_dir() {
            return Ok(Self { table, migrations: Vec::new() });
        }
        let unreadable = |cause: &dyn std::fmt::Display| {
            item.wrong(&format!("cannot read the migrations in {}: {cause}", path.display()))
        };
        let mut migrations = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(|cause| unreadable(&cause))? {
            let file = entry.map_err(|cause| unreadable(&cause))?.path();
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if file.extension().is_some_and(|end| end == "sql") {
                let sql = std::fs::read_to_string(&file).map_err(|cause| unreadable(&cause))?;
                migrations.push(Migration { name: name.to_owned(), sql });
            }
        }
        migrations.sort_by_key(|one| (number_of(&one.name), one.name.clone()));
        Ok(Self { table, migrations })
    }
}

/// The number that a migration's name begins with; what has none comes last.
fn number_of(name: &str) -> u64 {
    let digits = name.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(name.len());
    name[..digits].parse().unwrap_or(u64::MAX)
}

/// Cron expressions, of which each has a time that comes.
fn crons(setting: Option<&Value>) -> Result<Vec<String>> {
    let Some(triggers) = setting.and_then(Value::as_object) else { return Ok(Vec::new()) };
    if let Some(key) = triggers.keys().find(|key| *key != "crons") {
        return Err(Error::invalid(format!("triggers: expected crons only, got {key}")));
    }
    let listed = triggers.get("crons").and_then(Value::as_array).into_iter().flatten();
    let crons = listed.map(|cron| {
        let cron = cron.as_str().ok_or_else(|| Error::invalid("triggers.crons: expected texts"))?;
        match next_cron_time(cron, 0, Weekdays::FromOne)? {
            Some(_) => Ok(cron.to_owned()),
            None => Err(Error::invalid(format!("triggers.crons: {cron:?} has no time"))),
        }
    });
    crons.collect()
}

/// An item of a list of bindings.
struct Item<'a> {
    list: &'a str,
    fields: &'a Map<String, Value>,
}

impl<'a> Item<'a> {
    fn list(list: &'a str, setting: Option<&'a Value>) -> Result<Vec<Self>> {
        let items = setting.and_then(Value::as_array).into_iter().flatten();
        let item = |item: &'a Value| {
            let fields = item.as_object();
            fields.map(|fields| Self { list, fields }).ok_or_else(|| {
                Error::invalid(format!("{list}: expected a list of objects, got {item}"))
            })
        };
        items.map(item).collect()
    }

    fn wrong(&self, why: &str) -> Error {
        Error::invalid(format!("{}: {why}", self.list))
    }

    /// Checks that it has no other fields that mean something.
    fn knows(&self, known: &[&str]) -> Result<()> {
        let stranger = self
            .fields
            .iter()
            .find(|(key, value)| !known.contains(&key.as_str()) && !super::is_empty(value));
        stranger.map_or(Ok(()), |(key, _)| {
            Err(self.wrong(&format!("dotdo does not have {key} yet; remove it")))
        })
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key)
    }

    fn text(&self, key: &str) -> Result<String> {
        let text = self.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| self.wrong(&format!("expected {key}")))
    }

    /// The name of what is bound: the first of these fields that is there.
    fn name(&self, keys: &[&str]) -> Result<String> {
        let found = keys.iter().find_map(|key| self.text(key).ok());
        let name = found.ok_or_else(|| self.wrong(&format!("expected {}", keys[0])))?;
        if name.len() > NAME_BYTES_MAX || name.contains('/') {
            let text = format!(
                "expected a name of at most {NAME_BYTES_MAX} bytes without /, got {name:?}"
            );
            return Err(self.wrong(&text));
        }
        Ok(name)
    }

    fn number(&self, key: &str) -> Result<Option<u64>> {
        let number = |value: &Value| {
            value.as_u64().ok_or_else(|| {
                self.wrong(&format!("expected {key} as a whole number, got {value}"))
            })
        };
        self.get(key).map(number).transpose()
    }
}
