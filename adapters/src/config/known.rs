//! Finds a setting by any name that people use for it: its key, its environment variables, and the
//! names in camel case that other documents use.

use dotdo_core::Result;

use super::Config;
use super::draft::{unacceptable, wrong};
use super::setting::{Kind, Setting};
use super::settings::TABLE;
use super::suggest::nearest;

/// A name for a setting that is not made from its key.
struct Alias {
    name: &'static str,
    key: &'static str,
    /// What a value begins with under the key and not under this name.
    prefix: &'static str,
}

/// Further names: a bucket of S3 in four words, and what a class sets about snapshots elsewhere.
const ALIASES: &[Alias] = &[
    Alias { name: "storage.endpoint", key: "aws.endpoint_url", prefix: "" },
    Alias { name: "storage.bucket", key: "storage", prefix: "s3://" },
    Alias { name: "storage.region", key: "aws.region", prefix: "" },
    Alias { name: "storage.access_key_id", key: "aws.access_key_id", prefix: "" },
    Alias { name: "storage.secret_access_key", key: "aws.secret_access_key", prefix: "" },
    Alias { name: "iceberg.checkpoint_interval_ms", key: "checkpoint.interval_ms", prefix: "" },
    Alias {
        name: "iceberg.min_changes_before_checkpoint",
        key: "checkpoint.min_changes",
        prefix: "",
    },
];

/// Names that other documents have and that mean nothing here, each with what to do instead.
const ABSENT: &[(&str, &str)] = &[
    (
        "iceberg.catalog",
        "there is no catalog to register with: each object's tables are files below `storage`, which Iceberg readers open by their path (docs/FORMAT.md)",
    ),
    ("iceberg.warehouse", "the tables are below `storage`; set that"),
    (
        "iceberg.auto_checkpoint",
        "snapshots are always written; `checkpoint.interval_ms` and `checkpoint.min_changes` say how often",
    ),
];

/// How a value is written in a file.
///
/// ```
/// use dotdo::commands::{KnownSetting, SettingShape};
///
/// assert_eq!(KnownSetting::named("storage")?.shape(), SettingShape::Text);
/// assert_eq!(KnownSetting::named("port")?.shape(), SettingShape::Number);
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingShape {
    /// As a string.
    Text,
    /// As an integer.
    Number,
    /// As `true` or `false`.
    Switch,
    /// As an array of strings.
    List,
}

/// A setting as its user named it. [`KnownSetting::named`] has an example.
#[derive(Clone, Copy)]
pub struct KnownSetting {
    pub(super) setting: &'static Setting,
    prefix: &'static str,
}

impl KnownSetting {
    /// The setting with this name: its key (`checkpoint.interval_ms`), the key in camel case
    /// (`checkpoint.intervalMs`), an environment variable (`DOTDO_CHECKPOINT_INTERVAL_MS`), or
    /// `storage.endpoint`, `storage.bucket`, `storage.region`, `storage.accessKeyId` and
    /// `storage.secretAccessKey` for a bucket of S3.
    ///
    /// # Errors
    ///
    /// `Invalid` when no setting has the name; the message suggests the nearest.
    ///
    /// ```
    /// use dotdo::commands::KnownSetting;
    ///
    /// let setting = KnownSetting::named("storage.bucket")?;
    /// assert_eq!((setting.key(), &*setting.stored("mine")), ("storage", "s3://mine"));
    /// let error = KnownSetting::named("lease.duration").map(|_| ()).expect_err("half a name");
    /// assert!(error.message().ends_with("did you mean lease.duration_ms?"));
    /// # Ok::<(), dotdo::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Self> {
        let snake = snake_case(name);
        let by_key = |key: &str| TABLE.iter().copied().find(|setting| setting.key == key);
        let by_variable =
            || TABLE.iter().copied().find(|setting| setting.variables().any(|one| one == name));
        if let Some(setting) = by_key(name).or_else(|| by_key(&snake)).or_else(by_variable) {
            return Ok(Self { setting, prefix: "" });
        }
        if let Some(alias) = ALIASES.iter().find(|alias| alias.name == snake) {
            let setting = by_key(alias.key).expect("an alias stands for a setting");
            return Ok(Self { setting, prefix: alias.prefix });
        }
        if let Some((_, instead)) = ABSENT.iter().find(|(absent, _)| *absent == snake) {
            return Err(wrong(format!("{name} is no setting of dotdo: {instead}")));
        }
        let names = TABLE.iter().map(|setting| setting.key);
        let hint = nearest(&snake, names.chain(ALIASES.iter().map(|alias| alias.name)))
            .map_or_else(
                || "\"dotdo settings\" lists all".to_owned(),
                |near| format!("did you mean {near}?"),
            );
        Err(wrong(format!("unknown setting {name}; {hint}")))
    }

    /// The key in files.
    pub fn key(&self) -> &'static str {
        self.setting.key
    }

    /// The main environment variable.
    pub fn variable(&self) -> String {
        self.setting.variable()
    }

    /// Whether the value is never shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.setting.kind, Kind::Secret(_))
    }

    /// How a value is written in a file.
    pub fn shape(&self) -> SettingShape {
        match self.setting.kind {
            Kind::Millis(..) | Kind::Number { .. } => SettingShape::Number,
            Kind::Switch(_) => SettingShape::Switch,
            Kind::List { .. } => SettingShape::List,
            Kind::OneOf { .. } | Kind::Text { .. } | Kind::Secret(_) => SettingShape::Text,
        }
    }

    /// What is stored for a value that was given under this name.
    pub fn stored(&self, value: &str) -> String {
        if value.contains("://") { value.to_owned() } else { format!("{}{value}", self.prefix) }
    }

    /// What a stored value is under this name.
    pub fn shown<'a>(&self, stored: &'a str) -> &'a str {
        match stored.strip_prefix(self.prefix) {
            Some(rest) if !self.prefix.is_empty() => rest.split('/').next().unwrap_or(rest),
            _ => stored,
        }
    }

    /// Checks a value by itself.
    ///
    /// # Errors
    ///
    /// `Invalid` when the setting does not accept it. The message does not contain it if it may be a
    /// secret.
    pub fn check(&self, stored: &str) -> Result<()> {
        if stored.is_empty() {
            return Err(wrong(format!(
                "{}: an empty value counts as not set; to remove the setting, run \"dotdo config unset {}\"",
                self.setting.key, self.setting.key
            )));
        }
        if self.setting.kind.set(&mut Config::default(), stored) {
            return Ok(());
        }
        Err(unacceptable(self.setting, self.setting.key, stored))
    }
}

