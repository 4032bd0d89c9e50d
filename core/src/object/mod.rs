//! The interface for users' classes.

mod app;
mod body;
mod class;
mod context;
mod failure;
mod host;
mod identity;
mod matcher;
mod migrate;
mod respond;
mod savepoint;
mod sql;
mod storage;
mod stub;
pub(crate) mod table;

pub(crate) use app::AnyObject;
pub use app::{App, DurableObject};
pub(crate) use body::duplicate;
pub use body::{Body, Request, Response, json};
pub use class::{Class, Message, Taken};
pub(crate) use context::{AfterCommit, Background, CallChain, Handling, RequestState};
pub use context::{Context, RemoteObject};
pub use failure::ResultExt;
pub(crate) use host::{Calling, Host};
pub use identity::Identity;
pub use matcher::Matcher;
pub use migrate::Step;
pub use respond::{IntoResponse, Json, RequestExt};
pub use sql::{IntoParams, IntoValue, Sql, SqlCursor};
pub use storage::{ListOptions, Storage};
pub use stub::Stub;
