//! The value of every setting, and where it comes from.

use dotdo_core::{Error, Result};

use super::Config;
use super::draft::{Draft, Strength};
use super::known::KnownSetting;
use super::resolve::resolve;
use super::setting::{Kind, Setting};
use super::settings::TABLE;
use super::sources::Sources;
use crate::options::ServeOptions;

/// Where the value of a setting comes from. [`EffectiveSettings::of`] has an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A flag, as it was written.
    Flag(String),
    /// An environment variable.
    Environment(String),
    /// The project's file, `dotdo.toml` in the working directory.
    Project(String),
    /// The user's file.
    User(String),
    /// The platform, by its name.
    Platform(String),
    /// The default.
    Default,
}

/// The value of a setting. [`EffectiveSettings::of`] has an example.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EffectiveSetting {
    /// The key in files.
    pub key: &'static str,
    /// The value as text; `None` if there is none, and for a secret.
    pub value: Option<String>,
    /// Whether the value is never shown.
    pub is_secret: bool,
    /// Whether there is a value, also a secret one.
    pub is_set: bool,
    /// Where it comes from.
    pub origin: Origin,
}

/// All settings with the values that they have here and now. [`EffectiveSettings::of`] has an
/// example.
#[derive(Debug)]
#[non_exhaustive]
pub struct EffectiveSettings {
    /// The settings in the order of their documentation.
    pub settings: Vec<EffectiveSetting>,
    /// The name of the platform.
    pub platform: String,
    /// Why a program would not start with them; what it concerns is then left out.
    pub problem: Option<Error>,
    /// What a program would warn of at its start.
    pub warnings: Vec<String>,
}

impl EffectiveSettings {
    /// Reads flags, the environment and the files.
    ///
    /// # Errors
    ///
    /// `Invalid` when a file is there and can't be read.
    ///
    /// ```
    /// use dotdo::ServeOptions;
    /// use dotdo::commands::{EffectiveSettings, Origin};
    ///
    /// let options = ServeOptions { port: Some("3000".to_owned()), ..ServeOptions::default() };
    /// let found = EffectiveSettings::of(options)?;
    /// let port = found.setting("port").expect("there is a port");
    /// assert_eq!(port.value.as_deref(), Some("3000"));
    /// assert_eq!(port.origin, Origin::Flag("--port".to_owned()));
    /// # Ok::<(), dotdo::Error>(())
    /// ```
    pub fn of(options: ServeOptions) -> Result<Self> {
        Ok(Self::of_sources(&options.sources()?))
    }

    fn of_sources(sources: &Sources) -> Self {
        let mut draft = Draft::default();
        let mut problem = None;
        let mut warnings = draft.gather(sources, &mut |error| {
            problem.get_or_insert(error);
        });
        let is_r2 = draft.storage_is_r2();
        // Whatever is wrong here is what `resolve` says below.
        let platform = draft.settle(sources).ok();
        match resolve(sources) {
            Ok(resolved) => warnings = resolved.warnings,
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
        let platform =
            platform.map_or_else(|| "unknown".to_owned(), |found| found.name().to_owned());
        let files = [&sources.project, &sources.user]
            .map(|file| file.as_ref().map_or_else(String::new, |(name, _)| name.clone()));
        let settings = TABLE
            .iter()
            .copied()
            .map(|setting| {
                let source =
                    if is_r2 && setting.key == "storage" { "r2.bucket" } else { setting.key };
                let origin = origin(&draft, source, &files);
                effective(&mut draft.config, setting, origin, &platform)
            })
            .collect();
        Self { settings, platform, problem, warnings }
    }

    /// The setting with this name, in any form that [`KnownSetting::named`] knows.
    pub fn setting(&self, name: &str) -> Option<&EffectiveSetting> {
        let known = KnownSetting::named(name).ok()?;
        self.settings.iter().find(|setting| setting.key == known.key())
    }

    /// The value of the secret setting `key`, for a program that passes it on without showing it.
    ///
    /// # Errors
    ///
    /// `Invalid` when a file is there and can't be read.
    pub fn reveal(options: ServeOptions, key: &str) -> Result<Option<dotdo_core::Secret>> {
        let sources = options.sources()?;
        let mut draft = Draft::default();
        draft.gather(&sources, &mut |_| {});
        let setting = TABLE.iter().find(|setting| setting.key == key);
        Ok(match setting.map(|setting| &setting.kind) {
            Some(Kind::Secret(field)) => field(&mut draft.config).clone(),
            _ => None,
        })
    }
}

fn origin(draft: &Draft, key: &str, [project, user]: &[String; 2]) -> Origin {
    let name = || draft.name(key).unwrap_or_default().to_owned();
    match draft.strength(key) {
        Strength::Default => Origin::Default,
        Strength::User => Origin::User(user.clone()),
        Strength::Project => Origin::Project(project.clone()),
        Strength::Environment => Origin::Environment(name()),
        // A platform's variable for the port wins over flags.
        Strength::Flag if !name().starts_with("--") => Origin::Environment(name()),
        Strength::Flag => Origin::Flag(name()),
    }
}

fn effective(
    config: &mut Config,
    setting: &'static Setting,
    origin: Origin,
    platform: &str,
) -> EffectiveSetting {
    let (is_secret, is_set, value) = match &setting.kind {
        Kind::Secret(field) => (true, field(config).is_some(), None),
        kind => {
            let value = Some(kind.shown(config)).filter(|value| !value.is_empty());
            (false, value.is_some(), value)
        }
    };
    let usual = setting.kind.shown(&mut Config::default());
    let is_usual = value.as_deref().unwrap_or_default() == usual;
    let origin = match origin {
        Origin::Default if !is_secret && !is_usual => Origin::Platform(platform.to_owned()),
        origin => origin,
    };
    EffectiveSetting { key: setting.key, value, is_secret, is_set, origin }
}

#[cfg(test)]
mod tests {
    use super::super::Flag;
    use super::*;

