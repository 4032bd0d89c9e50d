//! `dotdo login`, and what uses a login: `logout`, `whoami`, `token`, and `serve` without storage.
//!
//! Promises: tokens are kept in the system's keyring or in a file of their user alone, and are never
//! part of an error or a log; a login is complete or absent; only one process renews it at a time.
//! Must not know: objects, the engine, how keys of a bucket are had.

mod browser;
mod claims;
mod command;
mod deploy;
mod device;
mod durations;
mod failure;
mod http;
mod keep;
mod kept;
mod keyring;
mod logout;
mod provider;
mod serving;
mod session;
mod times;
mod token;
mod whoami;

pub(crate) use self::command::Login;
pub(crate) use self::failure::report;
pub(crate) use self::logout::Logout;
pub(crate) use self::serving::of_settings;
pub(crate) use self::token::Token;
pub(crate) use self::whoami::Whoami;
