//! Commands that look into objects, take them out, and put them back. They are a client of the routes
//! of administration (docs/design/0026-administration.md) and nothing else.
//!
//! Must not know: how objects are stored, how a server works inside.

mod absent;
mod client;
pub(crate) mod clone;
mod confirm;
pub(crate) mod diff;
mod files;
pub(crate) mod get;
pub(crate) mod inspect;
pub(crate) mod ls;
pub(crate) mod mv;
mod name;
mod options;
pub(crate) mod rm;
pub(crate) mod rollup;
mod several;
mod shapes;
pub(crate) mod snapshot;
pub(crate) mod sql;
mod table;
pub(crate) mod tail;
pub(crate) mod verify;
