//! Prints how two databases differ.

use serde_json::{Value, json};

use super::Side;
use super::compare::{Cell, Change, Difference, RowChange, TableChange};
use crate::display::Paint;
use crate::failure::{Failure, put};
use crate::objects::table::shown;

/// Number of bytes of a value that are shown to people.
const VALUE_CHARS_SHOWN: usize = 60;

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// How many rows differ.
    Counts,
    /// Every row that differs, too.
    Rows,
}

/// Prints for people: what changed, and how often.
pub(super) fn people(
    (a, b): (&Side, &Side),
    found: &Difference,
    detail: Detail,
) -> Result<(), Failure> {
    let paint = Paint::stdout();
    let name = |side: &Side| format!("{} at {}", shown(&side.object.to_string()), side.sequence);
    if found.is_none() {
        return put(&format!("{} and {} are equal\n", name(a), name(b)));
    }
    put(&paint.bold(&format!("--- {}\n+++ {}\n", name(a), name(b))))?;
    for item in &found.schema {
        let line = format!("{} {} {}", sign(item.change), item.kind, shown(&item.name));
        put(&format!("{}\n", coloured(paint, item.change, &line)))?;
    }
    for table in &found.tables {
        let count = |change: Change| table.rows.iter().filter(|row| row.change() == change).count();
        put(&format!(
            "{}: {}, {}, {}\n",
            paint.bold(&shown(&table.name)),
            paint.green(&format!("{} added", count(Change::Added))),
            paint.red(&format!("{} removed", count(Change::Removed))),
            paint.yellow(&format!("{} changed", count(Change::Changed))),
        ))?;
        if detail == Detail::Rows {
            table.rows.iter().try_for_each(|row| print_row(table, row, paint))?;
        }
    }
    Ok(())
}

fn print_row(table: &TableChange, row: &RowChange, paint: Paint) -> Result<(), Failure> {
    let key = row.key.iter().map(text).collect::<Vec<_>>().join(", ");
    let values = |cells: &[Cell]| {
        let cells = table.columns.iter().zip(cells);
        let cells = cells.map(|(column, cell)| format!("{} = {}", shown(column), text(cell)));
        cells.collect::<Vec<_>>().join(", ")
    };
    let line = match (&row.before, &row.after) {
        (Some(before), Some(after)) => {
            let cells = table.columns.iter().zip(before.iter().zip(after));
            let cells = cells.filter(|(_, (before, after))| before != after);
            let cells = cells.map(|(column, (before, after))| {
                format!("{} = {} -> {}", shown(column), text(before), text(after))
            });
            cells.collect::<Vec<_>>().join(", ")
        }
        (Some(only), None) | (None, Some(only)) => values(only),
        (None, None) => String::new(),
    };
    let line = format!("  {} {key}: {line}", sign(row.change()));
    put(&format!("{}\n", coloured(paint, row.change(), &line)))
}

/// Prints `{"equal", "a", "b", "schema", "tables"}`.
pub(super) fn json(
    (a, b): (&Side, &Side),
    found: &Difference,
    detail: Detail,
) -> Result<(), Failure> {
    let side = |side: &Side| json!({ "class": side.object.class, "id": side.object.id, "sequence": side.sequence });
    let schema: Vec<Value> = found
        .schema
        .iter()
        .map(|item| json!({ "kind": item.kind, "name": item.name, "change": word(item.change) }))
        .collect();
    let tables: Vec<Value> = found.tables.iter().map(|table| table_json(table, detail)).collect();
    let whole = json!({
        "equal": found.is_none(), "a": side(a), "b": side(b), "schema": schema, "tables": tables,
    });
    put(&format!("{whole}\n"))
}

fn table_json(table: &TableChange, detail: Detail) -> Value {
    let count = |change: Change| table.rows.iter().filter(|row| row.change() == change).count();
    let mut item = json!({
        "name": table.name,
        "added": count(Change::Added),
        "removed": count(Change::Removed),
        "changed": count(Change::Changed),
    });
    if detail == Detail::Rows {
        let cells = |cells: &Vec<Cell>| {
            let cells = table.columns.iter().zip(cells);
            Value::Object(cells.map(|(column, cell)| (column.clone(), value(cell))).collect())
        };
        let row = |row: &RowChange| {
            json!({
                "change": word(row.change()),
                "key": row.key.iter().map(value).collect::<Vec<_>>(),
                "before": row.before.as_ref().map(cells),
                "after": row.after.as_ref().map(cells),
            })
        };
        item["rows"] = table.rows.iter().map(row).collect();
    }
    item
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Changed => "changed",
    }
}

fn sign(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    }
}

fn coloured(paint: Paint, change: Change, line: &str) -> String {
    match change {
        Change::Added => paint.green(line),
        Change::Removed => paint.red(line),
        Change::Changed => paint.yellow(line),
    }
}

/// A value for people.
fn text(cell: &Cell) -> String {
    let long = match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Integer(number) => number.to_string(),
        Cell::Real(bits) => format!("{:?}", f64::from_bits(*bits)),
        Cell::Text(bytes) => format!("'{}'", shown(&String::from_utf8_lossy(bytes))),
        Cell::Blob(bytes) => {
            format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    };
    if long.chars().count() <= VALUE_CHARS_SHOWN {
        return long;
    }
    long.chars().take(VALUE_CHARS_SHOWN).chain(['…']).collect()
}

/// A value as the routes of administration write it.
fn value(cell: &Cell) -> Value {
    use base64::Engine as _;
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => json!(number),
        Cell::Real(bits) => match f64::from_bits(*bits) {
            number if number.is_finite() => json!(number),
            number => json!({ "real": number.to_string() }),
        },
        Cell::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!({ "textBase64": base64(bytes) }),
        },
        Cell::Blob(bytes) => json!({ "base64": base64(bytes) }),
    }
}
