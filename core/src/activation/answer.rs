//! The outcome of a request in this process.

use crate::error::{Error, ErrorKind, Result};
use crate::lease::OWNED_BY_OTHER_INSTANCE;
use crate::object::{Background, Response};

/// A response that may leave.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// Work that the handler left for after the response.
    pub(crate) background: Vec<Background>,
}

/// The outcome of a request.
pub(crate) enum Outcome {
    /// It was executed: its response, or the error of its handler.
    Answered(Result<Answer>),
    /// It was rolled back, for a reason outside of the request.
    Undone(Undone),
}

/// Why a request was rolled back.
#[derive(Debug)]
pub(crate) enum Undone {
    /// Another process owns the object.
    OtherOwner(Error),
    /// Another process filled the slot: it owns the object now, or owned it for a moment.
    Lost(Error),
    /// Any other reason; repeating the request elsewhere does not help.
    Failed(Error),
}

impl Outcome {
    /// The request was rolled back because of `error`.
    pub(crate) fn undone(error: Error) -> Self {
        Self::Undone(Undone::from(error))
    }
}

impl Undone {
    /// Whether `error` says that another process owns the object.
    pub(crate) fn has_other_owner(error: &Error) -> bool {
        error.code() == OWNED_BY_OTHER_INSTANCE
    }

    /// The error that a client gets.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::OtherOwner(error) | Self::Lost(error) | Self::Failed(error) => error,
        }
    }
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        if Self::has_other_owner(&error) {
            Self::OtherOwner(error)
        } else if error.kind() == ErrorKind::Fenced {
            Self::Lost(error)
        } else {
            Self::Failed(error)
        }
    }
}
