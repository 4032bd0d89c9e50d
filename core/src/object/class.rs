//! Classes with names of their own, and typed messages.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::object::app::{App, DurableObject};
use crate::object::body::{self, Request, Response};
use crate::object::matcher::Matcher;

/// A class with a name of its own, so that a typo in it does not compile.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{App, Class, Context, DurableObject, Request, Response, Result};
///
/// #[derive(Default)]
/// struct Account;
///
/// impl Class for Account {
///     const NAME: &'static str = "Account";
/// }
///
/// impl DurableObject for Account {
///     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
///         let other = ctx.stub::<Account>("bob")?;
///         other.fetch(http::Request::get("/").body(Default::default())?).await
///     }
/// }
///
/// assert_eq!(App::new().register::<Account>().default_class(), Some("Account"));
/// ```
pub trait Class: DurableObject {
    /// The name, as in [`App::class`]. It is part of the keys of every object in the bucket, so it
    /// must not change when the type is renamed.
    const NAME: &'static str;
}

/// A typed message to objects of a class: `POST` of its JSON to its path.
///
/// It is sent by [`Context::tell`](crate::Context::tell) and [`Stub::call`](crate::Stub::call), and
/// received by [`Matcher::message`]. A client can send the same by HTTP; use
/// [`Context::sender`](crate::Context::sender) to accept messages from objects only.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Class, Context, DurableObject, Matcher, Message, Request, Response, Result};
/// use serde::{Deserialize, Serialize};
///
/// struct Account;
///
/// impl Class for Account {
///     const NAME: &'static str = "Account";
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Deposit {
///     cents: i64,
/// }
///
/// impl Message for Deposit {
///     type Class = Account;
///     type Answer = i64;
///     const PATH: &'static str = "/deposit";
/// }
///
/// impl DurableObject for Account {
///     async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
///         let mut on = Matcher::of(&request);
///         if let Some(taken) = on.message::<Deposit>() {
///             let deposit = taken.read(request).await?;
///             let balance = ctx.storage().get("cents")?.unwrap_or(0) + deposit.cents;
///             ctx.storage().put("cents", &balance)?;
///             taken.answer(&balance)
///         } else {
///             on.otherwise()
///         }
///     }
/// }
///
/// /// From an object of any class.
/// async fn pay(ctx: &mut Context) -> Result<()> {
///     ctx.tell("ada", &Deposit { cents: 5 })?;
///     let balance: i64 = ctx.stub::<Account>("bob")?.call(&Deposit { cents: 7 }).await?;
///     assert!(balance >= 7);
///     Ok(())
/// }
/// ```
pub trait Message: Serialize + DeserializeOwned + Send + Sync {
    /// The class of its receivers.
    type Class: Class;
    /// The type of the answer.
    type Answer: Serialize + DeserializeOwned + Send;
    /// The path that it is sent to.
    const PATH: &'static str;
}

/// A request that is a message of type `M`, to be read and answered. [`Message`] has an example.
#[derive(Debug)]
pub struct Taken<M> {
    message: std::marker::PhantomData<fn() -> M>,
}

impl<M: Message> Taken<M> {
    /// Reads the message.
    ///
    /// # Errors
    ///
    /// Those of [`Body::json`](crate::Body::json).
    pub async fn read(&self, request: Request) -> Result<M> {
        request.into_body().json().await
    }

    /// The response for this answer.
    ///
    /// # Errors
    ///
    /// `Invalid` when serde can't write it as JSON.
    pub fn answer(&self, answer: &M::Answer) -> Result<Response> {
        body::json(answer)
    }
}

impl Matcher {
    /// Whether the request is a message of this type.
    pub fn message<M: Message>(&mut self) -> Option<Taken<M>> {
        let [] = self.post(M::PATH)?;
        Some(Taken { message: std::marker::PhantomData })
    }
}

impl App {
    /// Adds a class under its own name, with its default as the value of a new object.
    ///
    /// # Panics
    ///
    /// As [`App::class`].
    #[must_use]
    pub fn register<C: Class + Default>(self) -> Self {
        self.class(C::NAME, C::default)
    }

    /// Adds a class under its own name; `make` creates the value of a new object. It can capture
    /// what all objects share, such as a client for another service.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// use dotdo::{App, Class, Context, DurableObject, IntoResponse, Request, Response, Result};
    ///
    /// struct Greeter {
    ///     greeting: String,
    /// }
    ///
    /// impl Class for Greeter {
    ///     const NAME: &'static str = "Greeter";
    /// }
    ///
    /// impl DurableObject for Greeter {
    ///     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
    ///         self.greeting.clone().into_response()
    ///     }
    /// }
    ///
    /// let greeting = "hello".to_owned();
    /// let app = App::new().register_with(move || Greeter { greeting: greeting.clone() });
    /// assert!(app.has_class("Greeter"));
    /// ```
    ///
    /// # Panics
    ///
    /// As [`App::class`].
    #[must_use]
    pub fn register_with<C: Class>(self, make: impl Fn() -> C + Send + Sync + 'static) -> Self {
        self.class(C::NAME, make)
    }
}
