//! Identities of objects, and the segments of their keys.

use std::fmt;
use std::sync::Arc;

use super::SEGMENT_BYTES_MAX;
use super::tenant::Tenant;
use crate::error::{Error, Result};
use crate::segment::{escape_beginning, is_device, shorten, unescape};
use crate::store::Key;

/// Maximum length of an id, in bytes of UTF-8.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{ID_BYTES_MAX, Tenant};
///
/// let tenant = Tenant::local();
/// assert!(tenant.object("Page", &"a".repeat(ID_BYTES_MAX)).is_ok());
/// let error = tenant.object("Page", &"a".repeat(ID_BYTES_MAX + 1)).unwrap_err();
/// assert_eq!(error.code(), "BAD_ID");
/// ```
pub const ID_BYTES_MAX: usize = 512;
/// Maximum length of a class name, in bytes.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::{CLASS_BYTES_MAX, is_class_name};
///
/// assert!(is_class_name(&"A".repeat(CLASS_BYTES_MAX)));
/// assert!(!is_class_name(&"A".repeat(CLASS_BYTES_MAX + 1)));
/// ```
pub const CLASS_BYTES_MAX: usize = 64;

/// Length of the readable part of a long id, and of the hash that follows, in bytes.
const BEGINNING_BYTES: usize = 64;
const HASH_DIGITS: usize = 64;

const _: () = assert!(BEGINNING_BYTES + ".-".len() + HASH_DIGITS <= SEGMENT_BYTES_MAX);

/// The identity of an object: tenant, class and id together. [`Tenant::object`] makes it.
///
/// ```
/// # mod dotdo { pub use dotdo_core::*; pub mod identity { pub use dotdo_core::*; } }
/// use dotdo::identity::Tenant;
///
/// let object = Tenant::local().object("Account", "bob/savings")?;
/// assert_eq!((object.class(), object.id()), ("Account", "bob/savings"));
/// assert!(Tenant::local().object("Account", "").is_err());
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    tenant: Tenant,
    class: Arc<str>,
    id: Arc<str>,
}

