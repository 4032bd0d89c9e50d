//! What a deployment needs to know: from the options, from the settings that hold here, and, on a
//! terminal, from the user.

use std::collections::BTreeMap;

use dotdo::ServeOptions;
use dotdo::commands::{EffectiveSetting, EffectiveSettings, KnownSetting, Origin};
use dotdo::engine::Secret;

use super::row::{Clients, Need, Row};
use super::source::Source;
use crate::failure::Failure;
use crate::terminal;

/// Everything that a plan is made from.
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) storage: String,
    pub(super) region: Option<String>,
    pub(super) image: Option<String>,
    pub(super) cloud_project: Option<String>,
    /// The port of a container on this machine.
    pub(super) port: u16,
    /// The values of variables that anybody may see.
    plain: BTreeMap<String, String>,
    /// Variables that nobody may see. Without a value here, one is asked for or generated.
    pub(super) secrets: BTreeMap<String, Option<Secret>>,
}

/// What the options say.
pub(super) struct Given<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) storage: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) image: Option<&'a str>,
    pub(super) cloud_project: Option<&'a str>,
    pub(super) port: u16,
}

/// Settings that are about this machine, or that a platform decides.
const LOCAL: [&str; 12] = [
    "platform",
    "host",
    "port",
    "address",
    "storage",
    "r2.bucket",
    "log.format",
    "shutdown.deadline_ms",
    "login.profile",
    "login.keyring",
    "identity.token_file",
    "identity.token_header",
];

/// Tables of credentials, with the scheme of the storage that they are for.
const CREDENTIALS: [(&str, &str); 4] =
    [("r2.", "s3://"), ("aws.", "s3://"), ("google.", "gs://"), ("azure.", "az://")];

/// Variables that are generated if the settings have none.
pub(super) const TOKENS: &str = "DOTDO_AUTH_TOKENS";
pub(super) const PEERS: &str = "DOTDO_PEER_SECRET";

