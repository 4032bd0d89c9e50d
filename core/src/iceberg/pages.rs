//! Reads some rows of a Parquet file, of which only the pages with them are there.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelectionPolicy,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length};

use super::decode::{BatchColumns, EachRow, contained};
use super::inspect::{is_page, read_footer};
use super::layout::Layout;
use super::thrift::walk;
use crate::error::{Error, Result};

/// Number of rows per batch.
const BATCH_ROWS: usize = 1024;

/// Parts of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    bytes: u64,
    parts: Arc<BTreeMap<u64, Bytes>>,
}

impl Parts {
    /// Parts, by where they begin, of a file of so many bytes.
    pub(crate) fn new(bytes: u64, parts: BTreeMap<u64, Bytes>) -> Self {
        Self { bytes, parts: Arc::new(parts) }
    }

    /// The bytes in this range; `None` if no part has all of them.
    pub(crate) fn get(&self, range: &Range<u64>) -> Option<Bytes> {
        let (begin, part) = self.parts.range(..=range.start).next_back()?;
        let from = usize::try_from(range.start - begin).ok()?;
        let to = usize::try_from(range.end.checked_sub(*begin)?).ok()?;
        (from <= to && to <= part.len()).then(|| part.slice(from..to))
    }
}

impl Length for Parts {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Parts {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let part = self.parts.range(..=start).next_back();
        let rest = part.and_then(|(begin, part)| {
            let from = usize::try_from(start - begin).ok()?;
            (from <= part.len()).then(|| part.slice(from..))
        });
        let rest = rest.ok_or_else(|| absent(start))?;
        Ok(Box::new(std::io::Cursor::new(rest)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.get(&(start..start.saturating_add(length as u64))).ok_or_else(|| absent(start))
    }
}

fn absent(at: u64) -> ParquetError {
    ParquetError::EOF(format!("the bytes from {at} on were not asked for"))
}

/// Where the pages of a file are.
pub(crate) struct Pages {
    footer: Arc<ParquetMetaData>,
    rows: u64,
}

impl Pages {
    /// Those of the file `name`, of which `parts` has the end with the offset index.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the file, when this is not its end.
    pub(crate) fn read(name: &str, parts: &Parts) -> Result<Self> {
        contained(name, || {
            Self::found(parts)
                .ok_or_else(|| Error::corrupt(name, "expected a Parquet file with an offset index"))
        })
    }

    fn found(parts: &Parts) -> Option<Self> {
        let end = parts.bytes;
        let length = parts.get(&(end.checked_sub(8)?..end.checked_sub(4)?))?;
        let length = u32::from_le_bytes(length[..].try_into().ok()?);
        let begin = end.checked_sub(8 + u64::from(length))?;
        let rows = read_footer(&parts.get(&(begin..end - 8))?)?;
        let mut reader = ParquetMetaDataReader::new()
            .with_column_index_policy(PageIndexPolicy::Skip)
            .with_offset_index_policy(PageIndexPolicy::Skip);
        reader.try_parse(parts).ok()?;
        let footer = reader.finish().ok()?;
        for chunk in footer.row_groups().iter().flat_map(|group| group.columns()) {
            let at = u64::try_from(chunk.offset_index_offset()?).ok()?;
            let length = u64::try_from(chunk.offset_index_length()?).ok()?;
            // No list in it claims to have more than there is.
            walk(&parts.get(&(at..at.checked_add(length)?))?, &mut |_, _| Some(()))?;
        }
        let mut reader = ParquetMetaDataReader::new_with_metadata(footer)
            .with_offset_index_policy(PageIndexPolicy::Required);
        reader.read_page_indexes(parts).ok()?;
        Some(Self { footer: Arc::new(reader.finish().ok()?), rows })
    }

    /// The row groups that have some of `positions`, which are in order: the number of each, and
    /// where in it they are.
    fn groups(&self, positions: &[u32]) -> Vec<(usize, Vec<usize>)> {
        let (mut begin, mut groups) = (0_u64, Vec::new());
        for (number, group) in self.footer.row_groups().iter().enumerate() {
            let end = begin.saturating_add(group.num_rows().unsigned_abs());
            let within = positions.iter().map(|at| u64::from(*at));
            let within = within.filter(|at| (begin..end).contains(at));
            let within: Vec<usize> =
                within.filter_map(|at| usize::try_from(at - begin).ok()).collect();
            if !within.is_empty() {
                groups.push((number, within));
            }
            begin = end;
        }
        groups
    }

