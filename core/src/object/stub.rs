//! Calls and messages to other objects with the types of their classes.

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

/// Another object, of the class `C`, for calls to it ([`Context::stub`]).
///
/// ```
/// # use dotdo_core as dotdo;
/// # use dotdo::{Class, DurableObject, Message, Request, Response};
/// # struct Account;
/// # impl DurableObject for Account {
/// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
/// #         Ok(Response::new("".into()))
/// #     }
/// # }
/// # impl Class for Account { const NAME: &'static str = "Account"; }
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Balance;
/// # impl Message for Balance {
/// #     type Class = Account;
/// #     type Answer = i64;
/// #     const PATH: &'static str = "/balance";
/// # }
/// use dotdo::{At, Context, Result};
///
/// async fn change(ctx: &Context, since: At) -> Result<i64> {
///     let account = ctx.stub::<Account>("ada")?;
///     let now: i64 = account.call(&Balance).await?;
///     let then: i64 = account.clone().at(since).call(&Balance).await?;
///     Ok(now - then)
/// }
///
/// async fn page(ctx: &Context) -> Result<String> {
///     let account = ctx.stub::<Account>("ada")?;
///     let request = http::Request::get("/page").body(dotdo::Body::empty())?;
///     account.fetch(request).await?.into_body().text().await
/// }
/// ```
pub struct Stub<C> {
    object: RemoteObject,
    class: PhantomData<fn() -> C>,
}

impl Context {
    /// The object `id` of the class `C`, for calls to it. For a class whose name is known only at
    /// run time, use [`Context::object`].
    ///
    /// # Errors
    ///
    /// `Invalid` when the id is not one.
    pub fn stub<C: Class>(&self, id: &str) -> Result<Stub<C>> {
        Ok(Stub::of(self.object(C::NAME, id)?))
    }

    /// Sends a message to the object `id` of its class, once this request's changes are in the
    /// bucket. It is executed exactly once, and its answer is ignored. It is the typed form of
    /// [`Context::send`].
    ///
    /// # Errors
    ///
    /// Those of [`Context::send`]; `Invalid` when serde can't write the message as JSON.
    pub fn tell<M: Message>(&mut self, id: &str, message: &M) -> Result<()> {
        self.send(M::Class::NAME, id, message_request(message)?)
    }
}

impl<C: Class> Stub<C> {
    /// `object`, which is of the class.
    pub(super) fn of(object: RemoteObject) -> Self {
        Self { object, class: PhantomData }
    }

    /// The identity of the object.
    pub fn id(&self) -> &ObjectId {
        self.object.id()
    }

    /// The object at an earlier time: calls run on that state and can't change it.
    #[must_use]
    pub fn at(self, at: At) -> Self {
        Self { object: self.object.at(at), class: PhantomData }
    }

    /// Sends `request` and waits for the response, which is durable when it arrives.
    ///
    /// # Errors
    ///
    /// Those of [`RemoteObject::fetch`].
    pub async fn fetch(&self, request: Request) -> Result<Response> {
        self.object.fetch(request).await
    }

    /// Sends a message and waits for the answer, which is durable when it arrives.
    ///
    /// # Errors
    ///
    /// The error of the object's handler, with its kind and code, and those of
    /// [`RemoteObject::fetch`]. A response without a success status is an error of the kind that
    /// fits the status, with its JSON as details. `Handler` with the code `MALFORMED_RESPONSE` when
    /// the answer does not have the message's answer type.
    pub async fn call<M: Message<Class = C>>(&self, message: &M) -> Result<M::Answer> {
        let response = self.fetch(message_request(message)?).await?;
        message_answer::<M>(self.id(), response).await
    }
}

impl<C> Clone for Stub<C> {
    fn clone(&self) -> Self {
        Self { object: self.object.clone(), class: PhantomData }
    }
}

/// The request that is this message.
///
/// # Errors
///
/// `Invalid` when serde can't write it as JSON.
#[doc(hidden)]
pub fn message_request<M: Message>(message: &M) -> Result<Request> {
    let mut request = http::Request::post(M::PATH).body(serde_json::to_vec(message)?.into())?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

/// The answer to a message in the response of `object`.
///
/// # Errors
///
/// Those of [`Stub::call`].
#[doc(hidden)]
pub async fn message_answer<M: Message>(
    object: impl std::fmt::Display,
    response: Response,
) -> Result<M::Answer> {
    let status = response.status();
    let body = response.into_body().bytes().await?;
    if !status.is_success() {
        return Err(refused(object, status, &body));
    }
    serde_json::from_slice(&body).map_err(|cause| {
        let text = format!("{object} answers {} with other JSON: {cause}", M::PATH);
        Error::handler(text)
            .with_code("MALFORMED_RESPONSE")
            .confidential("an object answers with what its caller does not expect")
    })
}

/// The kind of error for a response with this status.
fn refused(object: impl std::fmt::Display, status: StatusCode, body: &[u8]) -> Error {
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
