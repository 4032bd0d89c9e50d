//! What a database is in the model: the writes that were applied, in their order.

use std::fmt;

/// How many writes fit.
const CAPACITY: u32 = 16;
const BITS: u32 = 4;

/// A list of requests that write, in the order in which they were applied; also what one record
/// carries.
///
/// Appending to a list is the hardest data type to get wrong without being seen: a write that is
/// lost, applied twice or moved changes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Writes(u64);

impl Writes {
    pub(crate) fn of(request: u8) -> Self {
        let mut writes = Self::default();
        writes.push(request);
        writes
    }

    pub(crate) fn len(self) -> u8 {
        u8::try_from((u64::BITS - self.0.leading_zeros()).div_ceil(BITS)).expect("at most 16")
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn push(&mut self, request: u8) {
        let at = u32::from(self.len());
        assert!(
            at < CAPACITY && request < 15,
            "the bounds of the model are too large for its lists"
        );
        self.0 |= u64::from(request + 1) << (BITS * at);
    }

    pub(crate) fn extend(&mut self, more: Self) {
        more.iter().for_each(|request| self.push(request));
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..self.len()).map(move |at| ((self.0 >> (BITS * u32::from(at))) & 15) as u8 - 1)
    }

    pub(crate) fn contains(self, request: u8) -> bool {
        self.position(request).is_some()
    }

    pub(crate) fn position(self, request: u8) -> Option<u8> {
        self.iter().zip(0..).find(|(found, _)| *found == request).map(|(_, at)| at)
    }

    /// The first `len` writes.
    pub(crate) fn prefix(self, len: u8) -> Self {
        if u32::from(len) >= CAPACITY {
            self
        } else {
            Self(self.0 & ((1 << (BITS * u32::from(len))) - 1))
        }
    }

    pub(crate) fn is_prefix_of(self, longer: Self) -> bool {
        longer.prefix(self.len()) == self
    }

    pub(crate) fn has_one_twice(self) -> bool {
        self.iter().zip(0..).any(|(request, at)| self.position(request) != Some(at))
    }
}

impl fmt::Debug for Writes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_what_it_is_given_in_order() {
        let mut writes = Writes::of(3);
        writes.push(0);
        writes.extend(Writes::of(14));
        assert_eq!(writes.iter().collect::<Vec<_>>(), [3, 0, 14]);
        assert_eq!((writes.len(), writes.position(14), writes.position(2)), (3, Some(2), None));
        assert!(writes.prefix(2).is_prefix_of(writes) && !Writes::of(0).is_prefix_of(writes));
        assert_eq!(writes.prefix(1), Writes::of(3));
        assert!(!writes.has_one_twice());
        writes.push(3);
        assert!(writes.has_one_twice());
    }
}
