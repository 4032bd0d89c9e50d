//! Modules: the runtime's own, those that bundles import by the names that Node and Cloudflare give
//! them, and the bundle's files.
//!
//! Promises: a bundle gets at the runtime's inner modules (`dotdo:…`) by no import; a module's text is
//! evaluated when something imports it, and once.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::{Declared, Module};
use rquickjs::{Ctx, Error, Exception, Object};

use crate::source::Source;

/// The modules of the runtime. What a bundle may import begins with `node:`; the first is what Rust
/// enters by.
const OURS: &[(&str, &str)] = &[
    ("dotdo:main", include_str!("../runtime/main.js")),
    ("dotdo:host", include_str!("../runtime/host.js")),
    ("dotdo:events", include_str!("../runtime/events.js")),
    ("dotdo:clone", include_str!("../runtime/clone.js")),
    ("dotdo:sockets", include_str!("../runtime/sockets.js")),
    ("dotdo:web", include_str!("../runtime/web.js")),
    ("dotdo:environment", include_str!("../runtime/environment.js")),
    ("dotdo:lazy", include_str!("../runtime/lazy.js")),
    ("dotdo:forms", include_str!("../runtime/forms.js")),
    ("dotdo:subtle", include_str!("../runtime/subtle.js")),
    ("dotdo:crypto/aes", include_str!("../runtime/crypto/aes.js")),
    ("dotdo:crypto/curves", include_str!("../runtime/crypto/curves.js")),
    ("dotdo:crypto/der", include_str!("../runtime/crypto/der.js")),
    ("dotdo:crypto/keys", include_str!("../runtime/crypto/keys.js")),
    ("dotdo:crypto/rsa", include_str!("../runtime/crypto/rsa.js")),
    ("dotdo:crypto/secrets", include_str!("../runtime/crypto/secrets.js")),
    ("dotdo:crypto/stream", include_str!("../runtime/crypto/stream.js")),
    ("dotdo:messages", include_str!("../runtime/messages.js")),
    ("dotdo:patterns", include_str!("../runtime/patterns.js")),
    ("dotdo:patterns/parts", include_str!("../runtime/patterns/parts.js")),
    ("dotdo:compression", include_str!("../runtime/compression.js")),
    ("dotdo:streams", include_str!("../runtime/streams.js")),
    ("dotdo:streams/base", include_str!("../runtime/streams/base.js")),
    ("dotdo:streams/readable", include_str!("../runtime/streams/readable.js")),
    ("dotdo:streams/writable", include_str!("../runtime/streams/writable.js")),
    ("dotdo:errors", include_str!("../runtime/errors.js")),
    ("dotdo:members", include_str!("../runtime/members.js")),
    ("dotdo:callbacks", include_str!("../runtime/callbacks.js")),
    ("dotdo:bodies", include_str!("../runtime/bodies.js")),
    ("dotdo:bindings", include_str!("../runtime/bindings/bindings.js")),
    ("dotdo:bindings/ask", include_str!("../runtime/bindings/ask.js")),
    ("dotdo:bindings/object", include_str!("../runtime/bindings/object.js")),
    ("dotdo:bindings/shards", include_str!("../runtime/bindings/shards.js")),
    ("dotdo:bindings/pieces", include_str!("../runtime/bindings/pieces.js")),
    ("dotdo:bindings/content-object", include_str!("../runtime/bindings/content-object.js")),
    ("dotdo:bindings/index-object", include_str!("../runtime/bindings/index-object.js")),
    ("dotdo:bindings/kv", include_str!("../runtime/bindings/kv.js")),
    ("dotdo:bindings/kv-object", include_str!("../runtime/bindings/kv-object.js")),
    ("dotdo:bindings/r2", include_str!("../runtime/bindings/r2.js")),
    ("dotdo:bindings/r2-object", include_str!("../runtime/bindings/r2-object.js")),
    ("dotdo:bindings/r2-objects", include_str!("../runtime/bindings/r2-objects.js")),
    ("dotdo:bindings/d1", include_str!("../runtime/bindings/d1.js")),
    ("dotdo:bindings/d1-object", include_str!("../runtime/bindings/d1-object.js")),
    ("dotdo:bindings/queue", include_str!("../runtime/bindings/queue.js")),
    ("dotdo:bindings/queue-object", include_str!("../runtime/bindings/queue-object.js")),
    ("dotdo:bindings/messages", include_str!("../runtime/bindings/messages.js")),
    ("dotdo:bindings/handlers", include_str!("../runtime/bindings/handlers.js")),
    ("dotdo:bindings/cron-object", include_str!("../runtime/bindings/cron-object.js")),
    ("dotdo:operations", include_str!("../runtime/operations.js")),
    ("dotdo:rpc", include_str!("../runtime/rpc.js")),
    ("dotdo:storage", include_str!("../runtime/storage.js")),
    ("dotdo:timers", include_str!("../runtime/timers.js")),
    ("dotdo:objects", include_str!("../runtime/objects.js")),
    ("dotdo:workers", include_str!("../runtime/workers.js")),
    ("dotdo:tracing", include_str!("../runtime/tracing.js")),
    ("dotdo:context", include_str!("../runtime/context.js")),
    ("dotdo:email", include_str!("../runtime/email.js")),
    ("dotdo:node/errors", include_str!("../runtime/node/errors.js")),
    ("dotdo:node/numbers", include_str!("../runtime/node/numbers.js")),
    ("dotdo:node/resource", include_str!("../runtime/node/resource.js")),
    ("dotdo:node/tracking", include_str!("../runtime/node/tracking.js")),
    ("dotdo:node/assert/error", include_str!("../runtime/node/assert/error.js")),
    ("dotdo:node/buffer/encodings", include_str!("../runtime/node/buffer/encodings.js")),
    ("dotdo:node/buffer/numbers", include_str!("../runtime/node/buffer/numbers.js")),
    ("dotdo:node/buffer/search", include_str!("../runtime/node/buffer/search.js")),
    ("dotdo:node/path/parts", include_str!("../runtime/node/path/parts.js")),
    ("dotdo:node/url/legacy", include_str!("../runtime/node/url/legacy.js")),
    ("dotdo:node/util/args", include_str!("../runtime/node/util/args.js")),
    ("dotdo:node/util/equal", include_str!("../runtime/node/util/equal.js")),
    ("dotdo:node/util/format", include_str!("../runtime/node/util/format.js")),
    ("dotdo:node/util/inspect", include_str!("../runtime/node/util/inspect.js")),
    ("dotdo:node/util/lines", include_str!("../runtime/node/util/lines.js")),
    ("dotdo:node/util/mime", include_str!("../runtime/node/util/mime.js")),
    ("dotdo:node/util/names", include_str!("../runtime/node/util/names.js")),
    ("dotdo:node/util/quote", include_str!("../runtime/node/util/quote.js")),
    ("node:assert", include_str!("../runtime/node/assert.js")),
    ("node:assert/strict", include_str!("../runtime/node/assert/strict.js")),
    ("node:async_hooks", include_str!("../runtime/node/async_hooks.js")),
    ("dotdo:node/stream/adapters", include_str!("../runtime/node/stream/adapters.js")),
    ("dotdo:node/stream/base", include_str!("../runtime/node/stream/base.js")),
    ("dotdo:node/stream/duplex", include_str!("../runtime/node/stream/duplex.js")),
    ("dotdo:node/stream/finished", include_str!("../runtime/node/stream/finished.js")),
    ("dotdo:node/stream/from", include_str!("../runtime/node/stream/from.js")),
    ("dotdo:node/stream/pipe", include_str!("../runtime/node/stream/pipe.js")),
    ("dotdo:node/stream/pipeline", include_str!("../runtime/node/stream/pipeline.js")),
    ("dotdo:node/stream/readable", include_str!("../runtime/node/stream/readable.js")),
    ("dotdo:node/stream/writable", include_str!("../runtime/node/stream/writable.js")),
    ("dotdo:node/crypto/base", include_str!("../runtime/node/crypto/base.js")),
    ("dotdo:node/crypto/ciphers", include_str!("../runtime/node/crypto/ciphers.js")),
    ("dotdo:node/crypto/constants", include_str!("../runtime/node/crypto/constants.js")),
    ("dotdo:node/crypto/derive", include_str!("../runtime/node/crypto/derive.js")),
    ("dotdo:node/crypto/hashes", include_str!("../runtime/node/crypto/hashes.js")),
    ("dotdo:node/crypto/objects", include_str!("../runtime/node/crypto/objects.js")),
    ("dotdo:node/crypto/random", include_str!("../runtime/node/crypto/random.js")),
    ("dotdo:node/crypto/signing", include_str!("../runtime/node/crypto/signing.js")),
    ("dotdo:node/zlib/coder", include_str!("../runtime/node/zlib/coder.js")),
    ("dotdo:node/zlib/constants", include_str!("../runtime/node/zlib/constants.js")),
    ("node:crypto", include_str!("../runtime/node/crypto.js")),
    ("node:zlib", include_str!("../runtime/node/zlib.js")),
    ("node:stream", include_str!("../runtime/node/stream.js")),
    ("node:stream/consumers", include_str!("../runtime/node/stream/consumers.js")),
    ("node:stream/promises", include_str!("../runtime/node/stream/promises.js")),
    ("node:stream/web", include_str!("../runtime/node/stream/web.js")),
    ("node:buffer", include_str!("../runtime/node/buffer.js")),
    ("node:console", include_str!("../runtime/node/console.js")),
    ("node:constants", include_str!("../runtime/node/constants.js")),
    ("node:diagnostics_channel", include_str!("../runtime/node/diagnostics_channel.js")),
    ("node:events", include_str!("../runtime/node/events.js")),
    ("node:module", include_str!("../runtime/node/module.js")),
    ("node:os", include_str!("../runtime/node/os.js")),
    ("node:path", include_str!("../runtime/node/path.js")),
    ("node:path/posix", include_str!("../runtime/node/path/posix.js")),
    ("node:path/win32", include_str!("../runtime/node/path/win32.js")),
    ("node:perf_hooks", include_str!("../runtime/node/perf_hooks.js")),
    ("node:process", include_str!("../runtime/node/process.js")),
    ("node:punycode", include_str!("../runtime/node/punycode.js")),
    ("node:querystring", include_str!("../runtime/node/querystring.js")),
    ("node:string_decoder", include_str!("../runtime/node/string_decoder.js")),
    ("node:sys", include_str!("../runtime/node/sys.js")),
    ("node:timers", include_str!("../runtime/node/timers.js")),
    ("node:timers/promises", include_str!("../runtime/node/timers/promises.js")),
    ("node:url", include_str!("../runtime/node/url.js")),
    ("node:util", include_str!("../runtime/node/util.js")),
    ("node:util/types", include_str!("../runtime/node/util/types.js")),
];

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

/// The text of the module `name`, if it is one of ours.
fn ours(name: &str) -> Option<&'static str> {
    OURS.iter().find(|(ours, _)| *ours == name).map(|(_, text)| *text)
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
    if ours(name).is_none() {
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
        let is_ours = base.is_empty() || ours(base).is_some() || base.starts_with(LOADING);
        if is_ours && (ours(name).is_some() || name == self.source.main()) {
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
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        if let Some(text) = ours(name) {
            return Module::declare(ctx.clone(), name, text);
        }
        let text = self.source.text(name).map_err(|text| {
            self.failed(text.clone());
            Error::new_loading_message(name, text)
        })?;
        Module::declare(ctx.clone(), name, text.as_bytes())
    }
}
