//! Who an object is, and where it lives in the bucket.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::store::Key;

/// The longest id, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 512;
/// The longest class name, in bytes.
pub const CLASS_BYTES_MAX: usize = 64;

/// An encoded id up to this length is one segment of the key; most file systems allow 255 bytes.
const SEGMENT_BYTES_MAX: usize = 200;

/// The identity of an object: class and id together. The same id under two classes is two objects.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    class: Arc<str>,
    id: Arc<str>,
}

impl ObjectId {
    /// The object `id` of `class`.
    ///
    /// # Errors
    ///
    /// `Invalid` when the id is empty or longer than [`ID_BYTES_MAX`], or the class is not a name: an ASCII letter or `_`, then
    /// letters, digits and `_`, at most [`CLASS_BYTES_MAX`].
    pub fn new(class: &str, id: &str) -> Result<Self> {
        if !is_class_name(class) {
            return Err(Error::invalid(format!(
                "{class:?} is not a class name: a letter or _, then letters, digits and _, at most {CLASS_BYTES_MAX} bytes"
            )));
        }
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(Error::invalid(format!("an id has 1 to {ID_BYTES_MAX} bytes, this one has {}", id.len())).with_code("BAD_ID"));
        }
        Ok(Self { class: class.into(), id: id.into() })
    }

    /// The class's name.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The id, as the user gave it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key segments of this object below `do/`: the class, then the encoded id.
    ///
    /// A class is written as it is, so that people find it; [`App`](crate::App) refuses classes that differ in case only.
    pub fn key_segments(&self) -> String {
        format!("{}/{}", self.class, encode(&self.id))
    }

    /// The object whose [`ObjectId::key_segments`] these are; `None` when they are no object's.
    pub fn from_key_segments(segments: &str) -> Option<Self> {
        let (class, id) = segments.split_once('/')?;
        let object = Self::new(class, &decode(id)?).ok()?;
        (object.key_segments() == segments).then_some(object)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.class, self.id.escape_debug())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether `text` can name a class.
pub fn is_class_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= CLASS_BYTES_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The organisation and tenant whose objects a server serves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant {
    prefix: Key,
    outbox: Key,
}

impl Tenant {
    /// The tenant `tenant` of the organisation `org`.
    ///
    /// # Errors
    ///
    /// `Invalid` when one of both is empty or longer than 200 bytes once encoded.
    pub fn new(org: &str, tenant: &str) -> Result<Self> {
        for name in [org, tenant] {
            if name.is_empty() || escape(name).len() > SEGMENT_BYTES_MAX {
                return Err(Error::invalid(format!("an organisation or tenant has 1 to {SEGMENT_BYTES_MAX} bytes, got {name:?}")));
            }
        }
        let root = Key::new(format!("{}/{}", escape(org), escape(tenant)));
        Ok(Self { prefix: root.join("do"), outbox: root.join("outbox") })
    }

    /// The key below which everything of this tenant's objects lives: `{org}/{tenant}/do`.
    pub fn prefix(&self) -> &Key {
        &self.prefix
    }

    /// The key below which hints say which of this tenant's objects have messages to deliver: `{org}/{tenant}/outbox`.
    pub(crate) fn outbox(&self) -> &Key {
        &self.outbox
    }

    /// The key below which everything of `object` lives, and nothing else.
    pub fn object_prefix(&self, object: &ObjectId) -> Key {
        self.prefix.join(object.key_segments())
    }
}

/// Encodes an id: readable when it is short, base64url cut into segments when it is long.
///
/// No encoded id is a prefix folder of another: a short one is one segment that never starts with `_`, a long one starts with a
/// segment `_n` that says how many follow.
fn encode(id: &str) -> String {
    let short = escape(id);
    if short.len() <= SEGMENT_BYTES_MAX {
        return short;
    }
    let long = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, id);
    let chunks: Vec<&str> =
        (0..long.len()).step_by(SEGMENT_BYTES_MAX).map(|at| &long[at..long.len().min(at + SEGMENT_BYTES_MAX)]).collect();
    format!("_{}/{}", chunks.len(), chunks.join("/"))
}

/// The inverse of [`encode`].
fn decode(text: &str) -> Option<String> {
    let Some(long) = text.strip_prefix('_') else {
        return unescape(text);
    };
    let (count, chunks) = long.split_once('/')?;
    if count.parse::<usize>().ok()? != chunks.split('/').count() {
        return None;
    }
    let joined = chunks.replace('/', "");
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, joined).ok()?;
    String::from_utf8(bytes).ok()
}

/// Keeps lower-case ASCII letters, digits, `-` and (not in front) `_`; every other byte becomes `.` and two lower-case hex digits.
///
/// Upper-case letters are escaped too, because some file systems take `A` and `a` for the same name.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => out.push(char::from(byte)),
            b'_' if at > 0 => out.push('_'),
            _ => out.push_str(&format!(".{byte:02x}")),
        }
    }
    out
}

/// The inverse of [`escape`]; `None` for what it never produces.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = if first == b'.' {
            let hex = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(hex, 16).ok()?);
            &tail[2..]
        } else {
            bytes.push(first);
            tail
        };
    }
    let decoded = String::from_utf8(bytes).ok()?;
    (escape(&decoded) == text).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_readable_id_stays_readable() {
        let object = ObjectId::new("Counter", "user_42").expect("a good id");
        assert_eq!(object.key_segments(), "Counter/user_42");
    }

    #[test]
    fn ids_made_to_escape_stay_inside() {
        for id in ["..", "../x", "/", "\0", "a/b", "_1/abc", "_", ".", "%2e%2e", "Ａ"] {
            let object = ObjectId::new("C", id).expect("a legal id");
            let segments = object.key_segments();
            let encoded = segments.strip_prefix("C/").expect("the class comes first");
            assert!(encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{encoded}");
            assert!(!encoded.starts_with('_') && encoded != "." && encoded != "..", "{encoded}");
        }
    }

    proptest! {
        #[test]
        fn every_id_comes_back_from_its_key(id in "\\PC{1,170}|[a-z]{1,512}|[A-Z]{60,512}") {
            prop_assume!(id.len() <= ID_BYTES_MAX);
            let object = ObjectId::new("Thing", &id).expect("a legal id");
            let segments = object.key_segments();
            prop_assert!(segments.split('/').all(|segment| (1..=SEGMENT_BYTES_MAX).contains(&segment.len())));
            prop_assert_eq!(ObjectId::from_key_segments(&segments), Some(object));
        }

        #[test]
        fn no_object_lives_inside_another(a in "[a-zA-Z_/.]{1,300}", b in "[a-zA-Z_/.]{1,300}") {
            prop_assume!(a != b);
            let inner = format!("{}/", ObjectId::new("C", &a).expect("a legal id").key_segments());
            let outer = format!("{}/", ObjectId::new("C", &b).expect("a legal id").key_segments());
            prop_assert!(!inner.starts_with(&outer) && !outer.starts_with(&inner));
        }
    }
}
