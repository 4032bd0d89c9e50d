//! The trait that users implement, and the classes of a program.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::is_class_name;
use crate::object::body::{Request, Response};
use crate::object::context::Context;

/// A class of durable objects, with one value of the type per object in memory.
///
/// `fetch` handles one request at a time, in one transaction on the object's own database. When it
/// returns a response, everything that it changed is in the bucket before the response leaves. When
/// it returns an error, panics or runs out of time, the transaction is rolled back and the value is
/// created anew: keep durable state in the database, and use fields as a cache.
pub trait DurableObject: Send + 'static {
    /// Whether the handler reads the body of a request while it arrives. By default a request gets
    /// its turn when its body has arrived, so that a slow client holds nobody up.
    ///
    /// A handler that streams a body keeps the object's turn meanwhile, so all other requests wait
    /// for its client, at most for the maximum time of a handler.
    const STREAMS_REQUESTS: bool = false;

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
}

/// The classes that a program serves.
#[derive(Clone, Default)]
pub struct App {
    classes: BTreeMap<String, Class>,
    default_class: Option<String>,
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
    /// When `name` is not a class name, or is taken already, or differs from another only in case.
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
        let twin = self.classes.keys().find(|known| known.eq_ignore_ascii_case(name));
        assert!(
            twin.is_none(),
            "the class name {name:?} differs from {twin:?} in case only; choose another name"
        );
        self.default_class.get_or_insert_with(|| name.to_owned());
        let class = Class {
            make: Arc::new(move || Box::new(make())),
            streams_requests: T::STREAMS_REQUESTS,
        };
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

    /// Whether a class has exactly this name.
    pub fn has_class(&self, name: &str) -> bool {
        self.classes.contains_key(name)
    }

    /// The class for requests that do not name one; `None` in a program without classes.
    pub fn default_class(&self) -> Option<&str> {
        self.default_class.as_deref()
    }

    /// Checks that `class` exists.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the existing classes.
    pub(crate) fn check_class(&self, class: &str) -> Result<()> {
        self.known(class).map(|_| ())
    }

    /// Whether the handlers of `class` read bodies while they arrive.
    pub(crate) fn streams_requests(&self, class: &str) -> bool {
        self.classes.get(class).is_some_and(|class| class.streams_requests)
    }

    /// A new value of the class.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown class; `Handler` when the constructor panics.
    pub(crate) fn make(&self, class: &str) -> Result<Box<dyn AnyObject>> {
        let make = &self.known(class)?.make;
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| make())).map_err(|_| {
            Error::handler(format!("the constructor of the class {class} panicked"))
                .with_code("HANDLER_PANICKED")
        })
    }

    fn known(&self, class: &str) -> Result<&Class> {
        self.classes.get(class).ok_or_else(|| {
            let known: Vec<&str> = self.class_names().collect();
            Error::not_found(format!("no class is named {class:?}"))
                .with_code("UNKNOWN_CLASS")
                .with_details(serde_json::json!({ "availableTypes": known }))
        })
    }
}

/// A [`DurableObject`] of any type.
pub(crate) trait AnyObject: Send {
    /// [`DurableObject::fetch`].
    fn fetch<'a>(
        &'a mut self,
        request: Request,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;
}

impl<T: DurableObject> AnyObject for T {
    fn fetch<'a>(
        &'a mut self,
        request: Request,
        ctx: &'a mut Context,
    ) -> Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>> {
        Box::pin(DurableObject::fetch(self, request, ctx))
    }
}