impl ObjectId {
    /// The object `id` of `class` of `tenant`; its errors are those of [`Tenant::object`].
    pub(super) fn new(tenant: Tenant, class: &str, id: &str) -> Result<Self> {
        if !is_class_name(class) {
            return Err(Error::invalid(format!(
                "expected a class name (a letter or _, then letters, digits and _, at most {CLASS_BYTES_MAX} bytes), got {class:?}"
            )));
        }
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(Error::invalid(format!(
                "expected an id of 1 to {ID_BYTES_MAX} bytes, got {}",
                id.len()
            ))
            .with_code("BAD_ID"));
        }
        Ok(Self { tenant, class: class.into(), id: id.into() })
    }

    /// The object of `tenant` with these [`ObjectId::key_segments`], as
    /// [`Tenant::object_at`] says.
    pub(super) fn at(tenant: Tenant, segments: &str) -> Option<Self> {
        let (class, id) = segments.split_once('/')?;
        let object = Self::new(tenant, &class_of_segment(class), &unescape(id)?).ok()?;
        (object.key_segments() == segments).then_some(object)
    }

    /// Whose object it is.
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The class's name: the first one that it has had ([`App::renamed`](crate::App::renamed)),
    /// under which its objects are stored.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// The object of `class` with the same id and tenant; `class` is the name of one.
    pub(super) fn of_class(&self, class: &str) -> Self {
        Self { class: class.into(), ..self.clone() }
    }

    /// The id as it was given.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key segments of this object below its tenant's `do/`: the class, then the id.
    ///
    /// They have no upper-case letters, and those of different objects of a tenant differ: some
    /// file systems treat `A` and `a` as the same.
    pub fn key_segments(&self) -> String {
        format!(
            "{}/{}",
            class_segment(&self.class),
            shorten(&self.id, SEGMENT_BYTES_MAX, BEGINNING_BYTES, HASH_DIGITS)
        )
    }

    /// The prefix of all keys of this object, and of no others.
    pub fn prefix(&self) -> Key {
        self.tenant.prefix().join(format_args!("do/{}", self.key_segments()))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.tenant.is_local() {
            write!(f, "{}/", self.tenant)?;
        }
        write!(f, "{}/{}", self.class, self.id.escape_debug())
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the key segments of all ids begin that begin with `prefix`; empty where these have no
/// beginning in common.
pub(crate) fn id_segments_begin(prefix: &str) -> String {
    let mut begin = escape_beginning(prefix).unwrap_or_default();
    begin.truncate(BEGINNING_BYTES);
    begin
}

/// Whether `text` is a valid class name: a letter or `_`, then letters, digits and `_` of ASCII, at
/// most [`CLASS_BYTES_MAX`] bytes.
///
/// ```
/// # use dotdo_core::testing::examples::dotdo;
/// use dotdo::engine::is_class_name;
///
/// assert!(is_class_name("ChatRoom"));
/// assert!(!is_class_name("chat-room") && !is_class_name("2nd") && !is_class_name(""));
/// ```
pub fn is_class_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= CLASS_BYTES_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The class whose objects' keys begin with this segment; `None` for what is no class's.
pub(crate) fn class_at(segment: &str) -> Option<String> {
    let class = class_of_segment(segment);
    (is_class_name(&class) && class_segment(&class) == segment).then_some(class)
}

/// A class's name in lower case: `ChatRoom` is `chat-room`.
///
/// A capital in front is the rule and every further one is marked by `-`; so is a lower-case letter
/// in front, and what would be the name of a device on Windows has a `-` at its end.
pub(crate) fn class_segment(class: &str) -> String {
    let mut out = String::with_capacity(2 * class.len());
    for (at, letter) in class.char_indices() {
        if (at == 0 && letter.is_ascii_lowercase()) || (at > 0 && letter.is_ascii_uppercase()) {
            out.push('-');
        }
        out.push(letter.to_ascii_lowercase());
    }
    if is_device(&out) {
        out.push('-');
    }
    out
}

/// The name whose [`class_segment`] this is, or one that has another.
fn class_of_segment(segment: &str) -> String {
    let capital = |letter: char| letter.to_ascii_uppercase();
    let mut letters = segment.chars();
    let mut out = String::with_capacity(segment.len());
    match letters.next() {
        Some('-') => out.extend(letters.next()),
        first => out.extend(first.map(capital)),
    }
    while let Some(letter) = letters.next() {
        match letter {
            '-' => out.extend(letters.next().map(capital)),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::segment::escape;

    fn key(class: &str, id: &str) -> String {
        Tenant::local().object(class, id).expect("legal names").key_segments()
    }

    #[test]
    fn readable_names_stay_readable() {
        for (class, id, segments) in [
            ("Counter", "user_42", "counter/user_42"),
            ("ChatRoom", "lobby", "chat-room/lobby"),
            ("DO", "alice", "d-o/alice"),
            ("counter", "Alice", "-counter/.41lice"),
            ("chat_room", "_a", "-chat_room/_a"),
            ("_Chat", "a/b", "_-chat/a.2fb"),
            ("Con", "con", "con-/.63on"),
            ("Com1", "a.", "com1-/a.2e"),
            ("con", "..", "-con/.2e.2e"),
        ] {
            assert_eq!(key(class, id), segments);
        }
    }

    #[test]
    fn ids_made_to_escape_stay_inside() {
        for id in ["..", "../x", "/", "\0", "a/b", "_1/abc", "_", ".", "%2e%2e", "Ａ"] {
            let segments = key("C", id);
            let encoded = segments.strip_prefix("c/").expect("the class comes first");
            assert!(
                encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
                "{encoded}"
            );
            assert!(encoded != "." && encoded != "..", "{encoded}");
        }
    }

    /// What file systems that ignore case or normalise Unicode make of a name.
    fn folded(segments: &str) -> String {
        segments.to_lowercase().to_ascii_lowercase()
    }

    #[test]
    fn ids_that_differ_in_case_only_never_share_a_folder() {
        // In base64, `!!Z` and `!!@` are `ISFa` and `ISFA`.
        let long = |end: &str| format!("{}{end}", "~".repeat(99));
        for (one, other) in
            [("Alice", "alice"), (&long("!!Z"), &long("!!@")), (&"a".repeat(512), &"A".repeat(512))]
        {
            assert_ne!(folded(&key("C", one)), folded(&key("C", other)));
        }
        assert_ne!(folded(&key("Counter", "a")), folded(&key("counter", "a")));
        assert_ne!(folded(&key("ChatRoom", "a")), folded(&key("Chatroom", "a")));
    }

    proptest! {
        #[test]
        fn every_id_comes_back_from_its_key(class in "[a-zA-Z_][a-zA-Z0-9_]{0,63}|(Con|con|COM1|aux)", id in "\\PC{1,66}|[a-z]{1,200}|[A-Z]{1,66}") {
            prop_assume!(escape(&id).len() <= SEGMENT_BYTES_MAX);
            let object = Tenant::local().object(&class, &id).expect("a legal id");
            prop_assert_eq!(Tenant::local().object_at(&object.key_segments()), Some(object));
        }

        #[test]
        fn ids_with_a_beginning_are_found_by_the_beginning_of_their_segments(id in "(con|nul|aux|com1|lpt|x)[.a-z0-9]{0,3}|[a-z/A-Z]{0,100}", at in 0_usize..100) {
            prop_assume!(!id.is_empty());
            let prefix = &id[..at.min(id.len())];
            let (begin, segments) = (id_segments_begin(prefix), key("C", &id));
            prop_assert!(segments.starts_with(&format!("c/{begin}")), "{} of {}", begin, segments);
        }

        #[test]
        fn keys_of_two_objects_differ_without_case_and_fit_a_file_system(
            (class_a, class_b) in ("[aA][bB_]?[cC]{0,2}", "[aA][bB_]?[cC]{0,2}"),
            (a, b) in ("[aA]{1,3}|[qQ~]{60,512}", "[aA]{1,3}|[qQ~]{60,512}"),
        ) {
            prop_assume!((&class_a, &a) != (&class_b, &b));
            let (one, other) = (key(&class_a, &a), key(&class_b, &b));
            prop_assert_ne!(folded(&one), folded(&other));
            prop_assert_eq!(folded(&one), one.clone());
            for segment in one.split('/') {
                prop_assert!((1..=SEGMENT_BYTES_MAX).contains(&segment.len()) && !segment.ends_with('.') && !is_device(segment), "{}", segment);
            }
            // A class and an id are a segment each, so no object lives inside another.
            prop_assert_eq!(one.split('/').count(), 2);
        }
    }
}
