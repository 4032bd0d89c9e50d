//! The trait that users implement, and the classes of a program.

mod analytics;
mod names;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use crate::alarms::AlarmInfo;
use crate::error::{Error, Result};
use crate::id::{ClassNames, is_class_name};
use crate::object::body::{Request, Response};
use crate::object::context::Context;
use crate::object::loaded::{AnyObject, Loaded, Unknown};
use crate::object::schedule::Schedule;
use crate::object::socket::WebSocket;
use crate::rollup::is_rollup;
use crate::router::Router;
use crate::sockets::{SocketClose, SocketMessage};
use crate::sqlite::is_reserved;

/// A class of durable objects, with one value of the type per object in memory.
///
/// `fetch` handles one request at a time, in one transaction on the object's own database. When it
/// returns a response, everything that it changed is in the bucket before the response leaves. When
/// it returns an error, panics or runs out of time, the transaction is rolled back and the value is
/// created anew: keep durable state in the database, and use fields as a cache.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, DurableObject, IntoResponse, Request, Response, Result};
///
/// struct Visits;
///
/// impl DurableObject for Visits {
///     async fn start(&mut self, ctx: &mut Context) -> Result<()> {
///         ctx.migrate(&["CREATE TABLE visits (at_ms INTEGER NOT NULL)"])
///     }
///
///     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
///         let now_ms = ctx.now_ms();
///         ctx.sql().exec("INSERT INTO visits VALUES (?)", (now_ms,))?;
///         let count: u64 = ctx.sql().exec("SELECT count(*) FROM visits", ())?.one()?;
///         count.to_string().into_response()
///     }
/// }
/// ```
pub trait DurableObject: Send + 'static {
    /// Whether the handler reads the body of a request while it arrives. By default a request gets
    /// its turn when its body has arrived, so that a slow client does not delay others.
    ///
    /// A handler that reads a body while it arrives keeps the object's turn meanwhile, so all other
    /// requests wait for its client, for the maximum time of a handler at most.
    const STREAMS_REQUESTS: bool = false;

    /// Prepares the value for its first request, in that request's transaction: it migrates the
    /// database ([`Context::migrate`]), or fills fields from it. Does nothing by default.
    ///
    /// A value is created when the object comes into memory, after a failed request, and, in
    /// functions, after another instance has written. So this runs many times in an object's life
    /// and must have the same result each time. It is part of the first request: they share a
    /// record and the maximum time of a handler, and the context is that request's.
    ///
    /// If the object's database is empty, its changes are kept only if the request changes
    /// something, too: reading does not create an object. On a former state, its changes exist only
    /// in memory.
    ///
    /// # Errors
    ///
    /// Any error fails the request and rolls back the start; the next request runs it again.
    fn start(&mut self, ctx: &mut Context) -> impl Future<Output = Result<()>> + Send {
        let _ = ctx;
        std::future::ready(Ok(()))
    }

    /// Answers one request.
    ///
    /// # Errors
    ///
    /// Any error rolls the transaction back; its kind determines the status of the response.
    fn fetch(
        &mut self,
        request: Request,
        ctx: &mut Context,
    ) -> impl Future<Output = Result<Response>> + Send;

    /// Runs when the time has come that the object has set ([`Context::set_alarm`]), on whatever
    /// server then has the object, in a transaction and within the maximum time of a handler.
    ///
    /// Its record has its changes and says that the alarm is done, so its changes happen once. What
    /// it does outside of the object (calls, requests to others) may happen again: when it fails, or
    /// its server crashes before the record. While it runs, no other alarm or request of the object
    /// does. A handler that sets the alarm again repeats itself.
    ///
    /// # Errors
    ///
    /// Any error rolls the transaction back. The alarm stays and runs again after 2 s, 4 s, and so on
    /// up to an hour, without an end: return `Ok` to give up, for example when
    /// [`AlarmInfo::retry_count`] is high.
    fn alarm(
        &mut self,
        info: AlarmInfo,
        ctx: &mut Context,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (info, ctx);
        std::future::ready(Err(Error::handler(
            "the object has set an alarm, and its class has no method `alarm`; add one",
        )
        .with_code("NO_ALARM_HANDLER")))
    }

    /// Runs at the time of a schedule ([`Context::schedule`]), as
    /// [`alarm`](DurableObject::alarm) does at the object's alarm: in a transaction, until it has
    /// succeeded once, one at a time.
    ///
    /// # Errors
    ///
    /// Any error rolls the transaction back. It runs again after 2 s, 4 s, and so on up to an hour; a
    /// schedule that is repeated passes over its times meanwhile.
    fn scheduled(
        &mut self,
        schedule: Schedule,
        ctx: &mut Context,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (schedule, ctx);
        std::future::ready(Err(Error::handler(
            "the object has a schedule, and its class has no method `scheduled`; add one",
        )
        .with_code("NO_SCHEDULE_HANDLER")))
    }

    /// Runs when a message has come on a socket that the object has accepted
    /// ([`Context::accept`]), in a transaction and within the maximum time of a handler. Messages of
    /// one socket run one after the other, in their order.
    ///
    /// # Errors
    ///
    /// Any error rolls the transaction back and closes the socket, with 1011 and the error's code, so
    /// that the client knows that its message was not handled. The default is an error.
    fn websocket_message(
        &mut self,
        socket: WebSocket,
        message: SocketMessage,
        ctx: &mut Context,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (socket, message, ctx);
        std::future::ready(Err(Error::handler(
            "a message has come on a socket, and the class has no method `websocket_message`; add one",
        )
        .with_code("NO_MESSAGE_HANDLER")))
    }

    /// Runs once when a socket has ended, however it did: closed by its client or by the object, or
    /// broken off (code 1006). It is not in [`Context::sockets`] any more. Does nothing by default.
    ///
    /// # Errors
    ///
    /// Any error rolls the transaction back. The socket is then forgotten without it.
    fn websocket_close(
        &mut self,
        socket: WebSocket,
        close: SocketClose,
        ctx: &mut Context,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (socket, close, ctx);
        std::future::ready(Ok(()))
    }

    /// Runs before [`websocket_close`](DurableObject::websocket_close), in the same transaction, when
    /// a socket was not closed by its client or the object, but ended by an error. Does nothing by
    /// default.
    ///
    /// # Errors
    ///
    /// Those of [`websocket_close`](DurableObject::websocket_close).
    fn websocket_error(
        &mut self,
        socket: WebSocket,
        error: Error,
        ctx: &mut Context,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (socket, error, ctx);
        std::future::ready(Ok(()))
    }
}

