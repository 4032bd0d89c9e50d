//! What a program says about names that its classes have had, and about classes that have ended.

use std::collections::BTreeSet;

use super::App;
use crate::error::Result;
use crate::id::ClassNames;

impl App {
    /// Says that the class `to` was called `from` before. Its objects stay where they are: both names
    /// lead to them, [`ObjectId::class`](crate::ObjectId::class) is the first name that the class has
    /// had, and nothing is copied. So programs with and without this sentence can run side by side.
    ///
    /// It stays in the program as long as the class does. Several of them follow each other:
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
    /// # struct Hall;
    /// # impl DurableObject for Hall {
    /// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
    /// #         Ok(Response::default())
    /// #     }
    /// # }
    /// let app = App::new()
    ///     .class("Hall", || Hall)
    ///     .renamed("Chat", "Room")
    ///     .renamed("Room", "Hall");
    /// assert!(app.has_class("Chat"));
    /// assert_eq!(app.class_names().collect::<Vec<_>>(), ["Hall"]);
    /// ```
    ///
    /// The program does not start (`Invalid`, code `BAD_CLASSES`) if `to` is not one of its classes
    /// in the end, or `from` still is.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        self.names.rename(from, to);
        self
    }

    /// Says that the class `name` has ended: all its objects are deleted, of every tenant, once, in
    /// the background. Within the retention each can be restored.
    ///
    /// It takes effect when a program that says so runs, and is done an hour later at the earliest, so that
    /// what processes of an older version write meanwhile is deleted, too. Once it is done, a later
    /// class may have the name. Requests to the class get `Gone` (code `CLASS_DELETED`).
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// let app = dotdo::App::new().deleted("Experiment");
    /// assert!(!app.has_class("Experiment"));
    /// ```
    ///
    /// The program does not start (`Invalid`, code `BAD_CLASSES`) if it still has the class.
    #[must_use]
    pub fn deleted(mut self, name: &str) -> Self {
        self.names.end(name);
        self
    }

    /// What the program says about the names of classes.
    pub(crate) fn names(&self) -> &ClassNames {
        &self.names
    }

    /// Checks what the program says about the names of its classes.
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_CLASSES`) when it makes no sense.
    pub(crate) fn check_names(&self) -> Result<()> {
        self.names.check(&self.class_names().collect::<BTreeSet<_>>())
    }
}
