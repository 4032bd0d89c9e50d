//! Deflate (RFC 1951), with the frames of zlib (RFC 1950) and gzip (RFC 1952).

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Coder, Flush, Step};

/// Memory that a coder takes, in bytes, by zlib's formulas and a little more.
pub(super) fn memory(kind: &str) -> Option<usize> {
    match kind {
        "deflate" | "gzip" | "deflate-raw" => Some(320 << 10),
        "inflate" | "gunzip" | "inflate-raw" => Some(64 << 10),
        _ => None,
    }
}

/// Size of the window, as its logarithm: what zlib allows.
fn window(bits: u32) -> u8 {
    bits.clamp(9, 15) as u8
}

pub(super) struct Deflate(Compress);

impl Deflate {
    pub(super) fn new(kind: &str, level: u32, bits: u32, dictionary: &[u8]) -> Self {
        let level = Compression::new(level.min(9));
        let mut compress = match kind {
            "gzip" => Compress::new_gzip(level, window(bits)),
            _ => Compress::new_with_window_bits(level, kind == "deflate", window(bits)),
        };
        // It fails in the frame of gzip only, which has none.
        if !dictionary.is_empty() && kind != "gzip" {
            let _ = compress.set_dictionary(dictionary);
        }
        Self(compress)
    }
}

impl Coder for Deflate {
    fn step(&mut self, input: &[u8], output: &mut [u8], flush: Flush) -> Result<Step, String> {
        let (read, written) = (self.0.total_in(), self.0.total_out());
        let flush = match flush {
            Flush::None => FlushCompress::None,
            Flush::Sync => FlushCompress::Sync,
            Flush::Full => FlushCompress::Full,
            Flush::Finish => FlushCompress::Finish,
        };
        let status = self.0.compress(input, output, flush);
        let status =
            status.map_err(|error| error.message().unwrap_or("stream error").to_owned())?;
        Ok(Step {
            read: (self.0.total_in() - read) as usize,
            written: (self.0.total_out() - written) as usize,
            is_ended: status == Status::StreamEnd,
        })
    }
}

pub(super) struct Inflate {
    decompress: Decompress,
    dictionary: Vec<u8>,
}

impl Inflate {
    pub(super) fn new(kind: &str, bits: u32, dictionary: Vec<u8>) -> Self {
        let mut decompress = match kind {
            "gunzip" => Decompress::new_gzip(window(bits)),
            _ => Decompress::new_with_window_bits(kind == "inflate", window(bits)),
        };
        if kind == "inflate-raw" && !dictionary.is_empty() {
            let _ = decompress.set_dictionary(&dictionary);
        }
        Self { decompress, dictionary }
    }
}

impl Coder for Inflate {
    fn step(&mut self, input: &[u8], output: &mut [u8], flush: Flush) -> Result<Step, String> {
        let (read, written) = (self.decompress.total_in(), self.decompress.total_out());
        let flush = match flush {
            Flush::None => FlushDecompress::None,
            _ => FlushDecompress::Sync,
        };
        let mut status = self.decompress.decompress(input, output, flush);
        if status.as_ref().is_err_and(|error| error.needs_dictionary().is_some()) {
            if self.dictionary.is_empty() {
                return Err("Missing dictionary".to_owned());
            }
            if self.decompress.set_dictionary(&self.dictionary).is_err() {
                return Err("Bad dictionary".to_owned());
            }
            let rest = &input[(self.decompress.total_in() - read) as usize..];
            status = self.decompress.decompress(rest, output, flush);
        }
        let status =
            status.map_err(|error| error.message().unwrap_or("invalid data").to_owned())?;
        Ok(Step {
            read: (self.decompress.total_in() - read) as usize,
            written: (self.decompress.total_out() - written) as usize,
            is_ended: status == Status::StreamEnd,
        })
    }
}
