//! The configuration of a bundle: `wrangler.jsonc`, `.json` or `.toml`, and `.dev.vars`.
//!
//! Promises: what is configured and not here stops the start, by its name.

mod bindings;
mod environments;
mod jsonc;
mod services;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dotdo::{Error, Result};
use serde_json::{Map, Value};

pub(crate) use self::bindings::{Bindings, OWN_CLASSES};
use self::jsonc::without_comments;
pub(crate) use self::services::Service;
use crate::assets::Assets;
use crate::limits::{TIME_MAX, TIME_MAX_USUAL};

/// The names of the file, of which the first that is there counts.
const NAMES: [&str; 3] = ["wrangler.jsonc", "wrangler.json", "wrangler.toml"];

/// What has no meaning here: how Cloudflare deploys, shows and bundles a worker.
const WITHOUT_MEANING: &[&str] = &[
    "$schema",
    "account_id",
    "alias",
    "base_dir",
    "build",
    "compatibility_date",
    "compatibility_flags",
    "define",
    "dev",
    "find_additional_modules",
    "first_party_worker",
    "jsx_factory",
    "jsx_fragment",
    "keep_names",
    "keep_vars",
    "legacy_env",
    "logfwdr",
    "logpush",
    "minify",
    "name",
    "no_bundle",
    "observability",
    "placement",
    "preserve_file_names",
    "preview_urls",
    "route",
    "routes",
    "rules",
    "send_metrics",
    "tsconfig",
    "upload_source_maps",
    "workers_dev",
];

/// What is read.
const READ: &[&str] =
    &["main", "durable_objects", "migrations", "vars", "limits", "secrets", "services", "assets"];

/// What a bundle is served with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// The main module.
    pub(crate) main: PathBuf,
    /// The classes by the names of their bindings; `None`: every class has one, by its name.
    pub(crate) classes: Option<BTreeMap<String, String>>,
    pub(crate) vars: Map<String, Value>,
    /// The files in front of the worker.
    pub(crate) assets: Option<Assets>,
    /// Secrets that the worker needs and that nobody has set.
    pub(crate) absent: Vec<String>,
    /// The services by the names of their bindings.
    pub(crate) services: BTreeMap<String, Service>,
    /// Those besides classes.
    pub(crate) bindings: Bindings,
    /// Time for which an event may compute.
    pub(crate) time_max: Duration,
}

impl Config {
    /// The configuration at `path`: a file of it, a folder that has one, or a worker without any; in
    /// `environment`, if one is named.
    ///
    /// # Errors
    ///
    /// `Invalid` when there is none, or it has what is not here.
    pub(crate) fn find(path: &Path, environment: Option<&str>) -> Result<Self> {
        if let Some(file) = file_at(path)? {
            return Self::read(&file, environment);
        }
        if let Some(name) = environment {
            return Err(Error::invalid(format!(
                "expected a configuration with the environment {name:?}, got a worker without any"
            )));
        }
        Ok(Self {
            main: path.to_owned(),
            classes: None,
            vars: dev_vars(path.parent(), None)?,
            assets: None,
            services: BTreeMap::new(),
            bindings: Bindings::default(),
            absent: Vec::new(),
            time_max: TIME_MAX_USUAL,
        })
    }

    fn read(path: &Path, environment: Option<&str>) -> Result<Self> {
        let settings = settings_of(path, environment)?;
        let wrong =
            |cause: &dyn std::fmt::Display| Error::invalid(format!("{}: {cause}", path.display()));
        let folder = path.parent();
        Self::of(&settings, folder.unwrap_or(Path::new(".")))
            .and_then(|mut config| {
                config.vars.extend(dev_vars(folder, environment)?);
                config.take_secrets(settings.get("secrets"), |name| std::env::var(name).ok())?;
                Ok(config)
            })
            .map_err(|error| wrong(&error.message()))
    }

