//! What runs in a further turn of an object: the inside of [`Turns`](crate::Turns).

use std::any::Any;
use std::sync::Arc;

use crate::error::Result;
use crate::object::body::{Body, Request};
use crate::object::context::Context;
use crate::sync::Mutex;

/// What runs in a turn of its own, on the value of the object; part of a request's extensions. It
/// may run again when its changes were rolled back.
#[derive(Clone)]
pub(crate) struct Slice(Arc<Mutex<SliceWork>>);

type SliceWork = Box<dyn FnMut(&mut dyn Any, &mut Context) -> Result<()> + Send>;

impl Slice {
    pub(crate) fn new(
        work: impl FnMut(&mut dyn Any, &mut Context) -> Result<()> + Send + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(Box::new(work))))
    }

    /// The request that runs it.
    pub(crate) fn request(self) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(self);
        request
    }

    pub(crate) fn run(&self, value: &mut dyn Any, context: &mut Context) -> Result<()> {
        (self.0.lock())(value, context)
    }
}
