//! The rest of a request whose handler has left its turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::Extensions;

use crate::error::Result;
use crate::object::body::Response;
use crate::object::handling::Handling;
use crate::sync::Mutex;

/// What a handler has left its turn for; part of the extensions of the response that stands for it,
/// with what the final response is charged to and stored under. Clones are the same.
#[derive(Clone)]
pub(crate) struct Continuation(Arc<Mutex<Option<Continued>>>);

/// What makes the response of a request, outside of its object's turn.
pub(crate) type Rest = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

/// The rest of a request, outside of its object's turn.
pub(crate) struct Continued {
    pub(crate) work: Rest,
    /// Says that the request waits for it.
    _continuing: Arc<Handling>,
}

impl Continued {
    /// `work`, for which a request waits as long as `continuing` lives.
    pub(super) fn new(work: Rest, continuing: Arc<Handling>) -> Self {
        Self { work, _continuing: continuing }
    }

    /// The same with `outer` around its work.
    pub(crate) fn within(self, outer: impl FnOnce(Rest) -> Rest) -> Self {
        Self { work: outer(self.work), ..self }
    }
}

impl Continuation {
    pub(crate) fn of(continued: Continued) -> Self {
        Self(Arc::new(Mutex::new(Some(continued))))
    }

    /// Whether a response with these `extensions` stands for one.
    pub(crate) fn is_in(extensions: &Extensions) -> bool {
        extensions.get::<Self>().is_some()
    }

    /// Takes it out of the extensions of a response, once.
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Continued> {
        let continuation: Self = extensions.remove()?;
        continuation.0.lock().take()
    }
}