impl std::fmt::Debug for KnownSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KnownSetting").field(&self.setting.key).finish()
    }
}

/// `intervalMs` as `interval_ms`; other texts stay as they are.
fn snake_case(name: &str) -> String {
    if !name.contains(|char: char| char.is_ascii_lowercase()) {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(char.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> &'static str {
        KnownSetting::named(name).unwrap_or_else(|error| panic!("{error}")).key()
    }

    #[test]
    fn a_setting_is_found_by_each_of_its_names() {
        for (name, expected) in [
            ("checkpoint.interval_ms", "checkpoint.interval_ms"),
            ("checkpoint.intervalMs", "checkpoint.interval_ms"),
            ("checkpoint.minChanges", "checkpoint.min_changes"),
            ("iceberg.checkpointIntervalMs", "checkpoint.interval_ms"),
            ("iceberg.minChangesBeforeCheckpoint", "checkpoint.min_changes"),
            ("storage.endpoint", "aws.endpoint_url"),
            ("storage.bucket", "storage"),
            ("storage.accessKeyId", "aws.access_key_id"),
            ("storage.secretAccessKey", "aws.secret_access_key"),
            ("DOTDO_LEASE_DURATION_MS", "lease.duration_ms"),
            ("PORT", "port"),
            ("WORKOS_AUTH_DOMAIN", "auth.issuer"),
        ] {
            assert_eq!(key(name), expected, "{name}");
        }
        for setting in TABLE.iter() {
            assert_eq!(key(setting.key), setting.key);
        }
        for alias in ALIASES {
            assert!(TABLE.iter().all(|setting| setting.key != alias.name), "{}", alias.name);
            assert_eq!(key(alias.name), alias.key);
        }
    }

    #[test]
    fn what_is_no_setting_is_refused_with_what_to_do() {
        for (name, hint) in [
            ("storage.acessKeyId", "did you mean storage.access_key_id?"),
            ("prot", "did you mean port?"),
            ("iceberg.catalog", "docs/FORMAT.md"),
            ("iceberg.warehouse", "below `storage`"),
            ("nothing.of.the.kind", "\"dotdo settings\" lists all"),
        ] {
            let error = KnownSetting::named(name).expect_err(name);
            assert!(error.message().contains(hint), "{name}: {}", error.message());
        }
    }

    #[test]
    fn a_bucket_is_stored_as_the_url_of_a_storage() {
        let bucket = KnownSetting::named("storage.bucket").expect("an alias");
        assert_eq!(bucket.stored("mine"), "s3://mine");
        assert_eq!(bucket.stored("gs://mine/prefix"), "gs://mine/prefix");
        assert_eq!(
            (bucket.shown("s3://mine/prefix"), bucket.shown("./.dotdo")),
            ("mine", "./.dotdo")
        );
        let storage = KnownSetting::named("storage").expect("a key");
        assert_eq!((&*storage.stored("folder"), storage.shown("s3://a/b")), ("folder", "s3://a/b"));
    }

    #[test]
    fn a_value_is_checked_before_it_is_stored() {
        let check = |name: &str, value: &str| {
            KnownSetting::named(name)
                .expect(name)
                .check(value)
                .map_err(|error| error.message().to_owned())
        };
        assert_eq!(check("port", "80"), Ok(()));
        let said = check("port", "eighty").expect_err("not a number");
        assert_eq!(said, "port: expected a whole number from 0 to 65535, got \"eighty\"");
        assert!(check("port", "").expect_err("empty").contains("dotdo config unset port"));
        assert!(check("storage", "s3:bucket").is_err());
    }
}
