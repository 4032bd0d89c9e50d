//! What users implement and touch.

mod body;

pub use body::{Body, Request, Response};
