//! Deflate (RFC 1951) for one message at a time, as RFC 7692, section 7.2, puts it into frames.
//!
//! Each thread keeps one compressor (some 300 KiB) and one decompressor (some 50 KiB), because to
//! make them takes longer than to use them. Nothing is awaited in between, so there are never more.

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// A level that costs little: messages wait for it.
const LEVEL: u32 = 3;

/// What ends a message, and is not sent with it.
const END: [u8; 4] = [0, 0, 0xff, 0xff];

/// The same, and a last, empty block: where that ends, the message was whole.
const END_AND_LAST: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];

/// Maximum size of a message that is kept in case it is sent to others as well, in bytes.
const LAST_BYTES_MAX: usize = 64 << 10;

/// Least memory for a message that is uncompressed, in bytes.
const PLAIN_BYTES_MIN: usize = 512;

thread_local! {
    static DEFLATE: RefCell<Option<Compressor>> = const { RefCell::new(None) };
    static INFLATE: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

/// Why a message can't be uncompressed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It is longer than it may be.
    TooLong,
    /// It is no deflate data, or ends within it.
    Invalid,
}

/// What a thread compresses with.
struct Compressor {
    window_bits: u8,
    compress: Compress,
    /// The last message, and what has become of it: a message to many is compressed once.
    last: Option<(Bytes, Option<Bytes>)>,
}

/// A message compressed with a window of 2^`window_bits` bytes, of 8 to 15; `None` if that is not
/// shorter.
pub(super) fn deflate(plain: &Bytes, window_bits: u8) -> Option<Bytes> {
    // zlib has no window of 256 bytes. With one of 512 it refers back by at most 512 - 262 bytes.
    let window_bits = window_bits.max(9);
    DEFLATE.with_borrow_mut(|kept| {
        if kept.as_ref().is_none_or(|kept| kept.window_bits != window_bits) {
            let level = Compression::new(LEVEL);
            let compress = Compress::new_with_window_bits(level, false, window_bits);
            *kept = Some(Compressor { window_bits, compress, last: None });
        }
        kept.as_mut()?.compressed(plain)
    })
}

impl Compressor {
    fn compressed(&mut self, plain: &Bytes) -> Option<Bytes> {
        // It is held, so nothing else is at its address.
        let address = |bytes: &Bytes| (bytes.as_ptr(), bytes.len());
        if let Some((last, small)) = &self.last
            && address(last) == address(plain)
        {
            return small.clone();
        }
        let small = self.compress(plain).map(Bytes::from);
        let is_kept = plain.len() <= LAST_BYTES_MAX;
        self.last = is_kept.then(|| (plain.clone(), small.clone()));
        small
    }

    fn compress(&mut self, plain: &[u8]) -> Option<Vec<u8>> {
        self.compress.reset();
        let mut small = Vec::with_capacity(plain.len());
        self.compress.compress_vec(plain, &mut small, FlushCompress::Sync).ok()?;
        // It is complete if there is still space.
        let is_shorter = small.len() < small.capacity().min(plain.len() + END.len());
        if !is_shorter || self.compress.total_in() != plain.len() as u64 || !small.ends_with(&END) {
            return None;
        }
        small.truncate(small.len() - END.len());
        Some(small)
    }
}

/// The message of up to `bytes_max` bytes that was compressed to `small`.
pub(super) fn inflate(small: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    INFLATE.with_borrow_mut(|kept| {
        let decompress = kept.get_or_insert_with(|| Decompress::new(false));
        decompress.reset(false);
        let guess = small.len().saturating_mul(3).max(PLAIN_BYTES_MIN);
        let mut plain = Vec::with_capacity(guess.min(bytes_max + 1));
        let is_last = add(decompress, small, &mut plain, bytes_max)?;
        if is_last {
            // Another block follows one that was called the last.
            decompress.reset(false);
        }
        if add(decompress, &END_AND_LAST, &mut plain, bytes_max)? {
            return Ok(plain);
        }
        Err(Failure::Invalid)
    })
}

