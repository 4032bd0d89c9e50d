//! The built-in class, through an engine.

mod http;
mod live;
mod records;
mod schema;
mod things;
mod world;
