//! Thrift's compact protocol, as far as Parquet's headers need it: every number in a structure, with
//! the path of fields that leads to it
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).
//!
//! The library that reads Parquet allocates as many elements as a list claims to have. This walks
//! over the bytes, allocates nothing, and refuses a list that is longer than what follows.

/// Structures within each other: Parquet's own are seven deep.
const DEPTH_MAX: usize = 16;

/// Called with the fields that lead to a number, outermost first, and with the number; or with the
/// path of a list and its length.
pub(super) type Seen<'s> = dyn FnMut(&[i16], i64) -> Option<()> + 's;

/// Walks over the structure at the beginning of `bytes`, and returns how many bytes it has; `None`
/// when it is none.
pub(super) fn walk(bytes: &[u8], seen: &mut Seen<'_>) -> Option<usize> {
    let mut walk = Walk { rest: bytes, path: [0; DEPTH_MAX], depth: 0 };
    walk.structure(seen)?;
    Some(bytes.len() - walk.rest.len())
}

struct Walk<'a> {
    rest: &'a [u8],
    path: [i16; DEPTH_MAX],
    depth: usize,
}

/// The types of fields and elements.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCTURE: u8 = 12;

impl Walk<'_> {
    fn structure(&mut self, seen: &mut Seen<'_>) -> Option<()> {
        let level = self.depth;
        if level == DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let mut id: i16 = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                self.depth = level;
                return Some(());
            }
            id = match head >> 4 {
                0 => i16::try_from(self.number()?).ok()?,
                step => id.checked_add(i16::from(step))?,
            };
            self.path[level] = id;
            match head & 0x0f {
                TRUE | FALSE => {}
                kind => self.value(kind, seen)?,
            }
        }
    }

    fn value(&mut self, kind: u8, seen: &mut Seen<'_>) -> Option<()> {
        match kind {
            TRUE | FALSE | BYTE => self.skip(1),
            I16..=I64 => {
                let number = self.number()?;
                seen(&self.path[..self.depth], number)
            }
            DOUBLE => self.skip(8),
            BINARY => {
                let length = self.varint()?;
                self.skip(usize::try_from(length).ok()?)
            }
            LIST | SET => self.list(seen),
            STRUCTURE => self.structure(seen),
            _ => None,
        }
    }

    fn list(&mut self, seen: &mut Seen<'_>) -> Option<()> {
        let head = self.byte()?;
        let length = match head >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            short => usize::from(short),
        };
        // Every element has at least one byte.
        if length > self.rest.len() {
            return None;
        }
        seen(&self.path[..self.depth], i64::try_from(length).ok()?)?;
        (0..length).try_for_each(|_| self.value(head & 0x0f, seen))
    }

    /// A number in zigzag form.
    fn number(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.rest = self.rest.get(count..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number, and the ids of the fields that lead to it.
    type Found = (Vec<i16>, i64);

    fn numbers(bytes: &[u8]) -> Option<(usize, Vec<Found>)> {
        let mut found = Vec::new();
        let length = walk(bytes, &mut |path, number| {
            found.push((path.to_vec(), number));
            Some(())
        })?;
        Some((length, found))
    }

    #[test]
    fn numbers_are_found_with_their_paths() {
        // Field 1: the number 3; field 3: a list of two structures that have -1 and 1 as field 2;
        // field 4: true.
        let bytes = [0x15, 6, 0x29, 0x2c, 0x25, 1, 0, 0x25, 2, 0, 0x11, 0, 99];
        assert_eq!(
            numbers(&bytes),
            Some((12, vec![(vec![1], 3), (vec![3], 2), (vec![3, 2], -1), (vec![3, 2], 1)]))
        );
    }

    #[test]
    fn a_list_that_claims_more_than_follows_is_refused() {
        assert_eq!(numbers(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0]), None);
        let deep = [0x1c; 100];
        assert_eq!(numbers(&deep), None, "structures within each other");
        assert_eq!(numbers(&[0x15]), None, "a number that is not there");
        assert_eq!(numbers(&[0x18, 0x7f, 1]), None, "a text that is not there");
    }
}
