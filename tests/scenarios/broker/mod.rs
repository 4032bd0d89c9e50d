//! The broker through the front door: `dotdo broker`, tokens of a real OpenID provider, and the
//! token service of a real store.

mod keys;
mod operators;
mod secrets;
mod serve;
mod start;
mod tokens;
mod world;
