//! Writes rows into data files of limited size, with an index of each.

use super::index::{IndexBuilder, RowIndex};
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
}

/// Accepts the rows of a table in the order of their keys.
pub(super) struct RowSink<'a> {
    shape: &'a TableShape,
    layout: Layout,
    open: Option<(RowEncoder, IndexBuilder)>,
    done: Vec<NewFile>,
}

impl<'a> RowSink<'a> {
    pub(super) fn new(shape: &'a TableShape, layout: Layout) -> Self {
        Self { shape, layout, open: None, done: Vec::new() }
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// `Internal` when rows of a rowid table come out of order, or a file can't be written.
    pub(super) fn push(&mut self, rowid: Option<i64>, values: &[ValueRef<'_>]) -> Result<()> {
        let (encoder, index) = match &mut self.open {
            Some(open) => open,
            closed => {
                closed.insert((RowEncoder::new(&self.layout)?, IndexBuilder::new(self.shape)))
            }
        };
        if !index.push(self.shape, rowid, values) {
            return Err(Error::internal(format!(
                "the rows of {:?} are not in the order of their rowids",
                self.shape.name
            )));
        }
        encoder.push(rowid, values)?;
        if encoder.bytes() >= FILE_BYTES_TARGET { self.close() } else { Ok(()) }
    }

    /// The files.
    pub(super) fn finish(mut self) -> Result<Vec<NewFile>> {
        self.close()?;
        Ok(self.done)
    }

    fn close(&mut self) -> Result<()> {
        if let Some((encoder, index)) = self.open.take() {
            self.done.push(NewFile { encoded: encoder.finish()?, index: index.finish() });
        }
        Ok(())
    }
}
