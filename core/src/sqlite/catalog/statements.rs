//! The statements that read and write a table's rows by their keys.

use super::super::value::quote;
use super::Table;
use crate::change::KeyShape;

/// SQL statements for a table's rows, built once.
pub(super) struct Statements {
    lookup: String,
    delete: String,
    upsert: String,
}

impl Table {
    /// Reads rows by key: hidden rowid first, then the stored columns.
    pub(in super::super) fn lookup(&self) -> &str {
        &self.statements().lookup
    }

    /// Deletes the row of a key.
    pub(in super::super) fn delete(&self) -> &str {
        &self.statements().delete
    }

    /// Replaces the row with the same key; parameters in the order of [`Table::lookup`].
    pub(in super::super) fn upsert(&self) -> &str {
        &self.statements().upsert
    }

    /// Inserts a row with a new key.
    pub(in super::super) fn insert(&self) -> String {
        self.write("INSERT")
    }

    /// Reads all rows in the order of the key.
    pub(in super::super) fn scan(&self) -> String {
        let order = match &self.shape.key {
            KeyShape::Rowid { alias: Some(column) } => quote(&self.shape.columns[*column].name),
            KeyShape::Rowid { alias: None } => self.rowid.unwrap_or("rowid").to_owned(),
            KeyShape::Primary(key) => {
                let columns = key.iter().zip(&self.primary);
                let terms =
                    columns.map(|(column, (_, collation))| self.collated(*column, collation));
                terms.collect::<Vec<_>>().join(", ")
            }
        };
        format!(
            "SELECT {} FROM main.{} ORDER BY {order}",
            self.column_list(),
            quote(&self.shape.name)
        )
    }

    fn statements(&self) -> &Statements {
        self.statements.get_or_init(|| {
            let (table, key) = (quote(&self.shape.name), self.key_condition());
            Statements {
                lookup: format!("SELECT {} FROM main.{table} WHERE {key}", self.column_list()),
                delete: format!("DELETE FROM main.{table} WHERE {key}"),
                upsert: self.write("INSERT OR REPLACE"),
            }
        })
    }

    fn write(&self, verb: &str) -> String {
        let count = self.shape.columns.len() + usize::from(self.shape.has_hidden_rowid());
        let parameters = vec!["?"; count].join(",");
        format!(
            "{verb} INTO main.{}({}) VALUES({parameters})",
            quote(&self.shape.name),
            self.column_list()
        )
    }

    fn column_list(&self) -> String {
        let hidden = self.rowid_column().map(str::to_owned);
        let columns = self.shape.columns.iter().map(|column| quote(&column.name));
        hidden.into_iter().chain(columns).collect::<Vec<_>>().join(", ")
    }

    fn key_condition(&self) -> String {
        match &self.shape.key {
            KeyShape::Rowid { alias: Some(column) } => {
                format!("{} = ?", quote(&self.shape.columns[*column].name))
            }
            KeyShape::Rowid { alias: None } => format!("{} = ?", self.rowid.unwrap_or("rowid")),
            KeyShape::Primary(key) => {
                let columns = key.iter().zip(&self.primary);
                let terms = columns.map(|(column, (_, collation))| {
                    format!("{} = ?", self.collated(*column, collation))
                });
                conjunction(&terms.collect::<Vec<_>>())
            }
        }
    }

    /// The index is ordered by the key's own collation, which may differ from the column's.
    fn collated(&self, column: usize, collation: &str) -> String {
        format!("{} COLLATE {}", quote(&self.shape.columns[column].name), quote(collation))
    }
}

/// All conditions, nested as flat as possible, because SQLite limits the depth of an expression.
fn conjunction(terms: &[String]) -> String {
    match terms {
        [] => "1".to_owned(),
        [term] => term.clone(),
        _ => {
            let (left, right) = terms.split_at(terms.len() / 2);
            format!("({} AND {})", conjunction(left), conjunction(right))
        }
    }
}
