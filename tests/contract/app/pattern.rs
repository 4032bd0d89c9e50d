//! Large bodies whose every byte is known.

use bytes::Bytes;

/// After so many bytes they repeat: a prime number, so that no buffer's size divides it.
const PERIOD: usize = 65_521;

/// The first `count` bytes.
pub(crate) fn pattern(count: usize) -> Bytes {
    let period: Vec<u8> = (0..PERIOD)
        .map(|at| u8::try_from((at * 7 + at / 251) % 256).expect("the rest of a division by 256"))
        .collect();
    let mut bytes = period.repeat(count / PERIOD);
    bytes.extend_from_slice(&period[..count % PERIOD]);
    bytes.into()
}