    /// Where the pages of the rows at `positions` are, which are in order, with the dictionaries
    /// that they need.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the file, when the index says where no page can be.
    pub(crate) fn ranges(&self, name: &str, positions: &[u32]) -> Result<Vec<Range<u64>>> {
        let found = self.groups(positions).into_iter().map(|(group, rows)| {
            let columns = self.footer.row_groups()[group].columns().len();
            let ranges = (0..columns).map(|column| self.of_column(group, column, &rows));
            Some(ranges.collect::<Option<Vec<_>>>()?.concat())
        });
        let ranges: Option<Vec<_>> = found.collect();
        let corrupt =
            || Error::corrupt(name, "expected an offset index with the pages of all rows");
        Ok(ranges.ok_or_else(corrupt)?.concat())
    }

    fn of_column(&self, group: usize, column: usize, rows: &[usize]) -> Option<Vec<Range<u64>>> {
        let chunk = self.footer.row_group(group).column(column);
        let pages = self.footer.offset_index()?.get(group)?.get(column)?.page_locations();
        let number = |value: i64| u64::try_from(value).ok();
        let (begin, length) = (chunk.data_page_offset(), chunk.compressed_size());
        let begin = number(chunk.dictionary_page_offset().unwrap_or(begin))?;
        let end = begin.checked_add(number(length)?)?;
        let first = number(pages.first()?.offset)?;
        let mut ranges = Vec::new();
        if begin < first {
            ranges.push(begin..first);
        }
        for page in rows.chunk_by(|a, b| self.page(pages, *a) == self.page(pages, *b)) {
            let page = pages.get(self.page(pages, *page.first()?).checked_sub(1)?)?;
            let at = number(page.offset)?;
            ranges.push(at..at.checked_add(u64::try_from(page.compressed_page_size).ok()?)?);
        }
        ranges.iter().all(|range| begin <= range.start && range.end <= end).then_some(ranges)
    }

    /// How many pages begin with `row` or before.
    fn page(&self, pages: &[PageLocation], row: usize) -> usize {
        pages.partition_point(|page| {
            usize::try_from(page.first_row_index).is_ok_and(|first| first <= row)
        })
    }

    /// Calls `each` with the rows at `positions`, which are in order. `parts` has the end of the file
    /// and all [`ranges`](Self::ranges) of them.
    ///
    /// # Errors
    ///
    /// `Corrupt`, naming the file, when it is not what [`RowEncoder`](super::RowEncoder) wrote for
    /// this layout; what `each` returns.
    pub(crate) fn rows(
        &self,
        layout: &Layout,
        (name, parts): (&str, &Parts),
        positions: &[u32],
        each: &mut EachRow<'_>,
    ) -> Result<()> {
        for range in self.ranges(name, positions)? {
            let page = parts.get(&range);
            if !page.is_some_and(|page| is_page(&page, self.rows)) {
                return Err(Error::corrupt(name, format!("expected a page at {}", range.start)));
            }
        }
        let corrupt = |cause: &dyn std::fmt::Display| {
            Error::corrupt(name, format!("expected Parquet rows, got: {cause}"))
        };
        contained(name, || {
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let metadata = ArrowReaderMetadata::try_new(Arc::clone(&self.footer), options)
                .map_err(|cause| corrupt(&cause))?;
            let mut left = positions.iter();
            for (group, rows) in self.groups(positions) {
                let all = self.footer.row_group(group).num_rows();
                let selected = RowSelection::from_consecutive_ranges(
                    rows.iter().map(|row| *row..*row + 1),
                    usize::try_from(all).map_err(|cause| corrupt(&cause))?,
                );
                let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
                    parts.clone(),
                    metadata.clone(),
                )
                .with_row_groups(vec![group])
                .with_row_selection(selected)
                .with_row_selection_policy(RowSelectionPolicy::Selectors)
                .with_batch_size(BATCH_ROWS)
                .build()
                .map_err(|cause| corrupt(&cause))?;
                for batch in reader {
                    let batch = batch.map_err(|cause| corrupt(&cause))?;
                    BatchColumns::new(layout, name, &batch)?.read(
                        layout,
                        name,
                        0,
                        &mut |_, rowid, values| {
                            let position = left.next().ok_or_else(|| corrupt(&"too many rows"))?;
                            each(*position, rowid, values)
                        },
                    )?;
                }
            }
            if left.len() == 0 { Ok(()) } else { Err(corrupt(&"too few rows")) }
        })
    }
}
