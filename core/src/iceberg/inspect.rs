//! What a Parquet file takes when it is read, found out before anything of it is decompressed.
//!
//! A file in a bucket can claim anything: lists of 2^31 row groups, for which the library allocates
//! before it reads the first; pages that become a thousand times larger; columns whose every row is
//! the same large value. This looks at the footer and at the head of every page, and refuses what
//! no file of this program has.

use bytes::Bytes;

use super::thrift::walk;
use crate::error::{Error, Result};
use crate::limits::BATCH_BYTES_MAX;

/// What is known of a file before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Inspected {
    /// Number of its rows.
    pub(crate) rows: u64,
    /// Size of its pages uncompressed, in bytes: about what its rows take in a database.
    pub(crate) plain_bytes: u64,
    /// A bound of the memory that reading it takes besides, in bytes.
    pub(crate) reading_bytes: u64,
    /// How many rows can be read at once without taking more than [`BATCH_BYTES_MAX`].
    pub(super) batch_rows: usize,
}

/// The most rows that are read at once.
const BATCH_ROWS: u64 = 8192;

/// The footer's memory, as a multiple of its size.
const FOOTER_FACTOR: u64 = 32;

/// Maximum number of columns in a file: those of a table, and two of ours.
const COLUMNS_MAX: i64 = 2002;

const MAGIC: &[u8] = b"PAR1";
const TAIL_BYTES: usize = 8;

/// Physical types, codecs, encodings and pages, by Parquet's numbers
/// (<https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>).
const BYTE_ARRAY: i64 = 6;
const TYPES: [i64; 3] = [2, 5, BYTE_ARRAY];
const ZSTD: i64 = 6;
const CODECS: [i64; 2] = [0, ZSTD];
const ENCODINGS: [i64; 3] = [0, 2, 8];
const REPEATED: i64 = 2;
const PAGE_OF_VALUES: [i64; 2] = [0, 3];
const DICTIONARY_PAGE: i64 = 2;

/// Looks at `file`, whose name in errors is `name`.
///
/// # Errors
///
/// `Corrupt`, naming the file, when it is not a Parquet file with flat columns that this program
/// could have written.
pub(crate) fn inspect(name: &str, file: &Bytes) -> Result<Inspected> {
    inspected(file).ok_or_else(|| {
        Error::corrupt(
            name,
            "expected a Parquet file with plain columns, got another or a damaged one",
        )
    })
}

fn inspected(file: &[u8]) -> Option<Inspected> {
    let (content, tail) = file.split_at_checked(file.len().checked_sub(TAIL_BYTES)?)?;
    let (length, magic) = tail.split_first_chunk::<4>()?;
    let footer_bytes = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if magic != MAGIC || !file.starts_with(MAGIC) {
        return None;
    }
    let (content, footer) = content.split_at_checked(content.len().checked_sub(footer_bytes)?)?;
    let footer = Footer::read(footer)?;
    // Chunks don't lie on top of each other, so that looking at all pages takes no longer than the
    // file is long.
    let chunks = footer.chunks.iter().try_fold(0_u64, |sum, chunk| sum.checked_add(chunk.bytes))?;
    if chunks > content.len() as u64 {
        return None;
    }
    let mut columns = vec![Pages::default(); footer.columns.max(1)];
    let mut plain_bytes = 0_u64;
    for (number, chunk) in footer.chunks.iter().enumerate() {
        let pages = chunk.pages(content, footer.rows)?;
        plain_bytes = plain_bytes.saturating_add(pages.plain);
        let index = number % columns.len();
        columns[index] = columns[index].or(pages);
    }
    let mean = plain_bytes / footer.rows.max(1);
    let row = columns.iter().fold(mean.max(1), |sum, column| sum.saturating_add(column.widest));
    let batch_rows = (BATCH_BYTES_MAX / row).clamp(1, BATCH_ROWS);
    let batch = row.saturating_mul(batch_rows.min(footer.rows));
    let footer_bytes = (footer_bytes as u64).saturating_mul(FOOTER_FACTOR);
    // The library has a page twice for a moment, and a dictionary beside it.
    let pages = columns.iter().fold(0_u64, |sum, column| {
        sum.saturating_add(column.largest.saturating_add(column.dictionary).saturating_mul(2))
    });
    Some(Inspected {
        rows: footer.rows,
        plain_bytes,
        reading_bytes: footer_bytes.saturating_add(pages).saturating_add(batch),
        batch_rows: usize::try_from(batch_rows).ok()?,
    })
}

/// The number of rows that a footer tells; `None` when it is none of this program's.
pub(super) fn read_footer(bytes: &[u8]) -> Option<u64> {
    Footer::read(bytes).map(|footer| footer.rows)
}

/// Whether `bytes` are a page as this program writes them, of a column with at most `rows` values.
pub(super) fn is_page(bytes: &[u8], rows: u64) -> bool {
    Page::read(bytes).is_some_and(|(page, head_bytes)| {
        head_bytes + page.stored == bytes.len()
            && page.bytes <= BATCH_BYTES_MAX
            && page.values <= rows.max(page.bytes)
            && ENCODINGS.contains(&page.encoding)
            && (PAGE_OF_VALUES.contains(&page.kind) || page.kind == DICTIONARY_PAGE)
    })
}

/// What the footer says.
#[derive(Default)]
struct Footer {
    rows: u64,
    columns: usize,
    chunks: Vec<Chunk>,
}

