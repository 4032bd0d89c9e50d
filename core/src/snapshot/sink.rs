//! Writes rows into data files of limited size, with an index of each.

use super::index::{IndexBuilder, RowIndex};
use super::point::{FileEnd, PointIndex};
use crate::change::{TableShape, ValueRef};
use crate::error::{Error, Result};
use crate::iceberg::{EncodedFile, Layout, RowEncoder};

/// Approximate maximum size of a data file, in bytes, so that large tables are transferred in
/// parallel and merged in parts.
pub(super) const FILE_BYTES_TARGET: usize = 32 << 20;

/// A data file before its upload.
pub(super) struct NewFile {
    pub(super) encoded: EncodedFile,
    pub(super) index: RowIndex,
    /// Where rows are found by their keys, if it is large.
    pub(super) point: Option<PointIndex>,
}

/// A data file that is being written.
struct Open {
    encoder: RowEncoder,
    index: IndexBuilder,
    end: FileEnd,
}

/// Accepts the rows of a table in the order of their keys.
pub(super) struct RowSink<'a> {
    shape: &'a TableShape,
    layout: Layout,
    /// The columns of the key by which rows are looked up; none for the rowid.
    key: Vec<usize>,
    open: Option<Open>,
    done: Vec<NewFile>,
}

impl<'a> RowSink<'a> {
    pub(super) fn new(shape: &'a TableShape, layout: Layout, key: Vec<usize>) -> Self {
        Self { shape, layout, key, open: None, done: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// `Internal` when rows of a rowid table come out of order, or a file can't be written.
    pub(super) fn push(&mut self, rowid: Option<i64>, values: &[ValueRef<'_>]) -> Result<()> {
        if self.open.is_none() {
            let fields = self.layout.columns();
            let fields = self.key.iter().filter_map(|at| Some(fields.get(*at)?.0)).collect();
            self.open = Some(Open {
                encoder: RowEncoder::new(&self.layout)?,
                index: IndexBuilder::new(self.shape),
                end: FileEnd::new(self.key.clone(), fields),
            });
        }
        let Some(Open { encoder, index, end }) = &mut self.open else { return Ok(()) };
        if !index.push(self.shape, rowid, values) {
            return Err(Error::internal(format!(
                "the rows of {:?} are not in the order of their rowids",
                self.shape.name
            )));
        }
        encoder.push(rowid, values)?;
        end.push(rowid, values);
        if encoder.bytes() >= FILE_BYTES_TARGET { self.close() } else { Ok(()) }
    }

    /// The files.
    pub(super) fn finish(mut self) -> Result<Vec<NewFile>> {
        self.close()?;
        Ok(self.done)
    }

    fn close(&mut self) -> Result<()> {
        if let Some(Open { encoder, index, end }) = self.open.take() {
            let mut begun = None;
            let encoded = encoder.finish_with(|rows| {
                let (appended, end) = end.finish(rows);
                begun = Some(end);
                appended
            })?;
            let point = begun.map(|end| end.of(&encoded.bytes));
            self.done.push(NewFile { encoded, index: index.finish(), point });
        }
        Ok(())
    }
}
