//! JavaScript classes for dotdo: a bundle that was written for Cloudflare's durable objects, with its
//! worker in front, on QuickJS. `docs/JAVASCRIPT.md` says what is there, `docs/design/0035` why it
//! is so.

mod assets;
mod bodies;
mod bundle;
mod calls;
mod config;
mod engine;
mod event;
mod fetching;
mod host;
mod id;
mod instance;
mod limits;
mod lines;
mod machine;
mod modules;
mod object;
mod project;
mod realm;
mod realms;
mod source;
mod sourcemap;
mod under_way;
mod wire;
mod worker;

#[cfg(test)]
mod tests;

pub use bundle::Bundle;
pub use machine::Machine;
pub use project::Project;
