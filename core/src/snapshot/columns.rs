//! Maps the columns of a table to those of its Iceberg table, across renames and additions.

use super::table::TableBase;
use crate::change::{Column, TableShape};
use crate::iceberg::Layout;

/// The field ids for a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) ids: Vec<i32>,
    pub(super) last_column_id: i32,
    pub(super) schema_id: i32,
    /// Whether the schema differs from the base's.
    pub(super) changed: bool,
    /// Columns from this one on are new.
    pub(super) added_from: usize,
}

impl Columns {
    /// Ids for a table that has no history.
    pub(super) fn fresh(shape: &TableShape) -> Self {
        let ids = Layout::fresh_ids(shape.columns.len());
        let last_column_id = ids.last().copied().unwrap_or(LAST_RESERVED_ID);
        Self { ids, last_column_id, schema_id: 0, changed: true, added_from: 0 }
    }

    /// Ids for the table that was `base` and now has `shape`, if no change in between has rewritten
    /// its rows.
    ///
    /// Only `RENAME COLUMN` and `ADD COLUMN` don't rewrite rows, and neither moves a column, so
    /// columns correspond by position. `None` if that is impossible, because it is a different
    /// table.
    pub(super) fn evolve(base: &TableBase, shape: &TableShape) -> Option<Self> {
        let same_type = |(old, new): (&Column, &Column)| {
            old.declared == new.declared && old.affinity == new.affinity
        };
        let old = &base.shape.columns;
        if base.shape.key != shape.key
            || old.len() > shape.columns.len()
            || !old.iter().zip(&shape.columns).all(same_type)
        {
            return None;
        }
        let added = shape.columns.len() - old.len();
        let mut ids = base.ids.clone();
        ids.extend((base.last_column_id + 1..).take(added));
        let last_column_id = ids.iter().copied().fold(base.last_column_id, i32::max);
        let changed = *old != shape.columns;
        let schema_id = base.schema_id + i32::from(changed);
        Some(Self { ids, last_column_id, schema_id, changed, added_from: old.len() })
    }
}

/// The highest field id that is not a user's.
const LAST_RESERVED_ID: i32 = 2;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::change::{Affinity, KeyShape};

    fn shape(columns: &[(&str, &str)]) -> TableShape {
        let column = |(name, declared): &(&str, &str)| Column {
            name: (*name).to_owned(),
            declared: (*declared).to_owned(),
            affinity: Affinity::Text,
        };
        TableShape {
            name: "t".to_owned(),
            columns: columns.iter().map(column).collect(),
            key: KeyShape::Rowid { alias: None },
        }
    }

    fn base(shape: TableShape) -> TableBase {
        let columns = Columns::fresh(&shape);
        TableBase {
            shape,
            ids: columns.ids,
            uuid: Uuid::nil(),
            metadata: Arc::from(""),
            last_column_id: columns.last_column_id,
            schema_id: 0,
            past_schemas: Vec::new(),
            versions: Vec::new(),
            data: Vec::new(),
            deletes: Vec::new(),
        }
    }

    #[test]
    fn renamed_columns_keep_their_ids_and_new_ones_get_unused_ids() {
        let base = base(shape(&[("a", "TEXT"), ("b", "TEXT")]));
        let columns =
            Columns::evolve(&base, &shape(&[("a", "TEXT"), ("renamed", "TEXT"), ("c", "TEXT")]))
                .expect("the same table");
        assert_eq!(
            columns,
            Columns {
                ids: vec![3, 4, 5],
                last_column_id: 5,
                schema_id: 1,
                changed: true,
                added_from: 2
            }
        );
        let same = Columns::evolve(&base, &base.shape.clone()).expect("the same table");
        assert!(!same.changed && same.schema_id == 0);
    }

    #[test]
    fn a_table_with_fewer_or_other_columns_is_another_table() {
        let base = base(shape(&[("a", "TEXT"), ("b", "TEXT")]));
        assert_eq!(Columns::evolve(&base, &shape(&[("a", "TEXT")])), None);
        assert_eq!(Columns::evolve(&base, &shape(&[("a", "INT"), ("b", "TEXT")])), None);
    }
}