impl Wanted {
    /// Gathers what the options and the settings say, and asks for the rest on a terminal.
    ///
    /// # Errors
    ///
    /// `Usage` when something is missing or wrong, with how to give it.
    pub(super) fn gather(row: &Row, source: Source, given: &Given<'_>) -> Result<Self, Failure> {
        let storage = given.storage.map(str::to_owned);
        let options = ServeOptions { storage, ..ServeOptions::default() };
        let settings = EffectiveSettings::of(options)?;
        if let Some(problem) = &settings.problem {
            return Err(Failure::Usage(problem.message().to_owned()));
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let mut wanted = Self {
            name: given.name.unwrap_or(source.usual_name()).to_owned(),
            source,
            storage: storage_of(row, &settings)?,
            region: owned(given.region),
            image: owned(given.image),
            cloud_project: owned(given.cloud_project),
            port: given.port,
            plain: BTreeMap::new(),
            secrets: BTreeMap::new(),
        };
        wanted.needs(row, given)?;
        check_name(&wanted.name)?;
        wanted.take_settings(row, &settings)?;
        wanted.require_credentials(row, &settings)?;
        wanted.require_clients(row, &settings);
        Ok(wanted)
    }

    /// Fills in what the row needs.
    fn needs(&mut self, row: &Row, given: &Given<'_>) -> Result<(), Failure> {
        for need in row.needs {
            let is_there = match need {
                Need::Name => given.name.is_some(),
                Need::Region => self.region.is_some(),
                Need::Image => self.image.is_some(),
                Need::CloudProject => self.cloud_project.is_some(),
            };
            if is_there {
                continue;
            }
            let answer = asked(need.about(), || {
                format!("{} needs {}: use {}", row.title, need.option(), need.about())
            })?;
            match need {
                Need::Name => self.name = answer,
                Need::Region => self.region = Some(answer),
                Need::Image => self.image = Some(answer),
                Need::CloudProject => self.cloud_project = Some(answer),
            }
        }
        Ok(())
    }

    /// Takes over the settings that hold here and make sense there.
    fn take_settings(&mut self, row: &Row, settings: &EffectiveSettings) -> Result<(), Failure> {
        self.plain.insert("DOTDO_STORAGE".to_owned(), self.storage.clone());
        let has_identity = row.identity.is_some_and(|scheme| self.storage.starts_with(scheme));
        let is_given = |setting: &&EffectiveSetting| {
            !matches!(setting.origin, Origin::Default | Origin::Platform(_)) && setting.is_set
        };
        for setting in settings.settings.iter().filter(is_given) {
            let key = setting.key;
            let scheme = CREDENTIALS.iter().find(|(table, _)| key.starts_with(table));
            let is_other_store =
                scheme.is_some_and(|(_, scheme)| has_identity || !self.storage.starts_with(scheme));
            // The account is the storage's own address, not a credential.
            if LOCAL.contains(&key) || (is_other_store && !is_account(key, &self.storage)) {
                continue;
            }
            let variable = KnownSetting::named(key)?.variable();
            if setting.is_secret || is_sensitive(key) {
                let secret = match &setting.value {
                    Some(value) => Some(Secret::new(value.clone())),
                    None => EffectiveSettings::reveal(ServeOptions::default(), key)?,
                };
                self.secrets.insert(variable, secret.map(|secret| one_line(&secret)));
            } else if let Some(value) = &setting.value {
                self.plain.insert(variable, value.clone());
            }
        }
        if row.clients == Clients::Platform && self.has_no_clients() {
            self.plain.insert("DOTDO_ALLOW_UNAUTHENTICATED".to_owned(), "1".to_owned());
        }
        Ok(())
    }

    /// Makes sure that there are credentials for the bucket.
    fn require_credentials(
        &mut self,
        row: &Row,
        settings: &EffectiveSettings,
    ) -> Result<(), Failure> {
        if row.identity.is_some_and(|scheme| self.storage.starts_with(scheme)) {
            if self.storage.starts_with("az://") {
                self.require("azure.storage_account", settings)?;
            }
            return Ok(());
        }
        let is_set = |key: &str| settings.setting(key).is_some_and(|setting| setting.is_set);
        let keys: &[&str] = match () {
            // A token is exchanged for keys.
            () if ["identity.token", "aws.role_arn", "broker.url"].into_iter().any(is_set) => &[],
            () if self.storage.starts_with("gs://") => &["google.service_account_key"],
            () if self.storage.starts_with("az://") && is_set("azure.storage_sas_token") => {
                &["azure.storage_account"]
            }
            () if self.storage.starts_with("az://") => {
                &["azure.storage_account", "azure.storage_key"]
            }
            () if is_set("r2.access_key_id") => &[],
            () => &["aws.access_key_id", "aws.secret_access_key"],
        };
        keys.iter().try_for_each(|key| self.require(key, settings))
    }

    /// Makes sure that a setting has a value when it is needed. A secret may be asked for later.
    fn require(&mut self, key: &str, settings: &EffectiveSettings) -> Result<(), Failure> {
        if settings.setting(key).is_some_and(|setting| setting.is_set) {
            return Ok(());
        }
        let known = KnownSetting::named(key)?;
        let variable = known.variable();
        if known.is_secret() || is_sensitive(key) {
            self.secrets.entry(variable).or_insert(None);
            return Ok(());
        }
        let answer = asked(&variable, || {
            format!(
                "{variable} is missing: run `dotdo config set {key} VALUE`, or set the variable"
            )
        })?;
        known.check(&answer)?;
        self.plain.insert(variable, answer);
        Ok(())
    }

    /// Makes sure that not everybody can read and write everything.
    fn require_clients(&mut self, row: &Row, settings: &EffectiveSettings) {
        let is_set = |key: &str| settings.setting(key).is_some_and(|setting| setting.is_set);
        if row.clients == Clients::Server
            && !is_set("auth.tokens")
            && self.has_no_clients()
            && !self.plain.contains_key("DOTDO_ALLOW_UNAUTHENTICATED")
        {
            self.secrets.entry(TOKENS.to_owned()).or_insert(None);
        }
        if row.has_peers {
            self.secrets.entry(PEERS.to_owned()).or_insert(None);
        }
    }

    fn has_no_clients(&self) -> bool {
        !self.plain.contains_key("DOTDO_AUTH_ISSUER") && !self.secrets.contains_key(TOKENS)
    }

    /// The values of the variables that anybody may see, by name.
    pub(super) fn plain(&self) -> Vec<(String, String)> {
        self.plain.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// The names of the variables that nobody may see.
    pub(super) fn secret_names(&self) -> Vec<String> {
        self.secrets.keys().cloned().collect()
    }

    /// The names of all variables, those that nobody may see last.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.plain.keys().chain(self.secrets.keys()).cloned()
    }

    /// The value of a variable.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let secret = || self.secrets.get(name)?.as_ref().map(Secret::reveal);
        self.plain.get(name).map(String::as_str).or_else(secret)
    }

