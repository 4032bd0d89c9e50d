//! Converts errors of other libraries, and missing values, to errors of this one.

use crate::error::{Error, ErrorKind, Result};

/// The message for a client instead of a foreign error.
const TOLD: &str = "the object's class failed; the server's log says how, under this request's id";

/// Turns errors of other libraries, and `None`, into an [`Error`].
///
/// The text of a foreign error may contain secrets, so it goes into the log and not to the client.
/// The client gets the sentence that `or_invalid`, `or_not_found` or `or_conflict` is given.
///
/// ```
/// # use dotdo_core as dotdo;
/// use dotdo::{Context, ErrorKind, Request, RequestExt, Result, ResultExt};
///
/// fn note(request: &Request, ctx: &mut Context) -> Result<String> {
///     let id = request.query("id").or_invalid("`id` is missing")?;
///     let id: u32 = id.parse().or_invalid("`id` is a number")?;
///     ctx.storage().get(&id.to_string())?.or_not_found("there is no such note")
/// }
///
/// fn settings(text: &str) -> Result<u16> {
///     text.parse().context("reading the port")
/// }
///
/// let error = settings("secret").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Handler);
/// assert_eq!(error.message(), "reading the port: invalid digit found in string");
/// assert!(!error.public_message().contains("digit"));
/// ```
pub trait ResultExt<T> {
    /// Adds what was being done. An [`Error`] keeps its kind, its code and its audience; any other
    /// error, and `None`, becomes a failure of the class: 500.
    ///
    /// # Errors
    ///
    /// That one.
    fn context(self, doing: &str) -> Result<T>;

    /// An invalid request: 400 with this sentence.
    ///
    /// # Errors
    ///
    /// `Invalid`.
    fn or_invalid(self, sentence: &str) -> Result<T>;

    /// Something that does not exist: 404 with this sentence.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    fn or_not_found(self, sentence: &str) -> Result<T>;

    /// A conflict with the object's state: 409 with this sentence.
    ///
    /// # Errors
    ///
    /// `Conflict`.
    fn or_conflict(self, sentence: &str) -> Result<T>;

    /// A failure of the class in doing this: 500, even for an [`Error`] of another kind, such as
    /// the `NotFound` of an object that was called.
    ///
    /// # Errors
    ///
    /// `Handler`.
    fn or_internal(self, doing: &str) -> Result<T>;
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl<T, E: Into<Cause>> ResultExt<T> for Result<T, E> {
    fn context(self, doing: &str) -> Result<T> {
        self.map_err(|cause| match cause.into().downcast::<Error>() {
            Ok(error) => {
                let text = format!("{doing}: {}", error.message());
                error.with_message(text)
            }
            Err(cause) => internal(doing, cause),
        })
    }

    fn or_invalid(self, sentence: &str) -> Result<T> {
        self.map_err(|cause| Error::invalid(sentence).with_source(cause))
    }

    fn or_not_found(self, sentence: &str) -> Result<T> {
        self.map_err(|cause| Error::not_found(sentence).with_source(cause))
    }

    fn or_conflict(self, sentence: &str) -> Result<T> {
        self.map_err(|cause| Error::conflict(sentence).with_source(cause))
    }

    fn or_internal(self, doing: &str) -> Result<T> {
        self.map_err(|cause| internal(doing, cause.into()))
    }
}

impl<T> ResultExt<T> for Option<T> {
    fn context(self, doing: &str) -> Result<T> {
        self.ok_or_else(|| nothing(doing))
    }

    fn or_invalid(self, sentence: &str) -> Result<T> {
        self.ok_or_else(|| Error::invalid(sentence))
    }

    fn or_not_found(self, sentence: &str) -> Result<T> {
        self.ok_or_else(|| Error::not_found(sentence))
    }

    fn or_conflict(self, sentence: &str) -> Result<T> {
        self.ok_or_else(|| Error::conflict(sentence))
    }

    fn or_internal(self, doing: &str) -> Result<T> {
        self.ok_or_else(|| nothing(doing))
    }
}

fn internal(doing: &str, cause: Cause) -> Error {
    Error::new(ErrorKind::Handler, format!("{doing}: {cause}"))
        .confidential(TOLD)
        .with_source(cause)
}

fn nothing(doing: &str) -> Error {
    Error::new(ErrorKind::Handler, format!("{doing}: expected a value, got none"))
        .confidential(TOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_foreign_error_stays_in_the_log() {
        let foreign = || "x".parse::<u8>();
        for error in [
            foreign().context("reading secrets").expect_err("no number"),
            foreign().or_internal("reading secrets").expect_err("no number"),
            None::<u8>.context("reading secrets").expect_err("nothing"),
        ] {
            assert_eq!((error.kind(), error.code()), (ErrorKind::Handler, "HANDLER_FAILED"));
            assert!(error.message().starts_with("reading secrets: "), "{error:?}");
            assert_eq!(error.public_message(), TOLD);
        }
        let told = foreign().or_invalid("`n` is a number").expect_err("no number");
        assert_eq!((told.kind(), told.public_message()), (ErrorKind::Invalid, "`n` is a number"));
        assert!(format!("{told:?}").contains("invalid digit"), "the log has it: {told:?}");
    }

    #[test]
    fn context_keeps_what_an_error_of_ours_says_and_or_internal_does_not() {
        let ours = || {
            let error = Error::conflict("taken").with_code("TAKEN").with_details(1.into());
            Err::<(), _>(error)
        };
        let error = ours().context("renaming").expect_err("taken");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "TAKEN"));
        assert_eq!((error.public_message(), error.details()), ("renaming: taken", Some(&1.into())));
        let secret = Error::conflict("SQLite says").confidential("told");
        let secret = Err::<(), _>(secret).context("renaming").expect_err("taken");
        assert_eq!((secret.public_message(), secret.message()), ("told", "renaming: SQLite says"));
        let error = ours().or_internal("renaming").expect_err("taken");
        assert_eq!((error.kind(), error.public_message()), (ErrorKind::Handler, TOLD));
    }
}
