//! `dotdo inspect`.

use clap::Args;
use serde_json::Value;

use super::absent::explained;
use super::client::Ask;
use super::name::{Named, Object};
use super::options::Where;
use super::shapes::{Alarm, Column, Description, Owner, Schedules, TableOf};
use super::table::{Side, Table, bytes, counted, shown, time};
use crate::display::Paint;
use crate::failure::{Failure, put};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo inspect Counter/hello           The object hello of the class Counter
  dotdo inspect hello                   hello of the default class
  dotdo inspect hello --at 2026-01-31T12:00:00Z

Shows tables with their rows, sizes, who owns the object, its log, snapshots
and waiting messages. The shape of --json is in docs/CLI.md.

Exit codes: 0 success; 1 no such object, or another failure; 2 wrong usage.";

/// The arguments of `dotdo inspect`.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID")]
    object: Named,
    /// Number of a record, or a time: the object as it was then
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Inspect {
    /// Prints what an object has.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let object = place.object(&self.object);
        let ask = Ask::get(&["objects", &object.class, &object.id]).query("at", self.at.as_deref());
        let found = client.answer(&ask).map_err(|why| explained(&client, &object, why))?;
        if self.json {
            return put(&format!("{}\n", found.text()));
        }
        print(&object, &found.read()?)
    }
}

/// Prints a description for people.
fn print(object: &Object, found: &Description) -> Result<(), Failure> {
    let paint = Paint::stdout();
    put(&format!("{}\n", paint.bold(&shown(&object.to_string()))))?;
    for (name, text) in facts(found) {
        put(&format!("  {}{text}\n", paint.dim(&format!("{name:<11}"))))?;
    }
    if !found.database.tables.is_empty() {
        put("\n")?;
        print_tables(&found.database.tables, paint)?;
    }
    let others = [
        ("indexes", &found.database.indexes),
        ("views", &found.database.views),
        ("triggers", &found.database.triggers),
    ];
    for (kind, items) in others.iter().filter(|(_, items)| !items.is_empty()) {
        let names: Vec<String> = items.iter().map(|item| shown(name_of(item))).collect();
        put(&format!("\n{}  {}\n", paint.bold(kind), names.join(", ")))?;
    }
    Ok(())
}

/// What there is to say about an object besides its tables.
fn facts(found: &Description) -> Vec<(&'static str, String)> {
    let Description { log, owner, snapshots, database, messages, alarm, schedules } = found;
    let when = |time_of: &Option<String>| {
        time_of.as_deref().map(|text| format!(", written {}", time(text))).unwrap_or_default()
    };
    let size = |count: Option<u64>| count.map(bytes).unwrap_or_default();
    let mut facts = vec![("sequence", format!("{}{}", log.head, when(&log.written_at)))];
    let first = log.first.unwrap_or(log.head);
    facts.push(("log", format!("records {first} to {}, {}", log.head, size(log.bytes))));
    if let Some(owner) = owner {
        facts.push(("owner", owned_by(owner)));
    }
    let newest = snapshots.newest.as_ref().map(|newest| {
        let at = newest.time.as_deref().map(|text| format!(" of {}", time(text)));
        format!(", the newest at {}{}", newest.sequence, at.unwrap_or_default())
    });
    facts.push(("snapshots", format!("{}{}", snapshots.count, newest.unwrap_or_default())));
    let version = database.user_version.filter(|version| *version != 0);
    let version = version.map(|version| format!(", user_version {version}")).unwrap_or_default();
    facts.push(("database", format!("{}{version}", size(database.bytes))));
    if let Some(messages) = messages {
        let oldest =
            messages.oldest.as_deref().map(|text| format!(", the oldest of {}", time(text)));
        facts.push((
            "messages",
            format!("{} waiting{}", messages.waiting, oldest.unwrap_or_default()),
        ));
    }
    facts.extend(alarm.as_ref().map(|alarm| ("alarm", set_for(alarm))));
    facts.extend(schedules.as_ref().map(|schedules| ("schedules", planned(schedules))));
    facts
}

fn planned(schedules: &Schedules) -> String {
    let Schedules { count, failing, next, at, cron } = schedules;
    let cron = cron.as_deref().map(|cron| format!(" ({})", shown(cron))).unwrap_or_default();
    let failing = if *failing == 0 { String::new() } else { format!(", {failing} failing") };
    format!("{count}{failing}, the next {}{cron} {}", shown(next), time(at))
}

fn set_for(alarm: &Alarm) -> String {
    let at = time(&alarm.at);
    let error = alarm.error.as_deref().map(|error| format!(": {}", shown(error)));
    match (alarm.retries, error.unwrap_or_default()) {
        (0, _) => at,
        (failures, error) => {
            let next = time(&alarm.next);
            format!("{at}, has failed {failures} times, runs again {next}{error}")
        }
    }
}

fn owned_by(owner: &Owner) -> String {
    let address = owner.address.as_deref().map(|address| format!(" at {}", shown(address)));
    let address = address.unwrap_or_default();
    let lease = match (owner.released, owner.lease_ms) {
        (true, _) => "released".to_owned(),
        (false, 0) => "no lease".to_owned(),
        (false, millis) => format!("lease of {} ms", millis),
    };
    format!("instance {}{address}, epoch {}, {lease}", shown(&owner.instance), owner.epoch)
}

fn print_tables(tables: &[TableOf], paint: Paint) -> Result<(), Failure> {
    let heads = [("TABLE", Side::Left), ("ROWS", Side::Right), ("COLUMNS", Side::Left)];
    let mut printed = Table::new(heads);
    for table in tables {
        let columns: Vec<String> = table.columns.iter().map(column).collect();
        let rows = table.rows.map_or_else(String::new, |rows| rows.to_string());
        printed.row([table.name.clone(), rows, columns.join(", ")]);
    }
    printed.print(paint)
}

fn column(column: &Column) -> String {
    let declared = column.declared.as_deref().filter(|declared| !declared.is_empty());
    let declared = declared.map(|declared| format!(" {declared}")).unwrap_or_default();
    let key = if column.is_key() { " PRIMARY KEY" } else { "" };
    format!("{}{declared}{key}", column.name)
}

/// The name of an index, a view or a trigger, which may be a text or an object with a name.
fn name_of(item: &Value) -> &str {
    item.as_str().or_else(|| item["name"].as_str()).unwrap_or_default()
}

/// A new state in a sentence.
pub(super) fn contents(tables: Option<u64>, rows: Option<u64>) -> String {
    match (tables, rows) {
        (Some(tables), Some(rows)) => {
            format!(" with {} and {}", counted(tables, "table"), counted(rows, "row"))
        }
        _ => String::new(),
    }
}
