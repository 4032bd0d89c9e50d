//! What users implement, and how their classes are named.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::id::is_class_name;
use crate::object::body::{Request, Response};
use crate::object::context::Context;

/// A class of durable objects: one value of the type for each id that is in memory.
///
/// `fetch` runs one request at a time, in one transaction on the object's own database. When it
/// returns a response, everything it changed is in the bucket before the response leaves. When it
/// returns an error, panics or overruns its time, nothing of it remains and the value is made anew:
/// what must last belongs into the database, fields are a cache.
pub trait DurableObject: Send + 'static {
    /// Whether a handler gets the body of its request while it still arrives. Otherwise, and that
    /// is the default, a request gets its turn when its body is here: then a slow sender holds
    /// nobody up.
    ///
    /// A handler that reads a body as it comes keeps the object's turn meanwhile, so all others
    /// wait for its sender, at most for the settings' time of a handler.
    const STREAMS_REQUESTS: bool = false;

    /// Answers one request.
    ///
    /// # Errors
    ///
    /// Any error undoes what the handler did; its kind becomes the status of the answer.
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

    /// Adds the class `name`; `make` makes its value when an object comes into memory. The first
    /// class is the default one.
    ///
    /// # Panics
    ///
    /// When `name` is not a class name, or is taken already, also when it differs in upper and
    /// lower case only.
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

    /// Makes `name` the class of requests that name none.
    ///
    /// # Errors
    ///
    /// `Invalid` when there is no such class.
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

    /// The class of requests that name none; `None` in a program without classes.
    pub fn default_class(&self) -> Option<&str> {
        self.default_class.as_deref()
    }

    /// Whether requests for `class` can be answered at all.
    ///
    /// # Errors
    ///
    /// `NotFound`, with the classes that there are.
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
    /// `NotFound` for an unknown class; `Handler` when making the value panics.
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
