//! What can happen to an object in a bucket.

use bytes::Bytes;

/// What is done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The second half is gone.
    Halved,
    /// Nothing is left.
    Emptied,
    /// One bit at this many hundredths of its length.
    Flipped(usize),
    /// The last byte is gone.
    Shortened,
    /// It has the content of another object's.
    Exchanged,
    /// It is gone.
    Deleted,
}

impl Damage {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Halved,
        Self::Emptied,
        Self::Flipped(0),
        Self::Flipped(40),
        Self::Flipped(99),
        Self::Shortened,
        Self::Exchanged,
        Self::Deleted,
    ];

    /// The content `whole` with this damage; `None` when it is to be deleted. `other` is what another
    /// object has in its place.
    pub fn of(self, whole: &Bytes, other: &Bytes) -> Option<Bytes> {
        Some(match self {
            Self::Halved => whole.slice(..whole.len() / 2),
            Self::Emptied => Bytes::new(),
            Self::Flipped(hundredths) => {
                let mut bytes = whole.to_vec();
                let at = bytes.len() * hundredths / 100;
                bytes[at] ^= 1 << (at % 8);
                bytes.into()
            }
            Self::Shortened => whole.slice(..whole.len() - 1),
            Self::Exchanged => other.clone(),
            Self::Deleted => return None,
        })
    }
}
