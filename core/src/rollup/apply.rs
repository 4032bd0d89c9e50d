//! The roll-up itself: an object that takes what the objects of a class have become.
//!
//! Of each object it stores the last record that it has seen, in the transaction that changes the
//! rows. So what comes again, late or out of order changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::change::{TableChanges, Value};
use crate::error::{Error, Result};
use crate::object::table::exists;
use crate::object::{Body, Context, DurableObject, Request, Response, Sql};
use crate::rollup::layout::{
    LaidTable, Layout, OBJECT_COLUMN, ROW_COLUMN, SourceTable, name_of_key,
};
use crate::rollup::message::{Answer, Head, Held, Item, Piece, What, read};
use crate::sqlite::{Database, is_reserved};

const OBJECTS: &str = "_dotdo_rollup_objects";
const CREATE: &str = "CREATE TABLE IF NOT EXISTS _dotdo_rollup_objects (
        object TEXT PRIMARY KEY, sequence INTEGER NOT NULL, layout INTEGER, copy TEXT, copy_sequence INTEGER, copy_pieces INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS _dotdo_rollup_layouts (number INTEGER PRIMARY KEY, layout TEXT NOT NULL UNIQUE)";

/// The value of a roll-up.
#[derive(Default)]
pub(crate) struct Rollup;

/// What is known of an object.
#[derive(Debug, Clone, Default)]
struct Known {
    /// The last record in its rows; 0: none.
    sequence: u64,
    layout: Option<i64>,
    copy: Option<Copying>,
}

/// A copy whose last part has not come yet.
#[derive(Debug, Clone)]
struct Copying {
    name: String,
    sequence: u64,
    pieces: u64,
}

impl DurableObject for Rollup {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        // Nobody else can send it messages; requests of clients and calls of objects have no sender.
        if ctx.sender().is_none_or(|sender| sender.class() != ctx.id().id()) {
            return Err(Error::not_found("a roll-up answers no requests"));
        }
        let (head, rows) = read(&request.into_body().bytes().await?)?;
        let answer = Taking::new(&mut ctx.database, &head).take(&head, rows)?;
        Ok(Response::new(Body::from(serde_json::to_vec(&answer)?)))
    }
}

/// Takes one message.
struct Taking<'a> {
    database: &'a mut Database,
    wanted: &'a [String],
    layouts: BTreeMap<i64, Arc<Layout>>,
}

impl<'a> Taking<'a> {
    fn new(database: &'a mut Database, head: &'a Head) -> Self {
        Self { database, wanted: &head.tables, layouts: BTreeMap::new() }
    }

    fn take(mut self, head: &Head, rows: Vec<Vec<TableChanges>>) -> Result<Answer> {
        let mut answer = Answer::default();
        if !head.items.is_empty() {
            self.run(CREATE, Vec::new())?;
        }
        for (item, rows) in head.items.iter().zip(rows) {
            self.run("SAVEPOINT _dotdo_item", Vec::new())?;
            let taken = self.take_item(item, rows);
            if taken.is_err() {
                self.run("ROLLBACK TO _dotdo_item", Vec::new())?;
                self.layouts.clear();
            }
            self.run("RELEASE _dotdo_item", Vec::new())?;
            let error = taken.err().map(|error| error.to_string());
            let held = self.held(&item.object)?;
            answer.objects.insert(item.object.clone(), Held { error, ..held });
        }
        let mut asked = head.ask.clone();
        if head.ask_all && exists(self.database, OBJECTS)? {
            let all = "SELECT object FROM _dotdo_rollup_objects WHERE layout IS NOT NULL OR copy IS NOT NULL";
            asked.extend(Sql::own(self.database).exec(all, ())?.rows::<String>()?);
        }
        for object in asked {
            let held = self.held(&object)?;
            answer.objects.insert(object, held);
        }
        Ok(answer)
    }

    fn take_item(&mut self, item: &Item, rows: Vec<TableChanges>) -> Result<()> {
        let (object, known) = (item.object.as_str(), self.known(&item.object)?);
        let newest = known.copy.as_ref().map_or(0, |copy| copy.sequence).max(known.sequence);
        match &item.what {
            What::Gone if item.to > newest => {
                self.clear(object)?;
                self.note(object, &Known { sequence: item.to, ..Known::default() })
            }
            What::Changes { from } => {
                let follows = (*from..item.to).contains(&known.sequence) && known.copy.is_none();
                let Some(layout) = known.layout.filter(|_| follows) else { return Ok(()) };
                let layout = self.layout(layout)?;
                self.change(object, &layout, rows)?;
                self.note(object, &Known { sequence: item.to, ..known })
            }
            What::Copy(piece) => self.copy((object, item.to), known, piece, rows),
            What::Gone => Ok(()),
        }
    }

