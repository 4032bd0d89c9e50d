//! Modules: the runtime's own, those that bundles import by the names that Node and Cloudflare give
//! them, and the bundle's files.
//!
//! Promises: a bundle gets at the runtime's inner modules (`dotdo:…`) by no import; a module is
//! evaluated when something imports it, and once.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rquickjs::loader::bundle::{Bundle, ScaBundleData};
use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::{Declared, Module};
use rquickjs::{Ctx, Error, Exception, Object};

use crate::source::Source;

/// The modules of the runtime, by their names: bytecode that the engine has written when this crate was
/// built. What a bundle may import begins with `node:`.
const OURS: ScaBundleData<&[u8]> = include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// The beginning of the names of Node's modules, which may be left out.
const NODE: &str = "node:";

/// Modules of Node that are not here and that bundles may import without the beginning.
const NODE_ABSENT: &[&str] = &[
    "child_process",
    "cluster",
    "dgram",
    "dns",
    "dns/promises",
    "domain",
    "fs",
    "fs/promises",
    "http",
    "http2",
    "https",
    "inspector",
    "inspector/promises",
    "net",
    "readline",
    "readline/promises",
    "repl",
    "tls",
    "trace_events",
    "tty",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
];

/// The beginning of the names of modules that only load another one.
const LOADING: &str = "dotdo:load/";

/// What Cloudflare calls some of ours.
const OF_CLOUDFLARE: &[(&str, &str)] =
    &[("cloudflare:workers", "dotdo:workers"), ("cloudflare:email", "dotdo:email")];

/// Whether the module `name` is one of ours.
fn is_ours(name: &str) -> bool {
    OURS.iter().any(|(ours, _)| *ours == name)
}

/// The whole name of a module of Node that is here.
fn of_node(name: &str) -> Option<&'static str> {
    let short = name.strip_prefix(NODE).unwrap_or(name);
    let is_it = |ours: &&str| ours.strip_prefix(NODE) == Some(short);
    OURS.iter().map(|(ours, _)| *ours).find(is_it)
}

/// The names of Node's modules that are here, in their order and without their beginning.
pub(crate) fn names_of_node() -> Vec<&'static str> {
    let mut names: Vec<_> = OURS.iter().filter_map(|(ours, _)| ours.strip_prefix(NODE)).collect();
    names.sort_unstable();
    names
}

/// What to do without a module of Node.
fn absent_of_node(base: &str, name: &str) -> String {
    format!(
        "{base} imports {name:?}, which dotdo does not have; leave out what needs it, or let the bundler put another module in its place (alias). \
         Of Node's modules there are {}",
        names_of_node().join(", ")
    )
}

/// The namespace of one of our modules, evaluated now if it was not. Ours await nothing when they are
/// evaluated.
///
/// # Errors
///
/// An exception when there is none of this name.
pub(crate) fn load<'js>(ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Object<'js>> {
    if !is_ours(name) {
        return Err(Exception::throw_message(ctx, &format!("there is no module {name}")));
    }
    // A module that imports it, so that there is one of it, whoever else imports it.
    let text = format!("export * as it from {name:?};");
    let (module, _) = Module::declare(ctx.clone(), format!("{LOADING}{name}"), text)?.eval()?;
    module.get("it")
}

/// Finds modules: ours, and the bundle's files.
#[derive(Clone)]
pub(crate) struct Modules {
    source: Arc<Source>,
    /// Why a module was not found, which exceptions do not say.
    failure: Rc<RefCell<Option<String>>>,
}

impl Modules {
    pub(crate) fn of(source: Arc<Source>) -> Self {
        Self { source, failure: Rc::default() }
    }

    /// Why a module was not found.
    pub(crate) fn take_failure(&self) -> Option<String> {
        self.failure.take()
    }

    fn failed(&self, text: String) {
        self.failure.borrow_mut().get_or_insert(text);
    }

    fn find(&self, base: &str, name: &str) -> Result<String, String> {
        if let Some((_, ours)) = OF_CLOUDFLARE.iter().find(|(theirs, _)| *theirs == name) {
            return Ok((*ours).to_owned());
        }
        if let Some(name) = of_node(name) {
            return Ok(name.to_owned());
        }
        let by_us = base.is_empty() || is_ours(base) || base.starts_with(LOADING);
        if by_us && (is_ours(name) || name == self.source.main()) {
            return Ok(name.to_owned());
        }
        if name.starts_with(NODE) || NODE_ABSENT.contains(&name) {
            return Err(absent_of_node(base, name));
        }
        self.source.resolve(base, name)
    }
}

impl Resolver for Modules {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        self.find(base, name).map_err(|text| {
            self.failed(text.clone());
            Error::new_resolving_message(base, name, text)
        })
    }
}

impl Loader for Modules {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        attributes: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        if is_ours(name) {
            return Bundle(OURS).load(ctx, name, attributes);
        }
        let text = self.source.text(name).map_err(|text| {
            self.failed(text.clone());
            Error::new_loading_message(name, text)
        })?;
        Module::declare(ctx.clone(), name, text.as_bytes())
    }
}
