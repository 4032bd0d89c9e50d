//! Other objects, by the types of their classes.

use std::marker::PhantomData;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::object::body::{Request, Response};
use crate::object::class::{Class, Message};
use crate::object::context::Context;
use crate::object::remote::RemoteObject;
use crate::router::At;

/// Another object, of the class `C`. See [`Context::stub`].
pub struct Stub<C> {
    object: RemoteObject,
    class: PhantomData<fn() -> C>,
}

impl Context {
    /// The object `id` of the class `C`, to ask it something and wait for the answer: what
    /// [`Context::object`] is for a class whose name is a text.
    ///
    /// # Errors
    ///
    /// `Invalid` when the id is not one.
    pub fn stub<C: Class>(&self, id: &str) -> Result<Stub<C>> {
        Ok(Stub { object: self.object(C::NAME, id)?, class: PhantomData })
    }

    /// Sends a message to the object `id` of its class, once this request's changes are in the
    /// bucket: what [`Context::send`] is for a request. It arrives exactly once, its answer goes
    /// nowhere.
    ///
    /// # Errors
    ///
    /// Those of [`Context::send`]; `Invalid` when serde can't write the message as JSON.
    pub fn tell<M: Message>(&mut self, id: &str, message: &M) -> Result<()> {
        self.send(M::Class::NAME, id, request(message)?)
    }
}

impl<C: Class> Stub<C> {
    /// Which object this is.
    pub fn id(&self) -> &ObjectId {
        self.object.id()
    }

    /// The object as it was: it answers from its former state and can't change it.
    #[must_use]
    pub fn at(self, at: At) -> Self {
        Self { object: self.object.at(at), class: PhantomData }
    }

    /// Sends `request` and waits for the response, which is durable when it comes.
    ///
    /// # Errors
    ///
    /// Those of [`RemoteObject::fetch`].
    pub async fn fetch(&self, request: Request) -> Result<Response> {
        self.object.fetch(request).await
    }

    /// Asks the object and waits for the answer, which is durable when it comes.
    ///
    /// # Errors
    ///
    /// The error of the object's handler, with its kind and code, and those of
    /// [`RemoteObject::fetch`]. A response that is not one of success is an error of the kind that
    /// fits its status, with its JSON as details. `Handler` with the code `MALFORMED_RESPONSE` when
    /// the answer is not of the message's type.
    pub async fn call<M: Message<Class = C>>(&self, message: &M) -> Result<M::Answer> {
        let response = self.fetch(request(message)?).await?;
        let status = response.status();
        let body = response.into_body().bytes().await?;
        if !status.is_success() {
            return Err(refused(self.id(), status, &body));
        }
        serde_json::from_slice(&body).map_err(|cause| {
            let text = format!("{} answers {} with other JSON: {cause}", self.id(), M::PATH);
            Error::handler(text)
                .with_code("MALFORMED_RESPONSE")
                .confidential("an object answers with what its caller does not expect")
        })
    }
}

impl<C> Clone for Stub<C> {
    fn clone(&self) -> Self {
        Self { object: self.object.clone(), class: PhantomData }
    }
}

fn request<M: Message>(message: &M) -> Result<Request> {
    let mut request = http::Request::post(M::PATH).body(serde_json::to_vec(message)?.into())?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

/// The error that a response of this status stands for.
fn refused(object: &ObjectId, status: StatusCode, body: &[u8]) -> Error {
    let kind = match status.as_u16() {
        400 | 405 | 415 => ErrorKind::Invalid,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        503 => ErrorKind::Busy,
        _ => ErrorKind::Handler,
    };
    let error = Error::new(kind, format!("{object} answers {status}"));
    match serde_json::from_slice(body) {
        Ok(details) => error.with_details(details),
        Err(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_error_of_the_kind_that_fits_it() {
        let object = crate::Tenant::local().object("Account", "bob").expect("a good name");
        let error = refused(&object, StatusCode::CONFLICT, br#"{"cents": 3}"#);
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(error.details(), Some(&serde_json::json!({"cents": 3})));
        let error = refused(&object, StatusCode::IM_A_TEAPOT, b"short and stout");
        assert_eq!((error.kind(), error.details()), (ErrorKind::Handler, None));
    }
}