    fn copy(
        &mut self,
        (object, to): (&str, u64),
        known: Known,
        piece: &Piece,
        rows: Vec<TableChanges>,
    ) -> Result<()> {
        let mut next = known;
        if piece.number == 0 {
            let is_newer = to > next.sequence || (to == next.sequence && !self.is_whole(&next)?);
            let is_behind = next.copy.as_ref().is_some_and(|copy| copy.sequence > to);
            if !is_newer || is_behind {
                return Ok(());
            }
            self.clear(object)?;
            next.layout = Some(self.lay_out(piece)?);
            next.copy = Some(Copying { name: piece.copy.clone(), sequence: to, pieces: 0 });
        }
        let copying = next.copy.as_mut().filter(|copying| {
            (copying.name.as_str(), copying.pieces) == (piece.copy.as_str(), piece.number)
        });
        let (Some(copying), Some(layout)) = (copying, next.layout) else { return Ok(()) };
        copying.pieces += 1;
        let layout = self.layout(layout)?;
        self.change(object, &layout, rows)?;
        if piece.is_last {
            next = Known { sequence: to, layout: next.layout, copy: None };
        }
        self.note(object, &next)
    }

    /// Changes the rows of an object.
    fn change(&mut self, object: &str, layout: &Layout, tables: Vec<TableChanges>) -> Result<()> {
        for table in tables {
            let Some(laid) = layout.table(&table.table) else { continue };
            let name = quote(&laid.name);
            let delete =
                format!("DELETE FROM {name} WHERE {OBJECT_COLUMN} = ? AND {ROW_COLUMN} = ?");
            for key in &table.deletes {
                self.run(&delete, vec![text(object), text(name_of_key(key))])?;
            }
            let columns: String =
                laid.columns.iter().map(|column| format!(", {}", quote(column))).collect();
            let places = ", ?".repeat(laid.columns.len());
            let upsert = format!(
                "INSERT OR REPLACE INTO {name} ({OBJECT_COLUMN}, {ROW_COLUMN}{columns}) VALUES (?, ?{places})"
            );
            for row in table.upserts {
                if row.values.len() != laid.columns.len() {
                    let (expected, got) = (laid.columns.len(), row.values.len());
                    return Err(Error::invalid(format!(
                        "expected {expected} columns of {}, got {got}",
                        laid.name
                    )));
                }
                let mut values = vec![text(object), text(laid.name_of(&row))];
                values.extend(row.values);
                self.run(&upsert, values)?;
            }
        }
        Ok(())
    }

    /// Deletes all rows of an object.
    fn clear(&mut self, object: &str) -> Result<()> {
        for table in self.tables()? {
            let delete = format!("DELETE FROM {} WHERE {OBJECT_COLUMN} = ?", quote(&table));
            self.run(&delete, vec![text(object)])?;
        }
        Ok(())
    }

    /// The tables of the roll-up that have rows of objects.
    fn tables(&mut self) -> Result<Vec<String>> {
        let query = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        let names: Vec<String> = Sql::own(self.database).exec(query, ())?.rows()?;
        Ok(names.into_iter().filter(|name| !is_reserved(name)).collect())
    }

    /// Makes sure that the roll-up has these tables and their columns. Returns the number of how they
    /// lie in it.
    fn lay_out(&mut self, piece: &Piece) -> Result<i64> {
        let (wanted, schema) = (self.wanted.to_vec(), piece.schema.clone());
        let mut layout = Layout { wanted, tables: Vec::new(), schema };
        for table in &piece.tables {
            layout.tables.push(self.lay_out_table(table)?);
        }
        let layout = serde_json::to_string(&layout)?;
        let insert = "INSERT INTO _dotdo_rollup_layouts (layout) VALUES (?) ON CONFLICT DO NOTHING";
        self.run(insert, vec![text(layout.clone())])?;
        let select = "SELECT number FROM _dotdo_rollup_layouts WHERE layout = ?";
        Sql::own(self.database).exec(select, (layout,))?.one()
    }

