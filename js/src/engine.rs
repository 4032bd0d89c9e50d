//! QuickJS on its thread: the modules, the limits, and the loop that runs an event until nothing is
//! left to do.
//!
//! Promises: an event ends within its time, whatever it runs; after a [`Fault`] the engine is not
//! used again. Must not know: objects' databases, requests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rquickjs::function::Function;
use rquickjs::module::Module;
use rquickjs::promise::PromiseHookType;
use rquickjs::{
    CatchResultExt, CaughtError, Context, Ctx, Error, Object, Persistent, Runtime, TypedArray,
    Value,
};

use crate::assets::Assets;
use crate::event::{Effect, Fault};
use crate::host::{self, Bridge};
use crate::limits::{LOAD_TIME_MAX, MEMORY_BYTES_MAX, STACK_BYTES_MAX};
use crate::modules::Modules;
use crate::source::Source;

type Entry = Persistent<Function<'static>>;

/// A runtime with a bundle.
pub(crate) struct Engine {
    // The order is the order of dropping: values, then what they belong to.
    dispatch: Entry,
    end_slice: Entry,
    rejection: Rc<RefCell<Option<Entry>>>,
    context: Context,
    runtime: Runtime,
    deadline: Rc<Deadline>,
    bridge: Rc<Bridge>,
    time_max: Duration,
    /// Whether QuickJS tells of promises.
    tracks_promises: Cell<bool>,
}

/// When an event has to end, which QuickJS asks about all the time.
#[derive(Default)]
struct Deadline {
    at: Cell<Option<Instant>>,
    /// Whether it has passed while code ran.
    is_over: Cell<bool>,
}

impl Deadline {
    fn begin(&self, time_max: Duration) {
        self.is_over.set(false);
        self.at.set(Some(Instant::now() + time_max));
    }

    fn has_passed(&self) -> bool {
        let passed = self.at.get().is_some_and(|at| Instant::now() > at);
        if passed {
            self.is_over.set(true);
        }
        passed
    }
}

/// What a new engine is made of.
pub(crate) struct Parts {
    pub(crate) source: Arc<Source>,
    /// What `configure` in `runtime/environment.js` takes.
    pub(crate) environment: String,
    pub(crate) time_max: Duration,
    /// The files that are served in front of the worker.
    pub(crate) assets: Option<Assets>,
}

impl Engine {
    /// An engine with its bundle loaded, and what the bundle exports.
    ///
    /// # Errors
    ///
    /// What is wrong with the bundle.
    pub(crate) fn load(parts: &Parts, bridge: Rc<Bridge>) -> Result<(Self, String), String> {
        let failed = |error: Error| format!("cannot start a realm: {error}");
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(MEMORY_BYTES_MAX);
        runtime.set_max_stack_size(STACK_BYTES_MAX);
        let resolving = Modules::of(parts.source.clone());
        runtime.set_loader(resolving.clone(), resolving.clone());
        let deadline = Rc::new(Deadline::default());
        runtime.set_interrupt_handler(Some(Box::new({
            let deadline = deadline.clone();
            move || deadline.has_passed()
        })));
        let context = Context::full(&runtime).map_err(failed)?;
        // Only what follows contexts needs to know of promises, and each would cost all others time.
        let tracks_promises = Cell::new(parts.source.mentions(CONTEXTS));
        if tracks_promises.get() {
            track_promises(&runtime, &bridge, &deadline);
        }
        deadline.begin(LOAD_TIME_MAX);
        let loading = Loading { context: &context, modules: &resolving };
        context.with(|ctx| host::install(&ctx, &bridge)).map_err(failed)?;
        loading.ours()?;
        let exported = loading.bundle(parts).map_err(|text| parts.source.shown(&text))?;
        let [dispatch, end_slice, rejection] = loading.entries()?;
        let rejection = Rc::new(RefCell::new(Some(rejection)));
        track_rejections(&runtime, &rejection);
        deadline.at.set(None);
        let time_max = parts.time_max;
        let engine = Self {
            dispatch,
            end_slice,
            rejection,
            context,
            runtime,
            deadline,
            bridge,
            time_max,
            tracks_promises,
        };
        Ok((engine, exported))
    }

