//! Builds a [`Config`] from its sources, applied in ascending precedence.

use std::collections::HashMap;

use dotdo_core::{Error, Result, Secret};

use super::draft::{Draft, Strength, wrong, wrong_type};
use super::setting::{EMPTY_LIST, Kind};
use super::settings::TABLE;
use super::sources::{Flag, Sources};
use super::suggest::nearest;
use super::{Config, Resolved, features, platform_defaults, storage, trust};
use crate::auth::{TOKEN_BYTES_MIN, are_tokens};
use crate::cluster::peers::{SECRET_BYTES_MIN, are_secrets};
#[cfg(feature = "redis")]
use crate::cluster::redis;
use crate::libsql;
use crate::platforms::Platform;

/// Reserved variables that have no effect yet; setting one logs a warning.
const LATER: &[&str] = &["ICEBERG_CATALOG", "ICEBERG_WAREHOUSE"];

/// The variable in which Fly gives each machine its id.
const FLY_MACHINE: &str = "FLY_MACHINE_ID";

/// Builds the configuration and checks it as a whole.
///
/// # Errors
///
/// `Invalid`; the message names the setting as it was written, what was expected, and the value.
pub(crate) fn resolve(sources: &Sources) -> Result<Resolved> {
    let mut draft = Draft::default();
    let mut problem = None;
    let mut warnings = draft.gather(sources, &mut |error| {
        problem.get_or_insert(error);
    });
    if let Some(error) = problem {
        return Err(error);
    }
    let platform = draft.settle(sources)?;
    let (row, object) =
        (draft.config.settings.row_bytes_max, draft.config.settings.object_bytes_max);
    if u64::from(row) > object {
        return Err(wrong(format!(
            "limits.row_bytes_max: expected at most limits.object_bytes_max, which is {object}, got {row}"
        )));
    }
    if draft.config.peer_secret.as_ref().is_some_and(|secret| !are_secrets(secret.reveal())) {
        return Err(wrong(format!(
            "peer_secret: expected at least {SECRET_BYTES_MIN} bytes, got fewer (value not shown); to generate one, run `openssl rand -hex 32`"
        )));
    }
    features::check(&draft.config, platform)?;
    check_addresses(&draft.config)?;
    let edge = &draft.config.edge;
    let lists = [("auth.tokens", &edge.auth.tokens), ("tick.secret", &edge.tick_secret)];
    let is_wrong =
        |list: &Option<Secret>| list.as_ref().is_some_and(|tokens| !are_tokens(tokens.reveal()));
    if let Some((name, _)) = lists.into_iter().find(|(_, list)| is_wrong(list)) {
        return Err(wrong(format!(
            "{name}: expected tokens of at least {TOKEN_BYTES_MIN} letters, digits and -._~+/, got one that is shorter or has other characters \
             (value not shown); to generate one, run `openssl rand -hex 32`"
        )));
    }
    check_identity(&draft.config, platform)?;
    draft.config.traces.check()?;
    if let Some(why) = draft.config.edge.mistake() {
        return Err(wrong(why.to_owned()));
    }
    trust::check(&draft)?;
    let storage = storage::storage(&draft)?;
    storage::check_keys_by_tenant(&storage, &draft.config.access)?;
    warnings.extend(storage::unused(&storage, &draft.config.access));
    Ok(Resolved { config: draft.config, platform, storage, warnings })
}

/// Checks URLs that may contain a secret, which no message repeats.
fn check_addresses(config: &Config) -> Result<()> {
    #[cfg(feature = "redis")]
    if config.redis_url.as_ref().is_some_and(|url| !redis::is_address(url.reveal())) {
        return Err(wrong(format!(
            "redis_url: expected {}, got another value (not shown, it may contain a password)",
            redis::ACCEPTED
        )));
    }
    let database = config.access.database.url.as_ref();
    if database.is_some_and(|url| !libsql::is_database(url.reveal())) {
        return Err(wrong(format!(
            "turso.url: expected {}, got another value (not shown, it may contain a token); the token is TURSO_TOKEN",
            libsql::ACCEPTED
        )));
    }
    Ok(())
}

/// Checks whose tokens are accepted.
fn check_identity(config: &Config, platform: Platform) -> Result<()> {
    let identity = &config.edge.auth.identity;
    if identity.development_secret.is_some() && platform != Platform::Http {
        return Err(wrong(format!(
            "auth.development_secret is for development on loopback, and the platform is {}; unset it, and set auth.issuer",
            platform.name()
        )));
    }
    identity.mistake().map_or(Ok(()), |mistake| Err(wrong(mistake)))
}

/// Refuses variables that look like settings and are none.
fn check_names(variables: &[(String, String)]) -> Result<()> {
    let known: Vec<String> = TABLE.iter().flat_map(|setting| setting.variables()).collect();
    let mut ours: Vec<&str> = variables
        .iter()
        .map(|(name, _)| &**name)
        .filter(|name| name.starts_with("DOTDO_"))
        .collect();
    ours.sort_unstable();
    match ours.into_iter().find(|name| !known.iter().any(|setting| setting == name)) {
        None => Ok(()),
        Some(unknown) => Err(unknown_name(
            "unknown environment variable",
            unknown,
            known.iter().map(String::as_str),
        )),
    }
}

