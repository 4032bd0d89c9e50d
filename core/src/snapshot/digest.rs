//! A digest of a database, to compare it with another one.

use super::keys::encode;
use crate::change::{Header, TableShape, ValueRef};
use crate::error::Result;
use crate::sqlite::Database;

/// Schema, counters and versions as they are, and a hash of each table's rows.
#[derive(Debug)]
pub(crate) struct Digest {
    header: Header,
    tables: Vec<TableDigest>,
}

#[derive(Debug, PartialEq)]
struct TableDigest {
    shape: TableShape,
    rows: u64,
    hash: blake3::Hash,
}

impl Digest {
    /// Reads every row of `database`. CPU only.
    ///
    /// # Errors
    ///
    /// Those of reading the database.
    pub(crate) fn of(database: &Database) -> Result<Self> {
        let table = |shape: &TableShape| {
            let (mut rows, mut hasher) = (0, blake3::Hasher::new());
            database.scan(&shape.name, &mut |rowid, values| {
                rows += 1;
                hasher.update(&encode(
                    rowid.map(ValueRef::Integer).into_iter().chain(values.iter().copied()),
                ));
                Ok(())
            })?;
            Ok(TableDigest { shape: shape.clone(), rows, hash: hasher.finalize() })
        };
        Ok(Self {
            header: database.header().clone(),
            tables: database.shapes().iter().map(table).collect::<Result<_>>()?,
        })
    }

    /// The first difference in `found`, described without values of rows; `None` if there is none.
    pub(crate) fn difference(&self, found: &Self) -> Option<String> {
        if self.header.schema != found.header.schema {
            return Some("the schema".to_owned());
        }
        for table in &self.tables {
            let name = &table.shape.name;
            match found.tables.iter().find(|other| other.shape.name == *name) {
                None => return Some(format!("the table {name:?}, which is missing")),
                Some(other) if other != table => {
                    return Some(format!(
                        "the table {name:?}: expected {} rows, got {} rows or others",
                        table.rows, other.rows
                    ));
                }
                Some(_) => {}
            }
        }
        (self.header != found.header || self.tables.len() != found.tables.len())
            .then(|| "the counters or versions".to_owned())
    }
}
