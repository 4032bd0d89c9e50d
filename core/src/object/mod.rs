//! The interface for users' classes.

mod app;
mod body;
mod context;
mod host;
mod identity;
mod savepoint;
mod sql;
mod storage;
pub(crate) mod table;

pub(crate) use app::AnyObject;
pub use app::{App, DurableObject};
pub(crate) use body::duplicate;
pub use body::{Body, Request, Response, json};
pub(crate) use context::{AfterCommit, Background, CallChain, Handling, RequestState};
pub use context::{Context, RemoteObject};
pub(crate) use host::{Calling, Host};
pub use identity::Identity;
pub use sql::{IntoParams, IntoValue, Sql, SqlCursor};
pub use storage::{ListOptions, Storage};
