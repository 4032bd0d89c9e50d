//! What users implement and touch.

mod app;
mod body;
mod context;
mod savepoint;
mod sql;
mod storage;

pub(crate) use app::AnyObject;
pub use app::{App, DurableObject};
pub use body::{Body, Request, Response, json};
pub(crate) use context::{AfterCommit, Background, CallChain, RequestState};
pub use context::{Context, RemoteObject};
pub use sql::{IntoParams, IntoValue, Sql, SqlCursor};
pub use storage::{ListOptions, Storage};
