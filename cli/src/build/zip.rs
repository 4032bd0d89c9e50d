//! A zip file in memory, with what Lambda reads of it: names, permissions, and deflated contents.
//! Equal contents make equal bytes: there are no times in it.

use std::io::Write as _;

use flate2::Compression;
use flate2::Crc;
use flate2::write::DeflateEncoder;

use crate::failure::Failure;

/// Version 2.0 of the format, which has deflation.
const VERSION: u16 = 20;
/// The system whose permissions the directory has: Unix.
const UNIX: u16 = 3 << 8;
/// The method of an entry.
const DEFLATED: u16 = 8;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
/// 1980-01-01, the first day of the format.
const DAY: u16 = (1 << 5) | 1;

/// A zip file that grows.
#[derive(Default)]
pub(super) struct Zip {
    out: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    /// Adds a file with these permissions.
    ///
    /// # Errors
    ///
    /// `Failed` when there are more files or bytes than the format without extensions has.
    pub(super) fn add(&mut self, name: &str, mode: u32, content: &[u8]) -> Result<(), Failure> {
        let failed = |cause| Failure::of(&format!("can't compress {name}"), cause);
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
        let packed =
            deflated.write_all(content).and_then(|()| deflated.finish()).map_err(failed)?;
        let mut sum = Crc::new();
        sum.update(content);
        let offset = number(self.out.len())?;
        let common = [
            &FLAGS.to_le_bytes()[..],
            &DEFLATED.to_le_bytes(),
            &[0; 2],
            &DAY.to_le_bytes(),
            &sum.sum().to_le_bytes(),
            &number(packed.len())?.to_le_bytes(),
            &number(content.len())?.to_le_bytes(),
            &u16::try_from(name.len()).map_err(|_| too_large())?.to_le_bytes(),
            &[0; 2],
        ]
        .concat();
        self.out
            .extend([b"PK\x03\x04", &VERSION.to_le_bytes()[..], &common, name.as_bytes()].concat());
        self.out.extend(packed);
        let permissions = (0o100_000 | mode) << 16;
        self.directory.extend(
            [
                b"PK\x01\x02",
                &(UNIX | VERSION).to_le_bytes()[..],
                &VERSION.to_le_bytes(),
                &common,
                &[0; 6],
                &permissions.to_le_bytes(),
                &offset.to_le_bytes(),
                name.as_bytes(),
            ]
            .concat(),
        );
        self.count = self.count.checked_add(1).ok_or_else(too_large)?;
        Ok(())
    }

    /// The whole file.
    ///
    /// # Errors
    ///
    /// `Failed` when it is too large for the format without extensions.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Failure> {
        let (start, size) = (number(self.out.len())?, number(self.directory.len())?);
        self.out.extend(self.directory);
        let count = self.count.to_le_bytes();
        let end = [
            b"PK\x05\x06",
            &[0; 4][..],
            &count,
            &count,
            &size.to_le_bytes(),
            &start.to_le_bytes(),
            &[0; 2],
        ];
        self.out.extend(end.concat());
        Ok(self.out)
    }
}

fn number(length: usize) -> Result<u32, Failure> {
    u32::try_from(length).map_err(|_| too_large())
}

fn too_large() -> Failure {
    Failure::Failed("expected a zip file of less than 4 GiB and 65,536 files, got more".to_owned())
}