    fn of(settings: &Map<String, Value>, folder: &Path) -> Result<Self> {
        let unknown: Vec<&str> = settings
            .iter()
            .filter(|(key, value)| !is_known(key) && !is_empty(value))
            .map(|(key, _)| key.as_str())
            .collect();
        if !unknown.is_empty() {
            return Err(Error::invalid(format!(
                "dotdo does not have {} yet; remove it and what uses it (docs/JAVASCRIPT.md lists what there is)",
                unknown.join(", ")
            )));
        }
        let main = settings.get("main").and_then(Value::as_str);
        let main =
            main.ok_or_else(|| Error::invalid("expected the file of the worker as `main`"))?;
        check_migrations(settings.get("migrations"))?;
        let vars = settings.get("vars").and_then(Value::as_object).cloned().unwrap_or_default();
        let name = settings.get("name").and_then(Value::as_str);
        let classes = bindings(settings.get("durable_objects"), name)?;
        let services = services::of(settings.get("services"), name)?;
        let bindings = Bindings::of(settings, folder)?;
        check_names(classes.keys().chain(services.keys()).chain(bindings.names()).collect())?;
        Ok(Self {
            main: folder.join(main),
            classes: Some(classes),
            vars,
            assets: settings.get("assets").map(|assets| Assets::of(assets, folder)).transpose()?,
            absent: Vec::new(),
            services,
            bindings,
            time_max: time_max(settings.get("limits"))?,
        })
    }
}

