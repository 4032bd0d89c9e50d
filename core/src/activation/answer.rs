//! What becomes of a request in this process.

use crate::error::{Error, ErrorKind, Result};
use crate::lease::OWNED_ELSEWHERE;
use crate::object::{Background, Response};

/// A response that may leave.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// What the handler left to be done after the response.
    pub(crate) background: Vec<Background>,
}

/// What became of a request.
pub(crate) enum Outcome {
    /// It has its answer, or an error of its own.
    Answered(Result<Answer>),
    /// Nothing of it remains, for a reason that is not its own.
    Undone(Undone),
}

/// Why nothing of a request remains.
#[derive(Debug)]
pub(crate) enum Undone {
    /// Another process owns the object.
    OwnedElsewhere(Error),
    /// Another process has won the slot: it has the object now, or had it for a moment.
    Lost(Error),
    /// Neither; repeating the request does not help.
    Failed(Error),
}

impl Outcome {
    /// Nothing of the request remains, because of `error`.
    pub(crate) fn undone(error: Error) -> Self {
        Self::Undone(Undone::from(error))
    }
}

impl Undone {
    /// Whether `error` says that another process owns the object.
    pub(crate) fn is_owned_elsewhere(error: &Error) -> bool {
        error.code() == OWNED_ELSEWHERE
    }

    /// The error that a client gets.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::OwnedElsewhere(error) | Self::Lost(error) | Self::Failed(error) => error,
        }
    }
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        if Self::is_owned_elsewhere(&error) {
            Self::OwnedElsewhere(error)
        } else if error.kind() == ErrorKind::Fenced {
            Self::Lost(error)
        } else {
            Self::Failed(error)
        }
    }
}
