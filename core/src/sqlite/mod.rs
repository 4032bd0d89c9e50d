//! The database of one object: an in-memory SQLite that reports exactly what a transaction changed.
//!
//! Promises: the [`Changes`](crate::change::Changes) of a transaction, applied to a copy of the
//! state before, give the state after, value by value and bit by bit; users' SQL reaches nothing
//! outside its database and stays inside the limits; after an error, a rollback gives the last
//! committed state.
//!
//! This is the only place that names the SQL engine. Must not know: buckets, logs, clocks, tasks.

mod barrier;
mod catalog;
mod collect;
mod database;
mod error;
mod exec;
mod functions;
mod guard;
mod handle;
mod image;
mod install;
mod keys;
mod layout;
mod load;
mod memory;
mod recorded;
mod recorder;
mod replay;
mod restraint;
mod scan;
mod statement;
mod transaction;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use database::{Database, Limits};
pub(crate) use error::is_shortage;
pub(crate) use exec::{Cursor, RowView};
pub(crate) use guard::{Speaker, is_reserved};
pub(crate) use image::Foreign;
pub(crate) use keys::KeyStatement;
pub(crate) use load::Loader;
pub(crate) use memory::{Memory, Reservation};
pub(crate) use restraint::Restraint;
pub(crate) use transaction::Mode;