    /// Runs an event until nothing is left to do.
    ///
    /// # Errors
    ///
    /// Why the engine has ended.
    pub(crate) fn run(&self, event: &str, body: Option<Vec<u8>>) -> Result<Vec<Effect>, Fault> {
        if !self.tracks_promises.get() && self.bridge.tracking().is_some() {
            track_promises(&self.runtime, &self.bridge, &self.deadline);
            self.tracks_promises.set(true);
        }
        self.deadline.begin(self.time_max);
        let entered = self.context.with(|ctx| {
            let dispatch = self.dispatch.clone().restore(&ctx)?;
            let body = body.map(|body| TypedArray::<u8>::new(ctx.clone(), body)).transpose()?;
            dispatch
                .call::<_, ()>((event, body))
                .catch(&ctx)
                .map_err(|error| described(&error))
                .map_or_else(|text| Ok(Some(text)), |()| Ok::<_, Error>(None))
        });
        match entered {
            Ok(None) => {}
            Ok(Some(text)) => return Err(self.fault(text)),
            Err(error) => return Err(self.fault(error.to_string())),
        }
        loop {
            self.finish()?;
            let more = self.context.with(|ctx| {
                let told = self.end_slice.clone().restore(&ctx).and_then(|end| end.call(()));
                told.catch(&ctx).map_err(|error| described(&error))
            });
            if !more.map_err(|text| self.fault(text))? {
                break;
            }
        }
        self.finish()?;
        self.deadline.at.set(None);
        Ok(self.bridge.take_effects())
    }

    /// Runs what promises are waiting for, to the end.
    fn finish(&self) -> Result<(), Fault> {
        drain(&self.runtime, &self.deadline).map_err(|text| self.fault(text))?;
        if self.deadline.has_passed() || self.deadline.is_over.get() {
            return Err(Fault::Time);
        }
        if self.bridge.is_out_of_memory() { Err(Fault::Memory) } else { Ok(()) }
    }

    fn fault(&self, text: String) -> Fault {
        if self.deadline.is_over.get() {
            Fault::Time
        } else if is_out_of_memory(&text) || text == NULL_THROWN {
            Fault::Memory
        } else {
            Fault::Broken(text)
        }
    }
}

/// What an exception is that is null. QuickJS throws it when there is no memory left for an error; a
/// class's own never gets out of its promise.
const NULL_THROWN: &str = "null was thrown";

/// Whether a message is QuickJS's when an allocation has failed.
pub(crate) fn is_out_of_memory(message: &str) -> bool {
    message.contains("out of memory")
}

/// Runs what promises are waiting for, to the end.
///
/// # Errors
///
/// An exception that no promise takes, or that the time is over.
fn drain(runtime: &Runtime, deadline: &Deadline) -> Result<(), String> {
    loop {
        if deadline.is_over.get() {
            return Err("the time is over".to_owned());
        }
        match runtime.execute_pending_job() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(failed) => {
                return Err(failed.0.with(|ctx| {
                    let value = ctx.catch();
                    described(&CaughtError::from_error(&ctx, ctx.throw(value)))
                }));
            }
        }
    }
}

/// An exception as text, with its stack.
fn described(error: &CaughtError<'_>) -> String {
    match error {
        CaughtError::Error(error) => error.to_string(),
        CaughtError::Exception(exception) => {
            let name: String = exception.as_object().get("name").unwrap_or_default();
            let (message, stack) = (exception.message(), exception.stack());
            format!("{name}: {}\n{}", message.unwrap_or_default(), stack.unwrap_or_default())
        }
        CaughtError::Value(value) if value.is_null() => NULL_THROWN.to_owned(),
        CaughtError::Value(value) => format!("{value:?} was thrown"),
    }
}

/// Tells the realm of promises that are rejected, and of those that are handled later.
fn track_rejections(runtime: &Runtime, rejection: &Rc<RefCell<Option<Entry>>>) {
    let rejection = rejection.clone();
    runtime.set_host_promise_rejection_tracker(Some(Box::new(
        move |ctx: Ctx<'_>, promise: Value<'_>, reason: Value<'_>, is_handled: bool| {
            let Some(entry) = rejection.borrow().clone() else { return };
            // It only keeps notes for the log.
            let told = entry
                .restore(&ctx)
                .and_then(|tell| tell.call::<_, ()>((promise, reason, is_handled)));
            if told.is_err() {
                ctx.catch();
            }
        },
    )));
}