    fn found(environment: &[(&str, &str)], project: &str, user: &str) -> EffectiveSettings {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let file = |name: &str, text: &str| Some((name.to_owned(), text.to_owned()));
        EffectiveSettings::of_sources(&Sources {
            flags: vec![Flag { key: "port", name: "--port", value: "1".to_owned() }],
            environment: environment.iter().map(owned).collect(),
            project: file("dotdo.toml", project),
            user: file("/home/me/config.toml", user),
            login: None,
        })
    }

    fn origin_of(found: &EffectiveSettings, key: &str) -> Origin {
        found.setting(key).expect("a setting").origin.clone()
    }

    #[test]
    fn each_value_has_its_origin() {
        let environment = [("DOTDO_LOG_FORMAT", "json"), ("K_SERVICE", "s"), ("R2_BUCKET", "b")];
        let user = "port = 3\n[aws]\nsecret_access_key = \"hunter2\"\naccess_key_id = \"id\"\n";
        let found = found(&environment, "[checkpoint]\nmin_changes = 7\n", user);
        assert!(found.problem.is_none(), "{:?}", found.problem);
        assert_eq!(found.platform, "cloud-run");
        for (key, origin) in [
            ("port", Origin::Flag("--port".to_owned())),
            ("log.format", Origin::Environment("DOTDO_LOG_FORMAT".to_owned())),
            ("storage", Origin::Environment("R2_BUCKET".to_owned())),
            ("checkpoint.min_changes", Origin::Project("dotdo.toml".to_owned())),
            ("aws.access_key_id", Origin::User("/home/me/config.toml".to_owned())),
            ("host", Origin::Platform("cloud-run".to_owned())),
            ("cors.methods", Origin::Default),
        ] {
            assert_eq!(origin_of(&found, key), origin, "{key}");
        }
        let secret = found.setting("aws.secret_access_key").expect("a setting");
        assert_eq!((secret.is_secret, secret.is_set, &secret.value), (true, true, &None));
        assert!(!format!("{found:?}").contains("hunter2"));
    }

    #[test]
    fn a_mistake_hides_only_what_it_concerns() {
        let found = found(&[("DOTDO_PROT", "1"), ("LOG_LEVEL", "debug")], "nonsense = 1\n", "");
        let problem = found.problem.as_ref().expect("two mistakes").message();
        assert!(problem.contains("dotdo.toml: unknown setting nonsense"), "{problem}");
        assert_eq!(origin_of(&found, "log.level"), Origin::Environment("LOG_LEVEL".to_owned()));
        assert_eq!(origin_of(&found, "port"), Origin::Flag("--port".to_owned()));
    }
}