    /// The region; empty if the platform needs none.
    pub(super) fn region(&self) -> &str {
        self.region.as_deref().unwrap_or_default()
    }

    /// The bucket's name and the prefix in it.
    pub(super) fn bucket(&self) -> (&str, &str) {
        let rest = self.storage.split_once("://").map_or("", |(_, rest)| rest);
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        (bucket, prefix.trim_matches('/'))
    }
}

/// The bucket for the state: that of the settings, or the answer to a question.
fn storage_of(row: &Row, settings: &EffectiveSettings) -> Result<String, Failure> {
    let is_bucket = |storage: &&String| {
        ["s3://", "gs://", "az://"].iter().any(|scheme| storage.starts_with(scheme))
    };
    let found = settings.setting("storage").and_then(|setting| setting.value.as_ref());
    let storage = match found.filter(is_bucket) {
        Some(storage) => storage.clone(),
        None => asked("bucket for the state, such as s3://my-bucket/state", || {
            format!(
                "{} keeps no files, so the state needs a bucket: use --storage s3://BUCKET/PREFIX, or `dotdo config set storage s3://BUCKET/PREFIX`",
                row.title
            )
        })?,
    };
    KnownSetting::named("storage")?.check(&storage)?;
    let own = row.identity.filter(|scheme| ["gs://", "az://"].contains(scheme));
    match own {
        _ if !is_bucket(&&storage) => Err(Failure::Usage(format!(
            "expected a bucket (s3://, gs:// or az://), got {storage}: {} does not keep files",
            row.title
        ))),
        Some(scheme) if !storage.starts_with(scheme) => Err(Failure::Usage(format!(
            "{} is deployed with a bucket of its own provider, {scheme}…, got {storage}; {} describes others",
            row.title, row.page
        ))),
        _ => Ok(storage),
    }
}

/// The answer to a question on a terminal.
fn asked(question: &str, otherwise: impl Fn() -> String) -> Result<String, Failure> {
    if !terminal::is_attended() {
        return Err(Failure::Usage(otherwise()));
    }
    let answer = terminal::ask(&format!("{question}: "));
    let answer = answer.map_err(|cause| Failure::of("can't read from the terminal", cause))?;
    answer.ok_or_else(|| Failure::Usage(otherwise()))
}

/// Names of apps, services and stacks are made of what all platforms accept.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (2..=50).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(is_plain);
    if is_name {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "--name: expected 2 to 50 lower-case letters, digits and hyphens, the first a letter, got {name:?}"
    )))
}

/// Whether a value is not for everybody, although it is no secret of its own.
fn is_sensitive(key: &str) -> bool {
    key.ends_with("access_key_id")
}

fn is_account(key: &str, storage: &str) -> bool {
    key == "azure.storage_account" && storage.starts_with("az://")
}

/// A key as JSON without its line breaks: no platform's tool takes several lines.
fn one_line(secret: &Secret) -> Secret {
    match serde_json::from_str::<serde_json::Value>(secret.reveal()) {
        Ok(value) if value.is_object() => Secret::new(value.to_string()),
        _ => Secret::new(secret.reveal().trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_every_platform_accepts() {
        for name in ["objects", "my-objects-2", "ab"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "a", "Objects", "-objects", "objects-", "a b", "a/b", "2objects"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_key_as_json_becomes_one_line() {
        assert_eq!(one_line(&Secret::new("{\n \"a\": 1\n}\n")).reveal(), r#"{"a":1}"#);
        assert_eq!(one_line(&Secret::new("plain\n")).reveal(), "plain");
    }
}