/// The classes that a program serves.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{App, Context, DurableObject, IntoResponse, Request, Response, Result};
///
/// struct Hello {
///     greeting: String,
/// }
///
/// impl DurableObject for Hello {
///     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
///         format!("{}, {}", self.greeting, ctx.id().id()).into_response()
///     }
/// }
///
/// let app = App::new()
///     .class("Hello", || Hello { greeting: "hello".into() })
///     .class("Hej", || Hello { greeting: "hej".into() })
///     .with_default_class("Hej")?;
/// assert_eq!(app.class_names().collect::<Vec<_>>(), ["Hej", "Hello"]);
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct App {
    classes: BTreeMap<String, Class>,
    default_class: Option<String>,
    /// The class that was added last.
    newest: Option<String>,
    /// The tables that are rolled up, by class.
    analytics: BTreeMap<String, Arc<[String]>>,
    /// Makes the values of roll-ups, in a program that runs.
    rollup: Option<Factory>,
    names: ClassNames,
}

type Factory = Arc<dyn Fn() -> Box<dyn AnyObject> + Send + Sync>;

#[derive(Clone)]
struct Class {
    make: Factory,
    streams_requests: bool,
}

impl App {
    /// A program without classes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the class `name`; `make` creates the value when an object comes into memory. The first
    /// class is the default.
    ///
    /// # Panics
    ///
    /// When `name` is not a class name, begins with `_dotdo_`, is already used, or differs from
    /// another name only in case.
    #[must_use]
    pub fn class<T: DurableObject>(
        mut self,
        name: &str,
        make: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        assert!(
            is_class_name(name),
            "expected a class name (a letter or _, then letters, digits and _), got {name:?}"
        );
        assert!(
            !is_reserved(name),
            "class names with _dotdo_ are reserved, got {name:?}; choose another name"
        );
        let twin = self.classes.keys().find(|known| known.eq_ignore_ascii_case(name));
        assert!(
            twin.is_none(),
            "the class name {name:?} differs from {twin:?} in case only; choose another name"
        );
        self.default_class.get_or_insert_with(|| name.to_owned());
        let class = Class {
            make: Arc::new(move || Box::new(Loaded::new(make()))),
            streams_requests: T::STREAMS_REQUESTS,
        };
        self.newest = Some(name.to_owned());
        self.classes.insert(name.to_owned(), class);
        self
    }

