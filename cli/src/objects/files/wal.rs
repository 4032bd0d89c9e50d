//! Applies SQLite's write-ahead log to a file, for databases that another program has left with a
//! `-wal` beside them (<https://sqlite.org/fileformat2.html#the_write_ahead_log>).
//!
//! Promises: what SQLite itself would read: whole transactions up to the first frame that is damaged,
//! of an older log, or not committed.

use crate::failure::Failure;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Maximum number of pages of a database, by SQLite's format.
const PAGES_MAX: u32 = 0xffff_fffe;

/// Puts the committed pages of `wal` into `file`, which is then one without a write-ahead log.
///
/// # Errors
///
/// `Failed` when `wal` is not a write-ahead log, or one of a file with other pages.
pub(crate) fn apply(file: &mut Vec<u8>, wal: &[u8]) -> Result<(), Failure> {
    if wal.len() >= HEADER_BYTES {
        let log = Log::open(wal)?;
        log.check_pages(file)?;
        log.apply(file);
    }
    // The versions of reading and writing: 2 asks for a write-ahead log, 1 does not.
    for at in [18, 19] {
        if let Some(version) = file.get_mut(at).filter(|version| **version == 2) {
            *version = 1;
        }
    }
    Ok(())
}

struct Log<'a> {
    frames: &'a [u8],
    page_bytes: usize,
    is_big_endian: bool,
    salts: [u32; 2],
    /// The checksums of the header.
    sums: [u32; 2],
}

impl<'a> Log<'a> {
    fn open(wal: &'a [u8]) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::Failed(format!("the -wal file is not usable: {what}"));
        let is_big_endian = match big(wal, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return Err(wrong("expected a write-ahead log of SQLite")),
        };
        let page_bytes = big(wal, 8) as usize;
        if !(512..=65_536).contains(&page_bytes) || !page_bytes.is_power_of_two() {
            return Err(wrong(&format!("expected pages of 512 to 65536 bytes, got {page_bytes}")));
        }
        let (salts, sums) = ([big(wal, 16), big(wal, 20)], [big(wal, 24), big(wal, 28)]);
        let log = Self { frames: &wal[HEADER_BYTES..], page_bytes, is_big_endian, salts, sums };
        if log.sum([0, 0], &wal[..24]) != sums {
            return Err(wrong("the checksum of its header is wrong"));
        }
        Ok(log)
    }

    fn check_pages(&self, file: &[u8]) -> Result<(), Failure> {
        let Some(stored) = file.get(16..18) else { return Ok(()) };
        let of_file = match usize::from(u16::from_be_bytes([stored[0], stored[1]])) {
            1 => 65_536,
            bytes => bytes,
        };
        if of_file == self.page_bytes {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "the -wal file belongs to another database: its pages have {} bytes, those of the file {of_file}",
            self.page_bytes
        )))
    }

    fn apply(&self, file: &mut Vec<u8>) {
        let mut sums = self.sums;
        let mut waiting: Vec<(u32, &[u8])> = Vec::new();
        for frame in self.frames.chunks_exact(FRAME_HEADER_BYTES + self.page_bytes) {
            let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
            let (number, size) = (big(head, 0), big(head, 4));
            sums = self.sum(self.sum(sums, &head[..8]), page);
            let is_whole = sums == [big(head, 16), big(head, 20)];
            let is_of_log = [big(head, 8), big(head, 12)] == self.salts;
            if !is_whole || !is_of_log || number == 0 || number > PAGES_MAX {
                return;
            }
            waiting.push((number, page));
            // The last frame of a transaction says how many pages the database has.
            if size > 0 {
                let known = file.len() / self.page_bytes + self.frames.len() / self.page_bytes;
                if size as usize > known {
                    return;
                }
                self.commit(file, &waiting, size);
                waiting.clear();
            }
        }
    }

    fn commit(&self, file: &mut Vec<u8>, pages: &[(u32, &[u8])], size: u32) {
        file.resize(size as usize * self.page_bytes, 0);
        for (number, page) in pages.iter().filter(|(number, _)| *number <= size) {
            let start = (*number as usize - 1) * self.page_bytes;
            file[start..start + self.page_bytes].copy_from_slice(page);
        }
    }

    /// The checksums after more bytes, a multiple of eight.
    fn sum(&self, [mut first, mut second]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
        let word = |part: &[u8]| {
            let bytes = [part[0], part[1], part[2], part[3]];
            if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        for pair in bytes.chunks_exact(8) {
            first = first.wrapping_add(word(&pair[..4])).wrapping_add(second);
            second = second.wrapping_add(word(&pair[4..])).wrapping_add(first);
        }
        [first, second]
    }
}

fn big(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