/// Uncompresses `input` to its end. Returns whether a block that is called the last ends there.
fn add(
    decompress: &mut Decompress,
    mut input: &[u8],
    plain: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<bool, Failure> {
    let mut is_last = false;
    while !input.is_empty() {
        if is_last {
            decompress.reset(false);
        }
        if plain.len() == plain.capacity() {
            let room = (bytes_max + 1).saturating_sub(plain.len());
            plain.reserve_exact(plain.len().max(PLAIN_BYTES_MIN).min(room));
        }
        let (read, written) = (decompress.total_in(), plain.len());
        let status = decompress.decompress_vec(input, plain, FlushDecompress::None);
        is_last = status.map_err(|_| Failure::Invalid)? == Status::StreamEnd;
        let read = (decompress.total_in() - read) as usize;
        if plain.len() > bytes_max {
            return Err(Failure::TooLong);
        }
        if read == 0 && plain.len() == written && !is_last {
            return Err(Failure::Invalid);
        }
        input = &input[read..];
    }
    Ok(is_last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a decompressor with a window of 2^`bits` bytes, which is given room for one byte at a
    /// time, makes of `small`: it can't look back further than its window.
    fn with_window(small: &[u8], bits: u8) -> Vec<u8> {
        let mut decompress = Decompress::new_with_window_bits(false, bits);
        let input = [small, &END_AND_LAST].concat();
        let mut plain = Vec::new();
        loop {
            let (from, mut byte) = (decompress.total_in() as usize, [0]);
            let before = decompress.total_out();
            let status = decompress.decompress(&input[from..], &mut byte, FlushDecompress::None);
            plain.extend(&byte[..(decompress.total_out() - before) as usize]);
            if status.expect("deflate data within the window") == Status::StreamEnd {
                return plain;
            }
        }
    }

    fn text(length: usize) -> Bytes {
        let words = (0_u64..).map(|number| format!("{} and ", number * number % 977));
        words.flat_map(String::into_bytes).take(length).collect()
    }

    #[test]
    fn every_window_that_a_client_asks_for_is_kept_to() {
        for bits in 8..=15 {
            for length in [60, 255, 256, 257, 300, 5000, 70_000] {
                let plain = text(length);
                let small = deflate(&plain, bits).expect("shorter");
                assert!(small.len() < plain.len());
                assert!(
                    inflate(&small, plain.len()).as_deref() == Ok(&plain[..]),
                    "{bits}, {length}"
                );
                assert!(with_window(&small, bits.max(9)) == plain, "{bits}, {length}");
            }
        }
    }

    #[test]
    fn the_smallest_window_is_kept_to() {
        let mut state = 1_u32;
        let mut noise = |length| -> Vec<u8> {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            (0..length).map(|_| next()).collect()
        };
        // It repeats at this distance only.
        for (distance, is_within) in [(200, true), (250, true), (257, false), (300, false)] {
            let plain = noise(distance).repeat(2).into();
            assert_eq!(deflate(&plain, 8).is_some(), is_within, "{distance}");
            assert!(deflate(&plain, 10).is_some(), "{distance}");
        }
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        let hello = &b"Hello"[..];
        // RFC 7692, section 7.2.3: a block, one without compression, one that is called the last,
        // and two blocks.
        for small in [
            &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
            &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        ] {
            assert_eq!(inflate(small, 5).as_deref(), Ok(hello), "{small:x?}");
            assert_eq!(inflate(small, 4), Err(Failure::TooLong), "{small:x?}");
        }
        assert_eq!(inflate(&[0], 0), Ok(Vec::new()), "section 7.2.3.6: an empty message");
        assert_eq!(inflate(&[1], 0), Ok(Vec::new()), "a last block that is empty");
    }

    #[test]
    fn what_does_not_become_shorter_is_not_compressed() {
        for plain in [&b""[..], b"x", b"Hello", &[0x9e, 0x37, 0x79, 0xb9, 0x7f, 0x4a, 0x7c, 0x15]] {
            assert_eq!(deflate(&plain.to_vec().into(), 15), None, "{plain:x?}");
        }
    }

    #[test]
    fn a_message_is_not_uncompressed_further_than_its_limit() {
        let plain = Bytes::from(vec![0; 2 << 20]);
        let bomb = deflate(&plain, 15).expect("shorter");
        assert!(bomb.len() < 1 << 14);
        assert_eq!(inflate(&bomb, 1 << 20), Err(Failure::TooLong));
        assert_eq!(inflate(&bomb, plain.len() - 1), Err(Failure::TooLong));
        assert_eq!(inflate(&bomb, plain.len()).map(|plain| plain.len()), Ok(plain.len()));
    }

    #[test]
    fn a_message_that_ends_too_early_is_noticed_wherever_it_ends() {
        let small = deflate(&text(500), 15).expect("shorter");
        for end in 0..small.len() {
            assert_eq!(inflate(&small[..end], 1 << 20), Err(Failure::Invalid), "{end}");
        }
        for rest in [&[0xff][..], &[0x02], &[0x00, 0x01], b"Hello"] {
            let longer = [&small[..], rest].concat();
            assert_eq!(inflate(&longer, 1 << 20), Err(Failure::Invalid), "{rest:x?}");
        }
    }

    #[test]
    fn a_message_to_many_is_compressed_once() {
        let (one, other) = (text(3000), text(3000));
        let first = deflate(&one, 15).expect("shorter");
        let again = deflate(&one.clone(), 15).expect("shorter");
        assert_eq!(again.as_ptr(), first.as_ptr());
        assert_ne!(deflate(&other, 15).expect("shorter").as_ptr(), first.as_ptr());
        assert_eq!(
            deflate(&one.slice(..200), 15).map(|small| inflate(&small, 200)),
            Some(Ok(one[..200].to_vec()))
        );
        let narrow = deflate(&one, 9).expect("shorter");
        assert_eq!(inflate(&narrow, 3000).as_deref(), Ok(&one[..]));
    }

    proptest! {
        #[test]
        fn what_is_compressed_is_read_again(
            pieces in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..40), 1_usize..200),
                0..20,
            ),
            bits in 8_u8..=15,
        ) {
            let plain: Vec<u8> =
                pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
            if let Some(small) = deflate(&plain.clone().into(), bits) {
                prop_assert!(small.len() < plain.len());
                prop_assert_eq!(inflate(&small, plain.len()), Ok(plain.clone()));
                prop_assert_eq!(with_window(&small, bits.max(9)), plain);
            }
        }

        #[test]
        fn anything_is_read_or_refused(small in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(plain) = inflate(&small, 2000) {
                prop_assert!(plain.len() <= 2000);
            }
        }
    }
}