/// The module whose importers follow contexts.
const CONTEXTS: &str = "async_hooks";

/// Tells `runtime/node/tracking.js` of promises, once it has asked for that.
fn track_promises(runtime: &Runtime, bridge: &Rc<Bridge>, deadline: &Rc<Deadline>) {
    let (bridge, deadline) = (bridge.clone(), deadline.clone());
    runtime.set_promise_hook(Some(Box::new(
        move |ctx: Ctx<'_>, kind: PromiseHookType, promise: Value<'_>, parent: Value<'_>| {
            // The end of an event's time must be an exception of its code, not of this.
            if deadline.is_over.get() {
                return;
            }
            let Some(tracking) = bridge.tracking() else { return };
            let what = match kind {
                PromiseHookType::Init => 0,
                PromiseHookType::Before => 1,
                PromiseHookType::After => 2,
                PromiseHookType::Resolve => 3,
            };
            // It keeps notes, and fails only when memory or time is over.
            let told =
                tracking.restore(&ctx).and_then(|tell| tell.call::<_, ()>((what, promise, parent)));
            if told.is_err() {
                ctx.catch();
            }
        },
    )));
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The runtime has the trackers, and may not have what belongs to itself.
        self.rejection.take();
        self.bridge.track_no_more();
    }
}

/// A bundle that is being loaded.
struct Loading<'a> {
    context: &'a Context,
    modules: &'a Modules,
}

impl Loading<'_> {
    /// Loads our own modules.
    fn ours(&self) -> Result<(), String> {
        self.module("dotdo:main", |_, _| Ok(()))
    }

    /// Loads the bundle, configures it, and asks what it exports.
    fn bundle(&self, parts: &Parts) -> Result<String, String> {
        self.module("dotdo:main", |ctx, main| {
            let configure: Function<'_> = main.get("configure")?;
            configure.call((ctx.json_parse(parts.environment.as_str())?,))
        })?;
        let exported = Rc::new(RefCell::new(String::new()));
        let name = parts.source.main();
        self.module(name, |ctx, bundle| ctx.globals().set(BUNDLE, bundle.clone()))?;
        self.module("dotdo:main", |ctx, main| {
            let describe: Function<'_> = main.get("describe")?;
            let bundle: Object<'_> = ctx.globals().get(BUNDLE)?;
            ctx.globals().remove(BUNDLE)?;
            *exported.borrow_mut() = describe.call((bundle,))?;
            Ok(())
        })?;
        Ok(exported.take())
    }

    /// The functions that Rust calls.
    fn entries(&self) -> Result<[Entry; 3], String> {
        let entries = RefCell::new(None);
        self.module("dotdo:main", |ctx, main| {
            let entry = |name: &str| {
                Ok::<_, Error>(Persistent::save(ctx, main.get::<_, Function<'_>>(name)?))
            };
            let found = [entry("dispatch")?, entry("endSlice")?, entry("rejection")?];
            *entries.borrow_mut() = Some(found);
            Ok(())
        })?;
        entries.take().ok_or_else(|| "the runtime has no entries".to_owned())
    }

    /// Evaluates the module `name`, unless it was, and does something with it.
    fn module(
        &self,
        name: &str,
        work: impl for<'js> FnOnce(&Ctx<'js>, &Object<'js>) -> rquickjs::Result<()>,
    ) -> Result<(), String> {
        self.context
            .with(|ctx| {
                let imported =
                    Module::import(&ctx, name).catch(&ctx).map_err(|error| described(&error))?;
                let namespace: Object<'_> =
                    imported.finish().catch(&ctx).map_err(|error| described(&error))?;
                work(&ctx, &namespace).catch(&ctx).map_err(|error| described(&error))
            })
            .map_err(|text: String| self.modules.take_failure().unwrap_or(text))
    }
}

/// Where the namespace of the bundle is between two steps of loading.
const BUNDLE: &str = "__dotdo_bundle";