impl Draft {
    /// Applies all sources in ascending precedence, and returns warnings. Each mistake is reported,
    /// and what it concerns is left out.
    pub(super) fn gather(
        &mut self,
        sources: &Sources,
        mistake: &mut impl FnMut(Error),
    ) -> Vec<String> {
        for (strength, file) in
            [(Strength::User, &sources.user), (Strength::Project, &sources.project)]
        {
            if let Some((name, text)) = file {
                self.file(strength, name, text).unwrap_or_else(&mut *mistake);
            }
        }
        check_names(&sources.environment).unwrap_or_else(&mut *mistake);
        let warnings = self.environment(&sources.environment, mistake);
        self.config.access.identity.login = sources.login.clone();
        for Flag { key, name, value } in &sources.flags {
            let setting = TABLE
                .iter()
                .find(|setting| setting.key == *key)
                .expect("every flag belongs to a setting");
            self.put(Strength::Flag, setting, name, value).unwrap_or_else(&mut *mistake);
        }
        warnings
    }

    /// Sets what follows from the given settings and from the platform, and finds the platform.
    ///
    /// # Errors
    ///
    /// Those of [`platform_defaults::apply`].
    pub(super) fn settle(&mut self, sources: &Sources) -> Result<Platform> {
        if self.storage_is_r2() {
            self.config.storage =
                self.config.access.r2.bucket.as_ref().map(|bucket| format!("s3://{bucket}"));
        }
        let platform = self
            .config
            .platform
            .unwrap_or_else(|| Platform::found(|name| sources.value(name).is_some()));
        platform_defaults::apply(self, platform, sources)?;
        Ok(platform)
    }

    /// Whether `r2.bucket` says where the state is.
    pub(super) fn storage_is_r2(&self) -> bool {
        self.strength("r2.bucket") > self.strength("storage")
    }

    /// Applies the environment variables and returns warnings. An empty value counts as not set.
    fn environment(
        &mut self,
        variables: &[(String, String)],
        mistake: &mut impl FnMut(Error),
    ) -> Vec<String> {
        let given: HashMap<&str, &str> = variables
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (&**name, &**value))
            .collect();
        self.config.fly_machine = given.get(FLY_MACHINE).map(|id| (*id).to_owned());
        for setting in TABLE.iter() {
            for name in setting.variables() {
                if let Some(value) = given.get(&*name) {
                    self.put(Strength::Environment, setting, &name, value)
                        .unwrap_or_else(&mut *mistake);
                }
            }
        }
        let later = LATER.iter().filter(|name| given.contains_key(**name));
        later.map(|name| format!("{name} is set, but this version ignores it")).collect()
    }

    /// Applies the settings of a file.
    fn file(&mut self, strength: Strength, name: &str, text: &str) -> Result<()> {
        // The parser's own report quotes the line, which may hold a secret.
        let table: toml::Table = toml::from_str(text).map_err(|cause: toml::de::Error| {
            let line = cause.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            wrong(format!("{name}, line {line}: {}", cause.message()))
        })?;
        self.table(strength, name, "", &table)
    }

    fn table(
        &mut self,
        strength: Strength,
        file: &str,
        path: &str,
        table: &toml::Table,
    ) -> Result<()> {
        for (key, value) in table {
            let key = format!("{path}{key}");
            let Some(setting) = TABLE.iter().find(|setting| setting.key == key) else {
                match value {
                    toml::Value::Table(inner)
                        if TABLE
                            .iter()
                            .any(|setting| setting.key.starts_with(&format!("{key}."))) =>
                    {
                        self.table(strength, file, &format!("{key}."), inner)?;
                        continue;
                    }
                    _ => {
                        return Err(unknown_name(
                            &format!("{file}: unknown setting"),
                            &key,
                            TABLE.iter().map(|setting| setting.key),
                        ));
                    }
                }
            };
            let text = match value {
                toml::Value::String(text) => text.clone(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(on) => on.to_string(),
                toml::Value::Array(items) if matches!(setting.kind, Kind::List { .. }) => {
                    listed(items)
                        .ok_or_else(|| wrong_type(setting, &format!("{file}: {key}"), "array"))?
                }
                other => {
                    return Err(wrong_type(setting, &format!("{file}: {key}"), other.type_str()));
                }
            };
            self.put(strength, setting, &format!("{file}: {key}"), &text)?;
        }
        Ok(())
    }
}

/// A list in the form of an environment variable; `None` if an item has a comma, which would split
/// it.
fn listed(items: &[toml::Value]) -> Option<String> {
    if items.is_empty() {
        return Some(EMPTY_LIST.to_owned());
    }
    let texts: Option<Vec<&str>> =
        items.iter().map(|item| item.as_str().filter(|text| !text.contains(','))).collect();
    texts.map(|texts| texts.join(","))
}

fn unknown_name<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let hint = nearest(name, known).map(|near| format!("did you mean {near}?"));
    wrong(format!(
        "{what} {name}; {}",
        hint.unwrap_or_else(|| "docs/SETTINGS.md lists all".to_owned())
    ))
}
