//! Where the program can run: what each platform decides, and those that bring requests in a way of
//! their own.
//!
//! Each folder is a loop around the edge: `environment` reads what the platform says, `settings`
//! what can be set about it, `request` makes requests of what comes, `response` what is taken back.

pub(crate) mod azure;
pub(crate) mod lambda;
mod table;
pub(crate) mod vercel;

pub(crate) use self::table::{LOOPBACK, Platform, Reached};