    /// Makes `name` the class for requests that do not name one.
    ///
    /// # Errors
    ///
    /// `Invalid` when the class does not exist.
    pub fn with_default_class(mut self, name: &str) -> Result<Self> {
        if !self.classes.contains_key(name) {
            let known: Vec<&str> = self.class_names().collect();
            return Err(Error::invalid(format!(
                "no class is named {name:?}; the classes are {known:?}"
            )));
        }
        self.default_class = Some(name.to_owned());
        Ok(self)
    }

    /// The classes' names, sorted.
    pub fn class_names(&self) -> impl Iterator<Item = &str> {
        self.classes.keys().map(String::as_str)
    }

    /// Whether a class has, or has had, exactly this name.
    pub fn has_class(&self, name: &str) -> bool {
        self.classes.contains_key(self.names.newest(name))
    }

    /// The class for requests that do not name one; `None` in a program without classes.
    pub fn default_class(&self) -> Option<&str> {
        self.default_class.as_deref()
    }

    /// A router for the classes.
    pub fn router(&self) -> Router {
        Router::of_names(self.class_names(), self.default_class(), self.names.clone())
    }

    /// Checks that `class` exists.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the existing classes; `Gone` (code `CLASS_DELETED`) for one that has ended.
    pub(crate) fn check_class(&self, class: &str) -> Result<()> {
        self.known(class).map(|_| ())
    }

    /// Whether the handlers of `class` read bodies while they arrive.
    pub(crate) fn streams_requests(&self, class: &str) -> bool {
        self.classes.get(self.names.newest(class)).is_some_and(|class| class.streams_requests)
    }

    /// A new value of the class. Where the class is unknown, it answers every request with
    /// `NotFound`: administration does without classes.
    ///
    /// # Errors
    ///
    /// `Handler` when the constructor panics.
    pub(crate) fn make(&self, class: &str) -> Result<Box<dyn AnyObject>> {
        let make = match (self.rollup.as_ref().filter(|_| is_rollup(class)), self.known(class)) {
            (Some(make), _) => make,
            (None, Ok(known)) => &known.make,
            (None, Err(unknown)) => return Ok(Box::new(Unknown(unknown))),
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make())).map_err(|_| {
            Error::handler(format!("the constructor of the class {class} panicked"))
                .with_code("HANDLER_PANICKED")
        })
    }

    fn known(&self, class: &str) -> Result<&Class> {
        self.names.check_alive(class)?;
        self.classes.get(self.names.newest(class)).ok_or_else(|| {
            let known: Vec<&str> = self.class_names().collect();
            Error::not_found(format!("no class is named {class:?}"))
                .with_code("UNKNOWN_CLASS")
                .with_details(serde_json::json!({ "availableTypes": known }))
        })
    }
}
