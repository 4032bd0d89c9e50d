//! The interface for users' classes.

mod app;
mod body;
mod context;
mod host;
mod identity;
mod key;
mod outbox;
mod requests;
mod savepoint;
mod sql;
mod storage;
mod table;

pub(crate) use app::AnyObject;
pub use app::{App, DurableObject};
pub(crate) use body::duplicate;
pub use body::{Body, Request, Response, json};
pub(crate) use context::{AfterCommit, Background, CallChain, Handling, RequestState};
pub use context::{Context, RemoteObject};
pub(crate) use host::{Calling, Host};
pub use identity::Identity;
pub use key::IDEMPOTENCY_KEY_HEADER;
pub use outbox::Delivery;
#[cfg(test)]
pub(crate) use outbox::post;
pub(crate) use outbox::{
    Letter, Receivers, Settled, collect, is_waiting, look_on, settle, take, taken_before,
};
pub use requests::IDEMPOTENCY_REPLAYED_HEADER;
pub(crate) use requests::{Answer, Keyed, keep, recall};
pub use sql::{IntoParams, IntoValue, Sql, SqlCursor};
pub use storage::{ListOptions, Storage};