    fn lay_out_table(&mut self, table: &SourceTable) -> Result<LaidTable> {
        let name = quote(&table.name);
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {name} ({OBJECT_COLUMN} TEXT NOT NULL, {ROW_COLUMN} TEXT NOT NULL, PRIMARY KEY ({OBJECT_COLUMN}, {ROW_COLUMN})) WITHOUT ROWID"
        );
        self.run(&create, Vec::new())?;
        let query = "SELECT name, type FROM pragma_table_info(?)";
        let mut there: Vec<(String, String)> =
            Sql::own(self.database).exec(query, (table.name.as_str(),))?.rows()?;
        let (mut columns, mut used) = (Vec::new(), BTreeSet::new());
        for column in &table.columns {
            let names = candidates(&column.name, &column.kind);
            let mut chosen = None;
            for name in names {
                let lower = name.to_lowercase();
                let known = there.iter().find(|(known, _)| known.to_lowercase() == lower);
                let is_ours = [OBJECT_COLUMN, ROW_COLUMN].contains(&lower.as_str());
                if used.contains(&lower) || is_ours {
                    continue;
                }
                match known {
                    Some((known, kind)) if *kind == column.kind => {
                        chosen = Some((known.clone(), false));
                    }
                    Some(_) => continue,
                    None => chosen = Some((name, true)),
                }
                break;
            }
            let Some((chosen, is_new)) = chosen else {
                return Err(Error::internal("a column of a roll-up has no name"));
            };
            used.insert(chosen.to_lowercase());
            if is_new {
                let alter =
                    format!("ALTER TABLE {name} ADD COLUMN {} {}", quote(&chosen), column.kind);
                self.run(&alter, Vec::new())?;
                there.push((chosen.clone(), column.kind.clone()));
            }
            columns.push(chosen);
        }
        Ok(LaidTable { name: table.name.clone(), columns, key: table.key.clone() })
    }

    fn layout(&mut self, number: i64) -> Result<Arc<Layout>> {
        if let Some(known) = self.layouts.get(&number) {
            return Ok(known.clone());
        }
        let query = "SELECT layout FROM _dotdo_rollup_layouts WHERE number = ?";
        let text: String = Sql::own(self.database).exec(query, (number,))?.one()?;
        let layout: Arc<Layout> = Arc::new(serde_json::from_str(&text)?);
        self.layouts.insert(number, layout.clone());
        Ok(layout)
    }

    fn is_whole(&mut self, known: &Known) -> Result<bool> {
        if known.copy.is_some() {
            return Ok(false);
        }
        match known.layout {
            Some(layout) => Ok(self.layout(layout)?.wanted == self.wanted),
            // It was deleted; or it is not known.
            None => Ok(known.sequence > 0),
        }
    }

    fn held(&mut self, object: &str) -> Result<Held> {
        let known = self.known(object)?;
        let schema = match known.layout {
            Some(layout) => self.layout(layout)?.schema.clone(),
            None => String::new(),
        };
        let is_whole = self.is_whole(&known)?;
        Ok(Held { sequence: known.sequence, is_whole, schema, error: None })
    }

    fn known(&mut self, object: &str) -> Result<Known> {
        if !exists(self.database, OBJECTS)? {
            return Ok(Known::default());
        }
        type Stored = (u64, Option<i64>, Option<String>, Option<u64>, Option<u64>);
        let query = "SELECT sequence, layout, copy, copy_sequence, copy_pieces FROM _dotdo_rollup_objects WHERE object = ?";
        let row: Option<Stored> = Sql::own(self.database).exec(query, (object,))?.first()?;
        let Some((sequence, layout, copy, copy_sequence, pieces)) = row else {
            return Ok(Known::default());
        };
        let copy = copy.map(|name| Copying {
            name,
            sequence: copy_sequence.unwrap_or(0),
            pieces: pieces.unwrap_or(0),
        });
        Ok(Known { sequence, layout, copy })
    }

    fn note(&mut self, object: &str, known: &Known) -> Result<()> {
        let upsert = "INSERT OR REPLACE INTO _dotdo_rollup_objects (object, sequence, layout, copy, copy_sequence, copy_pieces) VALUES (?, ?, ?, ?, ?, ?)";
        let copy = known.copy.as_ref();
        let params = (
            object,
            known.sequence,
            known.layout,
            copy.map(|copy| copy.name.as_str()),
            copy.map(|copy| copy.sequence),
            copy.map(|copy| copy.pieces),
        );
        Sql::own(self.database).exec(upsert, params).map(drop)
    }

    fn run(&mut self, sql: &str, params: Vec<Value>) -> Result<()> {
        Sql::own(self.database).exec(sql, params).map(drop)
    }
}

/// The names that a column of this name and type may have in a roll-up, the best first: objects may
/// have columns of one name and different types, and a value must stay what it is.
fn candidates(name: &str, kind: &str) -> impl Iterator<Item = String> {
    let name = if name.is_empty() { "_" } else { name }.to_owned();
    let kind = if kind.is_empty() { "any".to_owned() } else { kind.to_lowercase() };
    let other = format!("{name}_{kind}");
    let more = other.clone();
    [name, other].into_iter().chain((2..1000).map(move |number| format!("{more}_{number}")))
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into().into_bytes())
}
