//! Ids of objects as Cloudflare has them: 64 hexadecimal digits that belong to a class, made of a
//! name or at random.
//!
//! Promises: the same class and name always have the same id; an id of one class is none of another.

/// Number of digits that say which object of the class it is; the others say of which class.
const OBJECT_DIGITS: usize = 48;
/// Number of all digits.
pub(crate) const DIGITS: usize = 64;

const OF_NAME: &str = "dotdo 2026-11 durable object id of a name";
const OF_CLASS: &str = "dotdo 2026-11 durable object id of a class";

/// The id of `name` in `class`.
pub(crate) fn of_name(class: &str, name: &str) -> String {
    let mut hash = blake3::Hasher::new_derive_key(OF_NAME);
    // A class name has no NUL.
    hash.update(class.as_bytes()).update(&[0]).update(name.as_bytes());
    complete(class, &hash.finalize().to_hex()[..OBJECT_DIGITS])
}

/// The id of `class` that these random bytes make.
pub(crate) fn of_random(class: &str, bytes: &[u8]) -> String {
    let mut digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(OBJECT_DIGITS);
    complete(class, &digits)
}

/// Whether `id` is one of `class`.
pub(crate) fn is_of(class: &str, id: &str) -> bool {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    id.len() == DIGITS && id.bytes().all(is_hex) && complete(class, &id[..OBJECT_DIGITS]) == id
}

fn complete(class: &str, object: &str) -> String {
    let mut hash = blake3::Hasher::new_derive_key(OF_CLASS);
    hash.update(class.as_bytes()).update(&[0]).update(object.as_bytes());
    format!("{object}{}", &hash.finalize().to_hex()[..DIGITS - OBJECT_DIGITS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_belongs_to_its_class_and_name() {
        let id = of_name("Counter", "ada");
        assert_eq!(id, of_name("Counter", "ada"));
        assert!(is_of("Counter", &id) && !is_of("Room", &id));
        assert_ne!(of_name("Counter", "bob"), id);
        assert_ne!(of_name("Room", "ada"), id);
        let random = of_random("Counter", &[7; 32]);
        assert!(is_of("Counter", &random) && !is_of("Room", &random));
        let mut other = id.clone().into_bytes();
        other[0] = if other[0] == b'0' { b'1' } else { b'0' };
        assert!(!is_of("Counter", std::str::from_utf8(&other).expect("digits")));
        assert!(!is_of("Counter", &id.to_uppercase()) && !is_of("Counter", "ada"));
    }
}
