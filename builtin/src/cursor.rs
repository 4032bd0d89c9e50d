//! Cursors of lists: the key of the last item, in an opaque form.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dotdo::{Error, Result};

use super::fields::{Collection, Object};

/// The key of the last item of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cursor {
    /// Things are listed by id and branch, so that a page does not move when one of them changes.
    Thing(String, String),
    /// The others are listed in the order in which they came.
    Row(i64),
}

impl Cursor {
    /// The cursor after `item`, whose row has the number `rowid`.
    pub(super) fn after(collection: Collection, item: &Object, rowid: i64) -> Self {
        let text = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        match collection {
            Collection::Things => Self::Thing(text("id"), text("branch")),
            _ => Self::Row(rowid),
        }
    }

    /// The cursor as clients get it.
    pub(super) fn text(&self) -> String {
        let json = match self {
            Self::Thing(id, branch) => serde_json::json!([id, branch]),
            Self::Row(rowid) => serde_json::json!(rowid),
        };
        URL_SAFE_NO_PAD.encode(json.to_string())
    }

    /// Reads what [`Cursor::text`] wrote for this collection.
    ///
    /// # Errors
    ///
    /// `Invalid` for anything else.
    pub(super) fn read(collection: Collection, text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let cursor = bytes.and_then(|bytes| match collection {
            Collection::Things => {
                serde_json::from_slice(&bytes).ok().map(|(id, branch)| Self::Thing(id, branch))
            }
            _ => serde_json::from_slice(&bytes).ok().map(Self::Row),
        });
        let wrong = || {
            Error::invalid(format!(
                "`after`: expected the `next` of a list of {}, got something else",
                collection.name()
            ))
        };
        cursor.ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back() {
        let thing = Cursor::Thing("a\"b".into(), "main".into());
        assert_eq!(Cursor::read(Collection::Things, &thing.text()).expect("its own text"), thing);
        assert_eq!(
            Cursor::read(Collection::Events, &Cursor::Row(7).text()).expect("its own text"),
            Cursor::Row(7)
        );
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        assert!(Cursor::read(Collection::Things, &Cursor::Row(7).text()).is_err());
        assert!(Cursor::read(Collection::Events, "nonsense!").is_err());
    }
}