/// One column of one row group.
#[derive(Default, Clone, Copy)]
struct Chunk {
    kind: i64,
    codec: i64,
    bytes: u64,
    first_page: u64,
    dictionary: Option<u64>,
}

impl Footer {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (mut footer, mut elements, mut groups) = (Self::default(), 0_i64, 0_u64);
        let (mut is_known, mut parents) = (true, 0);
        walk(bytes, &mut |path, number| {
            match path {
                [2] => elements = number,
                // A column within a column, or one with several values in a row.
                [2, 5] if number == elements - 1 => parents += 1,
                [2, 5] => is_known = false,
                [2, 3] => is_known &= number != REPEATED,
                [3] => footer.rows = u64::try_from(number).ok()?,
                [4, 3] => groups = groups.checked_add(u64::try_from(number).ok()?)?,
                [4, 1] => {
                    is_known &= number == elements - 1;
                    let count = usize::try_from(number).ok()?;
                    footer.columns = count;
                }
                [4, 1, 3, 1] => footer.chunks.push(Chunk { kind: number, ..Chunk::default() }),
                [4, 1, 3, field] => footer.chunks.last_mut()?.set(*field, number)?,
                _ => {}
            }
            Some(())
        })?;
        is_known &= parents == 1 && elements <= COLUMNS_MAX + 1 && groups == footer.rows;
        (is_known && footer.rows <= u64::from(u32::MAX)).then_some(footer)
    }
}

impl Chunk {
    fn set(&mut self, field: i16, number: i64) -> Option<()> {
        let size = u64::try_from(number);
        match field {
            4 => self.codec = number,
            7 => self.bytes = size.ok()?,
            9 => self.first_page = size.ok()?,
            11 => self.dictionary = Some(size.ok()?),
            _ => {}
        }
        Some(())
    }

    /// Goes over its pages, which lie in `content`; `None` when one is not as this program writes
    /// them.
    fn pages(&self, content: &[u8], rows: u64) -> Option<Pages> {
        if !TYPES.contains(&self.kind) || !CODECS.contains(&self.codec) {
            return None;
        }
        let start = usize::try_from(self.dictionary.unwrap_or(self.first_page)).ok()?;
        let mut rest = content.get(start..)?.get(..usize::try_from(self.bytes).ok()?)?;
        let mut pages = Pages { widest: 8, ..Pages::default() };
        while !rest.is_empty() {
            let (page, head_bytes) = Page::read(rest)?;
            let (body, after) = rest.get(head_bytes..)?.split_at_checked(page.stored)?;
            rest = after;
            pages.plain = pages.plain.saturating_add(page.bytes);
            if page.kind == DICTIONARY_PAGE {
                let value = if self.kind == BYTE_ARRAY { 4 } else { 8 };
                if page.values.saturating_mul(value) > page.bytes {
                    return None;
                }
                pages.widest = pages.widest.max(self.widest(body, &page)?);
                pages.dictionary = pages.dictionary.max(page.bytes);
            } else if !PAGE_OF_VALUES.contains(&page.kind) || page.values > rows {
                return None;
            } else {
                pages.largest = pages.largest.max(page.bytes);
            }
            if !ENCODINGS.contains(&page.encoding) {
                return None;
            }
        }
        Some(pages)
    }

    /// The longest value of a dictionary: every row may be that one.
    fn widest(&self, body: &[u8], page: &Page) -> Option<u64> {
        if self.kind != BYTE_ARRAY {
            return Some(8);
        }
        let plain_bytes = usize::try_from(page.bytes).ok()?;
        if page.bytes > BATCH_BYTES_MAX {
            return Some(page.bytes);
        }
        let plain;
        let mut rest = body;
        if self.codec == ZSTD {
            plain = zstd::bulk::decompress(body, plain_bytes).ok()?;
            rest = &plain;
        }
        let mut widest = 8;
        while let Some((length, values)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length);
            rest = values.get(usize::try_from(length).ok()?..)?;
            widest = widest.max(u64::from(length));
        }
        Some(widest)
    }
}

/// What the pages of a chunk, or of a column, are like.
#[derive(Debug, Clone, Copy, Default)]
struct Pages {
    /// All together, uncompressed.
    plain: u64,
    /// The largest page of values.
    largest: u64,
    /// The largest dictionary.
    dictionary: u64,
    /// The longest value that may be there more often than it is stored.
    widest: u64,
}

impl Pages {
    fn or(self, other: Self) -> Self {
        Self {
            plain: self.plain.saturating_add(other.plain),
            largest: self.largest.max(other.largest),
            dictionary: self.dictionary.max(other.dictionary),
            widest: self.widest.max(other.widest),
        }
    }
}

/// The head of a page.
struct Page {
    kind: i64,
    bytes: u64,
    stored: usize,
    values: u64,
    encoding: i64,
}

impl Page {
    /// The head at the beginning of `bytes`, and its length.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (mut kind, mut size, mut stored, mut values, mut encoding) = (-1, -1, -1, -1, -1);
        let length = walk(bytes, &mut |path, number| {
            match path {
                [1] => kind = number,
                [2] => size = number,
                [3] => stored = number,
                [5 | 7 | 8, 1] => values = number,
                [5 | 7, 2] | [8, 4] => encoding = number,
                _ => {}
            }
            Some(())
        })?;
        let page = Self {
            kind,
            bytes: u64::try_from(size).ok()?,
            stored: usize::try_from(stored).ok()?,
            values: u64::try_from(values).ok()?,
            encoding,
        };
        Some((page, length))
    }
}
