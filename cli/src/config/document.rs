//! A file with settings as its user wrote it: a change keeps comments, blanks and order.
//!
//! Promises: the file is replaced as a whole or not at all; a user's file with a secret is of its
//! user alone (0600).

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use dotdo::commands::{KnownSetting, SettingShape};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value};

use super::place::File;
use crate::failure::Failure;

/// The text for an empty list.
const EMPTY_LIST: &str = "none";

/// A file with settings.
pub(super) struct Document(DocumentMut);

impl Document {
    /// Reads a file; one that is not there is empty.
    ///
    /// # Errors
    ///
    /// `Usage` when it is not TOML, `Failed` when it can't be read.
    pub(super) fn read(file: &File) -> Result<Self, Failure> {
        let text = match fs::read_to_string(file.path()) {
            Ok(text) => text,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => String::new(),
            Err(cause) => return Err(Failure::of(&format!("can't read {}", file.name()), cause)),
        };
        Self::parse(&text).map_err(|why| {
            Failure::Usage(format!("{}, {why}; correct it, then try again", file.name()))
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|cause: toml_edit::TomlError| {
            // The parser's own report quotes the line, which may hold a secret.
            let start = cause.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("line {line}: {}", cause.message())
        })
    }

    /// The value of a setting as text.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        let mut item = self.0.as_item();
        for part in key.split('.') {
            item = item.get(part)?;
        }
        text_of(item.as_value()?)
    }

    /// Sets a setting.
    ///
    /// # Errors
    ///
    /// `Usage` when a table is needed where the file has a value.
    pub(super) fn set(
        &mut self,
        key: &str,
        text: &str,
        shape: SettingShape,
    ) -> Result<(), Failure> {
        let (tables, last) = key.rsplit_once('.').unwrap_or(("", key));
        let mut table: &mut dyn TableLike = self.0.as_table_mut();
        for part in tables.split('.').filter(|part| !part.is_empty()) {
            let item = table.entry(part).or_insert_with(|| Item::Table(Table::new()));
            table = item.as_table_like_mut().ok_or_else(|| {
                Failure::Usage(format!(
                    "the file has a value for {part}, and {key} needs a table there; remove that first"
                ))
            })?;
        }
        let mut value = value_of(text, shape);
        match table.get_mut(last).and_then(Item::as_value_mut) {
            Some(old) => {
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            None => {
                table.insert(last, Item::Value(value));
            }
        }
        Ok(())
    }

    /// Removes a setting, and a table that is empty afterwards; whether it was there.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        remove(self.0.as_table_mut(), key)
    }

    /// Whether any setting in it is a secret.
    pub(super) fn has_secret(&self) -> bool {
        let mut keys = Vec::new();
        collect(self.0.as_table(), "", &mut keys);
        let is_secret =
            |key: &String| KnownSetting::named(key).is_ok_and(|setting| setting.is_secret());
        keys.iter().any(is_secret)
    }

    /// Replaces the file.
    ///
    /// # Errors
    ///
    /// `Failed` when it can't be written; it is then as before.
    pub(super) fn write(&self, file: &File, has_secret: bool) -> Result<(), Failure> {
        let failed = |cause: io::Error| Failure::of(&format!("can't write {}", file.name()), cause);
        // A link stays a link.
        let path = fs::canonicalize(file.path()).unwrap_or_else(|_| file.path().to_owned());
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if let File::User(_) = file {
            make_private(&folder).map_err(failed)?;
        }
        let mut draft =
            tempfile::Builder::new().prefix(".config-").tempfile_in(&folder).map_err(failed)?;
        draft.write_all(self.0.to_string().as_bytes()).map_err(failed)?;
        let is_private = has_secret && matches!(file, File::User(_));
        set_mode(draft.as_file(), &path, is_private).map_err(failed)?;
        draft.as_file().sync_all().map_err(failed)?;
        draft.persist(&path).map_err(|cause| failed(cause.error))?;
        Ok(())
    }
}

/// Creates the user's folder, closed to others.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The permissions of the file that is replaced, or those that a new file has.
#[cfg(unix)]
fn set_mode(draft: &fs::File, path: &Path, is_private: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let before = fs::metadata(path).map(|found| found.permissions().mode() & 0o777);
    let mode = if is_private { 0o600 } else { before.unwrap_or(0o644) };
    draft.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &fs::File, _: &Path, _: bool) -> io::Result<()> {
    Ok(())
}

