//! A bundle that can be served: its classes as an app, and its worker in front of them.

use std::path::Path;
use std::sync::Arc;

use dotdo::engine::Clock;
use dotdo::service::Gateway;
use dotdo::{App, Error, Result};
use serde::Deserialize;

use crate::assets::Assets;
use crate::config::{Config, OWN_CLASSES};
use crate::engine::Parts;
use crate::machine::Machine;
use crate::object::JsObject;
use crate::project::Project;
use crate::realms::Realms;
use crate::source::Source;
use crate::worker::Front;

/// A worker with its classes, loaded.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use dotdo::Serve;
/// use dotdo_js::Bundle;
///
/// fn main() -> ExitCode {
///     match Bundle::open("dist/worker.js".as_ref()) {
///         Ok(bundle) => Serve::new(bundle.app()).gateway(bundle.gateway()).run(),
///         Err(error) => {
///             eprintln!("{}", error.message());
///             ExitCode::from(2)
///         }
///     }
/// }
/// ```
pub struct Bundle {
    realms: Arc<Realms>,
    clock: Arc<dyn Clock>,
    classes: Vec<String>,
    source: Arc<Source>,
    crons: Vec<String>,
}

/// What a bundle exports, as `describe` in `runtime/main.js` says.
#[derive(Deserialize)]
struct Exported {
    classes: Vec<String>,
    functions: Vec<String>,
    handlers: Vec<String>,
    entrypoints: Vec<String>,
}

impl Bundle {
    /// Loads the bundle at `path`: a worker (`.js`, `.mjs`), a `wrangler.jsonc`, `.json` or `.toml`, or
    /// a folder that has one.
    ///
    /// # Errors
    ///
    /// `Invalid` when it can't be loaded, or needs what is not here; the message says what.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_on(path, Machine::default())
    }

    /// Loads the bundle at `path` for `machine`.
    ///
    /// # Errors
    ///
    /// Those of [`Bundle::open`].
    pub fn open_on(path: &Path, machine: Machine) -> Result<Self> {
        Self::of(&Project::find(path)?, machine)
    }

    /// Loads the bundle of a project for `machine`.
    ///
    /// # Errors
    ///
    /// Those of [`Bundle::open`].
    pub fn of(project: &Project, machine: Machine) -> Result<Self> {
        let config = &project.config;
        let source = Arc::new(Source::open(&config.main)?);
        let bindings = Some(&config.bindings).filter(|bindings| !bindings.is_empty());
        let environment = serde_json::json!({
            "vars": config.vars, "classes": config.classes, "bindings": bindings,
            "services": config.services,
            "assets": config.assets.as_ref().and_then(Assets::binding),
        });
        let parts = Parts {
            source: source.clone(),
            environment: environment.to_string(),
            time_max: config.time_max,
            assets: config.assets.clone(),
        };
        let clock = machine.clock.clone();
        let (realms, exported) = Realms::start(Arc::new(parts), machine)?;
        let exported: Exported = serde_json::from_str(&exported)
            .map_err(|cause| Error::internal(format!("the runtime describes a bundle: {cause}")))?;
        let mut own = config.bindings.classes(&exported.handlers);
        let mut classes = checked(config, exported)?;
        classes.extend(own.drain(..).map(str::to_owned));
        if classes.is_empty() {
            return Err(Error::invalid(
                "expected the worker to export a class that extends DurableObject, or to have bindings, got neither",
            ));
        }
        Ok(Self {
            realms: Arc::new(realms),
            clock,
            classes,
            crons: config.bindings.crons.clone(),
            source,
        })
    }

    /// The classes.
    pub fn app(&self) -> App {
        self.classes.iter().fold(App::new(), |app, name| {
            let (realms, class): (_, Arc<str>) = (self.realms.clone(), name.as_str().into());
            app.class(name, move || JsObject::new(realms.clone(), class.clone()))
        })
    }

    /// The names of the classes, in alphabetical order.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The modules that were read so far, by their names in the bundle's folder: the main one, then the
    /// others.
    pub fn modules(&self) -> Vec<(String, Arc<str>)> {
        self.source.modules()
    }

    /// The worker in front of them. Without it, clients would reach the objects and their methods by
    /// the server's own routes.
    pub fn gateway(&self) -> impl Gateway + use<> {
        // It is loaded while the server starts. Without it the first event that needs one loads it.
        if let Err(error) = self.realms.prepare() {
            tracing::warn!(target: "dotdo::javascript", code = error.code(), "{}", error.message());
        }
        Front { realms: self.realms.clone(), clock: self.clock.clone(), crons: self.crons.clone() }
    }
}

/// The handlers of a worker that something is sent to.
const HANDLERS: [&str; 3] = ["fetch", "queue", "scheduled"];

/// The names of the classes, if the bundle has what its configuration says, and nothing that is
/// not here.
fn checked(config: &Config, exported: Exported) -> Result<Vec<String>> {
    let Exported { mut classes, functions, handlers, entrypoints } = exported;
    let absent: Vec<&String> =
        handlers.iter().filter(|name| !HANDLERS.contains(&name.as_str())).collect();
    if !absent.is_empty() {
        return Err(Error::invalid(format!(
            "the worker handles {absent:?}, which dotdo never sends it yet; remove it, or use an alarm of an object"
        )));
    }
    if handlers.is_empty() {
        return Err(Error::invalid(
            "expected the worker to export a default with fetch(request, env), got none; it is what clients reach",
        ));
    }
    let bindings = &config.bindings;
    for (handler, is_needed, setting) in [
        ("queue", !bindings.consumers.is_empty(), "queues.consumers"),
        ("scheduled", !bindings.crons.is_empty(), "triggers.crons"),
    ] {
        if is_needed && !handlers.iter().any(|name| name == handler) {
            return Err(Error::invalid(format!(
                "expected the worker to have a handler {handler}, which {setting} is for, got none"
            )));
        }
    }
    for (binding, service) in &config.services {
        let name = service.export();
        if !entrypoints.iter().any(|known| known == name) {
            return Err(Error::invalid(format!(
                "the service {binding} names the entrypoint {name}, which the worker does not export; it exports {entrypoints:?}"
            )));
        }
    }
    for (binding, class) in config.classes.iter().flatten() {
        if !functions.contains(class) {
            return Err(Error::invalid(format!(
                "the binding {binding} names the class {class}, which the worker does not export; it exports {functions:?}"
            )));
        }
        if !classes.contains(class) {
            classes.push(class.clone());
        }
    }
    classes.sort();
    for (at, class) in classes.iter().enumerate() {
        let is_name = class.len() <= 64
            && !class.starts_with(|letter: char| letter.is_ascii_digit())
            && class.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(Error::invalid(format!(
                "expected a class name of letters, digits and _, at most 64, got {class:?}"
            )));
        }
        if class.to_ascii_lowercase().starts_with(OWN_CLASSES) {
            return Err(Error::invalid(format!(
                "the class name {class} begins with {OWN_CLASSES}, as those of bindings do; rename it"
            )));
        }
        if let Some(twin) = classes[..at].iter().find(|twin| twin.eq_ignore_ascii_case(class)) {
            return Err(Error::invalid(format!(
                "the class names {twin} and {class} differ in case only; rename one"
            )));
        }
    }
    Ok(classes)
}
