//! What users implement and touch.

mod body;
mod sql;

pub use body::{Body, Request, Response};
pub use sql::{IntoParams, IntoValue, Sql, SqlCursor};