fn value_of(text: &str, shape: SettingShape) -> Value {
    match (shape, text) {
        (SettingShape::Number, text) => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => text.into(),
        },
        (SettingShape::Switch, "true" | "1") => true.into(),
        (SettingShape::Switch, _) => false.into(),
        (SettingShape::List, EMPTY_LIST) => Array::new().into(),
        (SettingShape::List, text) => text.split(',').map(str::trim).collect::<Array>().into(),
        _ => text.into(),
    }
}

fn text_of(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.value().clone(),
        Value::Integer(number) => number.value().to_string(),
        Value::Boolean(on) => on.value().to_string(),
        Value::Array(items) if items.is_empty() => EMPTY_LIST.to_owned(),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str()).collect::<Option<Vec<_>>>()?.join(",")
        }
        _ => return None,
    })
}

fn remove(table: &mut dyn TableLike, key: &str) -> bool {
    let Some((first, rest)) = key.split_once('.') else {
        return table.remove(key).is_some();
    };
    let Some(inner) = table.get_mut(first).and_then(Item::as_table_like_mut) else {
        return false;
    };
    let removed = remove(inner, rest);
    if removed && inner.is_empty() {
        table.remove(first);
    }
    removed
}

/// The keys of all values.
fn collect(table: &dyn TableLike, prefix: &str, keys: &mut Vec<String>) {
    for (name, item) in table.iter() {
        let key = format!("{prefix}{name}");
        match item.as_table_like() {
            Some(inner) => collect(inner, &format!("{key}."), keys),
            None => keys.push(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Where it is.
storage = \"./state\" # for now

# How often.
[checkpoint]
min_changes = 7 # few

[aws]
# The key.
access_key_id = \"id\"
";

    fn document(text: &str) -> Document {
        Document::parse(text).expect("it is TOML")
    }

    fn set(document: &mut Document, key: &str, value: &str, shape: SettingShape) {
        document.set(key, value, shape).unwrap_or_else(|failure| panic!("{}", failure.message()));
    }

    #[test]
    fn a_change_keeps_comments_and_order() {
        let mut document = document(TEXT);
        set(&mut document, "storage", "s3://b", SettingShape::Text);
        set(&mut document, "checkpoint.min_changes", "8", SettingShape::Number);
        set(&mut document, "cors.origins", "https://a, https://b", SettingShape::List);
        assert!(document.remove("aws.access_key_id") && !document.remove("aws.region"));
        let expected = "\
# Where it is.
storage = \"s3://b\" # for now

# How often.
[checkpoint]
min_changes = 8 # few

[cors]
origins = [\"https://a\", \"https://b\"]
";
        assert_eq!(document.0.to_string(), expected);
        assert_eq!(document.get("cors.origins").as_deref(), Some("https://a,https://b"));
        assert_eq!(document.get("checkpoint.min_changes").as_deref(), Some("8"));
        assert_eq!(document.get("checkpoint"), None);
    }

    #[test]
    fn values_are_written_in_their_own_types() {
        let mut document = document("");
        for (key, value, shape) in [
            ("port", "80", SettingShape::Number),
            ("allow_unauthenticated", "1", SettingShape::Switch),
            ("cors.origins", "none", SettingShape::List),
            ("log.level", "a\"b\n", SettingShape::Text),
        ] {
            set(&mut document, key, value, shape);
        }
        let text = document.0.to_string();
        let table: DocumentMut = text.parse().expect("what was written can be read");
        assert_eq!(table["port"].as_integer(), Some(80));
        assert_eq!(table["allow_unauthenticated"].as_bool(), Some(true));
        assert_eq!(table["cors"]["origins"].as_array().map(Array::len), Some(0));
        assert_eq!(table["log"]["level"].as_str(), Some("a\"b\n"));
    }

    #[test]
    fn a_value_in_the_place_of_a_table_is_not_replaced() {
        let mut document = document("aws = 1\n");
        let failure = document.set("aws.region", "x", SettingShape::Text).expect_err("no table");
        assert!(failure.message().contains("aws"), "{}", failure.message());
        assert_eq!(document.0.to_string(), "aws = 1\n");
    }

    #[test]
    fn what_is_no_toml_is_not_quoted() {
        let why = Document::parse("a = 1\nkey = hunter2\n").err().expect("no TOML");
        assert!(why.starts_with("line 2: ") && !why.contains("hunter2"), "{why}");
    }

    #[test]
    fn secrets_are_found_in_any_table() {
        assert!(!document(TEXT).has_secret());
        assert!(document("[r2]\nsecret_access_key = \"x\"\n").has_secret());
        assert!(document("r2 = { secret_access_key = \"x\" }\n").has_secret());
    }
}
