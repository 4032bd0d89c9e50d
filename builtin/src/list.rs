//! A page of a collection.

use dotdo::sql::Value as Cell;
use dotdo::{Context, Result};

use super::cursor::Cursor;
use super::fields::{Collection, Kind, Object};
use super::query::{Condition, Query};
use super::table;

/// Only the newest row of each thing on each branch counts, unless it marks the thing as deleted.
const CURRENT: &str = r#"t."deleted" = 0
    AND t.rowid = (SELECT max(n.rowid) FROM things AS n WHERE n."id" = t."id" AND n."branch" = t."branch")"#;

/// Maximum size of a page's items, as stored, in bytes; a page ends early at this size.
const PAGE_BYTES_MAX: u64 = 1 << 20;

/// A page of items, with a cursor.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) items: Vec<Object>,
    pub(super) next: Option<Cursor>,
}

/// The conditions of a statement and their parameters.
#[derive(Default)]
struct Filter {
    conditions: Vec<String>,
    params: Vec<Cell>,
}

/// The page of `collection` that `query` asks for.
pub(super) fn page(ctx: &mut Context, collection: Collection, query: &Query) -> Result<Page> {
    let order = match collection {
        Collection::Things => "t.\"id\", t.\"branch\"",
        _ => "t.rowid",
    };
    let Filter { conditions, mut params } = Filter::of(collection, query);
    // One more item shows whether there is a next page.
    params.push(Cell::Integer(i64::from(query.limit) + 1));
    let filter = format!("{} ORDER BY {order} LIMIT ?", conditions.join(" AND "));
    let sizes = table::sizes(ctx, collection, &filter, params.clone())?;
    let fitting = fitting(&sizes).min(query.limit as usize);
    params.pop();
    params.push(Cell::Integer(i64::try_from(fitting).unwrap_or(i64::MAX)));
    let rows = table::select(ctx, collection, &filter, params)?;
    let last = rows.last().filter(|_| sizes.len() > fitting);
    let next = last.map(|row| Cursor::after(collection, &row.item, row.rowid));
    Ok(Page { items: rows.into_iter().map(|row| row.item).collect(), next })
}

/// How many items of these sizes a page has: at least one, and at most as many bytes as a response
/// may have, because all of it is in memory at once.
fn fitting(sizes: &[u64]) -> usize {
    let sums = sizes.iter().scan(0_u64, |sum, size| {
        *sum = sum.saturating_add(*size);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= PAGE_BYTES_MAX).count().max(1)
}

impl Filter {
    fn of(collection: Collection, query: &Query) -> Self {
        let start = if collection == Collection::Things { CURRENT } else { "true" };
        let mut filter = Self { conditions: vec![start.to_owned()], params: Vec::new() };
        if let Some(branch) = &query.branch {
            filter.add("t.\"branch\" = ?", [table::text(branch)]);
        }
        match &query.after {
            Some(Cursor::Thing(id, branch)) => {
                filter.add(
                    "(t.\"id\", t.\"branch\") > (?, ?)",
                    [table::text(id), table::text(branch)],
                );
            }
            Some(Cursor::Row(rowid)) => filter.add("t.rowid > ?", [Cell::Integer(*rowid)]),
            None => {}
        }
        query.conditions.iter().for_each(|condition| filter.add_condition(condition));
        filter
    }

    fn add(&mut self, condition: &str, params: impl IntoIterator<Item = Cell>) {
        self.conditions.push(condition.to_owned());
        self.params.extend(params);
    }

    fn add_condition(&mut self, Condition { field, path, value }: &Condition) {
        let column = format!("t.{}", field.column());
        match field.kind {
            Kind::Json => {
                let path = path.as_deref().unwrap_or("$");
                let [as_text, as_json] = json_forms(value);
                self.add(
                    &format!("({column} -> ?) IN (?, ?)"),
                    [path, &as_text, &as_json].map(table::text),
                );
            }
            Kind::Integer | Kind::Flag => self.add(&format!("{column} = ?"), [integer(value)]),
            Kind::Text | Kind::OneOf(_) | Kind::Time => {
                self.add(&format!("{column} = ?"), [table::text(value)])
            }
        }
    }
}

fn integer(value: &str) -> Cell {
    value.parse().map_or(Cell::Null, Cell::Integer)
}

/// The JSON values that a value in a query may mean: `10` is the text "10" or the number 10.
fn json_forms(value: &str) -> [String; 2] {
    let as_text = serde_json::Value::from(value).to_string();
    let as_json = serde_json::from_str(value)
        .map_or_else(|_| as_text.clone(), |json: serde_json::Value| json.to_string());
    [as_text, as_json]
}
