//! By which columns a table's rows are looked up.

use super::catalog::Table;
use super::database::Database;
use super::value::quote;
use crate::Result;
use crate::change::{KeyShape, ValueRef};

/// A statement with parameters for the columns of a key.
#[derive(Debug)]
pub(crate) struct KeyStatement {
    pub(crate) sql: String,
    /// The names of these columns, in their order.
    pub(crate) names: Vec<String>,
}

impl Database {
    /// The columns of a table's key, as indexes in its
    /// [`TableShape`](crate::change::TableShape)'s columns: those of its primary key, or else of its
    /// first unique index, or else of its first index. Empty: rows are looked up by their rowid. Only
    /// indexes of all rows by stored columns count.
    ///
    /// # Errors
    /// `NotFound` if there is no such table.
    pub(crate) fn key_columns(&self, table: &str) -> Result<Vec<usize>> {
        let table = self.table(table)?;
        match &table.shape.key {
            KeyShape::Primary(columns) => Ok(columns.clone()),
            KeyShape::Rowid { alias: Some(_) } => Ok(Vec::new()),
            KeyShape::Rowid { alias: None } => self.index_columns(table),
        }
    }

    /// The statement for the rows of a table with a key: a parameter for each of its columns.
    ///
    /// # Errors
    /// `NotFound` if there is no such table.
    pub(crate) fn select_by_key(&self, table: &str) -> Result<KeyStatement> {
        let shape = &self.table(table)?.shape;
        let columns = self.key_columns(table)?;
        let rowid = match shape.key {
            KeyShape::Rowid { alias: Some(alias) } => shape.columns[alias].name.clone(),
            _ => self.table(table)?.rowid_column().unwrap_or("rowid").to_owned(),
        };
        let names: Vec<String> = match columns.is_empty() {
            true => vec![rowid],
            false => columns.iter().map(|at| shape.columns[*at].name.clone()).collect(),
        };
        let filter: Vec<String> = names.iter().map(|name| format!("{} = ?", quote(name))).collect();
        let sql = format!("SELECT * FROM {} WHERE {}", quote(table), filter.join(" AND "));
        Ok(KeyStatement { sql, names })
    }

    fn index_columns(&self, table: &Table) -> Result<Vec<usize>> {
        let sql = "SELECT l.name, x.name FROM pragma_index_list(?1, 'main') AS l \
                   JOIN sqlite_schema AS s ON s.type = 'index' AND s.name = l.name \
                   JOIN pragma_index_xinfo(l.name, 'main') AS x \
                   WHERE x.key AND NOT l.partial ORDER BY l.origin = 'pk' DESC, l.\"unique\" DESC, s.rowid, x.seqno";
        let mut statement = self.handle.prepare(sql)?;
        statement.bind(1, ValueRef::Text(table.shape.name.as_bytes()))?;
        let mut indexes: Vec<(String, Option<Vec<usize>>)> = Vec::new();
        while statement.step()? {
            let index = statement.text(0).unwrap_or_default();
            let name = statement.text(1);
            let column =
                table.shape.columns.iter().position(|column| Some(&column.name) == name.as_ref());
            match indexes.last_mut().filter(|(last, _)| *last == index) {
                Some((_, columns)) => {
                    *columns = columns.take().zip(column).map(|(mut columns, column)| {
                        columns.push(column);
                        columns
                    });
                }
                None => indexes.push((index, column.map(|column| vec![column]))),
            }
        }
        Ok(indexes.into_iter().find_map(|(_, columns)| columns).unwrap_or_default())
    }
}