impl Config {
    /// Takes the secrets that `setting` requires from the environment, if `.dev.vars` has not set them.
    fn take_secrets(
        &mut self,
        setting: Option<&Value>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<()> {
        let required = setting.and_then(|setting| setting.get("required"));
        for name in required.and_then(Value::as_array).into_iter().flatten() {
            let name = name.as_str().ok_or_else(|| {
                Error::invalid("secrets.required: expected names of environment variables")
            })?;
            if self.vars.contains_key(name) {
                continue;
            }
            match variable(name) {
                Some(value) => _ = self.vars.insert(name.to_owned(), Value::String(value)),
                None => self.absent.push(name.to_owned()),
            }
        }
        Ok(())
    }
}

/// The file of the configuration at `path`: itself, or in that folder; `None` for a worker without any.
///
/// # Errors
///
/// `Invalid` when there is nothing, or a folder has none.
pub(crate) fn file_at(path: &Path) -> Result<Option<PathBuf>> {
    if let Err(cause) = path.metadata() {
        return Err(Error::invalid(format!(
            "expected a worker (.js, .mjs), its configuration ({}), or a folder that has one, at {}: {cause}",
            NAMES.join(", "),
            path.display()
        )));
    }
    if path.is_dir() {
        let found = file_in(path);
        return found.map(Some).ok_or_else(|| {
            Error::invalid(format!("expected one of {NAMES:?} in {}, found none", path.display()))
        });
    }
    let is_file = path
        .extension()
        .and_then(|end| end.to_str())
        .is_some_and(|end| ["jsonc", "json", "toml"].contains(&end));
    Ok(is_file.then(|| path.to_owned()))
}

/// The file of the configuration in `folder`, if it has one.
pub(crate) fn file_in(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// What the file of a configuration says, in `environment` if one is named.
///
/// # Errors
///
/// `Invalid` when it can't be read, or has no such environment.
pub(crate) fn settings_of(file: &Path, environment: Option<&str>) -> Result<Map<String, Value>> {
    let wrong =
        |cause: &dyn std::fmt::Display| Error::invalid(format!("{}: {cause}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|cause| wrong(&cause))?;
    let settings = if file.extension().is_some_and(|end| end == "toml") {
        toml::from_str(&text).map_err(|cause| wrong(&cause))?
    } else {
        serde_json::from_str(&without_comments(&text)).map_err(|cause| wrong(&cause))?
    };
    environments::chosen(settings, environment).map_err(|error| wrong(&error.message()))
}

fn is_known(key: &str) -> bool {
    READ.contains(&key) || bindings::READ.contains(&key) || WITHOUT_MEANING.contains(&key)
}

/// Whether a setting says nothing, as templates have many.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        _ => false,
    }
}

/// The classes by the names of their bindings. `own`: the name of the worker.
fn bindings(setting: Option<&Value>, own: Option<&str>) -> Result<BTreeMap<String, String>> {
    let listed = setting.and_then(|setting| setting.get("bindings")).and_then(Value::as_array);
    let binding = |binding: &Value| {
        let text = |key: &str| binding.get(key).and_then(Value::as_str).map(str::to_owned);
        if let Some(script) = text("script_name").filter(|script| Some(script.as_str()) != own) {
            return Err(Error::invalid(format!(
                "durable_objects: expected classes of this worker, got one of {script}; serve one worker with all classes"
            )));
        }
        text("name").zip(text("class_name")).ok_or_else(|| {
            Error::invalid("durable_objects: expected bindings with name and class_name")
        })
    };
    listed.into_iter().flatten().map(binding).collect()
}

/// Checks that no two bindings have the same name.
fn check_names(mut names: Vec<&String>) -> Result<()> {
    names.sort();
    let twin = names.windows(2).find(|pair| pair[0] == pair[1]);
    twin.map_or(Ok(()), |pair| {
        Err(Error::invalid(format!("two bindings have the name {}; rename one", pair[0])))
    })
}

/// Checks that no migration asks for more than that a class is there: every class has SQLite.
fn check_migrations(setting: Option<&Value>) -> Result<()> {
    let steps = setting.and_then(Value::as_array).into_iter().flatten();
    for (key, value) in steps.filter_map(Value::as_object).flatten() {
        if !matches!(key.as_str(), "tag" | "new_classes" | "new_sqlite_classes") && !is_empty(value)
        {
            return Err(Error::invalid(format!(
                "migrations: dotdo does not have {key} yet; move the objects of a class by `dotdo mv`, then remove the step"
            )));
        }
    }
    Ok(())
}

fn time_max(setting: Option<&Value>) -> Result<Duration> {
    let Some(limits) = setting.and_then(Value::as_object) else { return Ok(TIME_MAX_USUAL) };
    if let Some(key) = limits.keys().find(|key| *key != "cpu_ms") {
        return Err(Error::invalid(format!("limits: expected cpu_ms only, got {key}")));
    }
    let ms = limits.get("cpu_ms").map_or(Some(TIME_MAX_USUAL), |ms| {
        ms.as_u64().filter(|ms| *ms > 0).map(Duration::from_millis)
    });
    let ms =
        ms.ok_or_else(|| Error::invalid("limits.cpu_ms: expected a number of milliseconds"))?;
    Ok(ms.min(TIME_MAX))
}

/// The variables in `.dev.vars`, if that is there: a line for each. An environment may have a file of
/// its own, `.dev.vars.<name>`.
fn dev_vars(folder: Option<&Path>, environment: Option<&str>) -> Result<Map<String, Value>> {
    let folder = folder.unwrap_or(Path::new("."));
    let own = environment.map(|name| folder.join(format!(".dev.vars.{name}")));
    let path = own.filter(|own| own.is_file()).unwrap_or_else(|| folder.join(".dev.vars"));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(cause) => return Err(Error::invalid(format!("{}: {cause}", path.display()))),
    };
    let lines = text.lines().map(str::trim).enumerate();
    let variable = |(number, line): (usize, &str)| {
        let (name, value) = line.split_once('=').ok_or_else(|| {
            // Its content is secret.
            Error::invalid(format!("{}:{}: expected NAME=value", path.display(), number + 1))
        })?;
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| {
            value.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote))
        });
        let value = quoted.unwrap_or(value).to_owned();
        Ok((name.trim().trim_start_matches("export ").to_owned(), Value::String(value)))
    };
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(variable).collect()
}
