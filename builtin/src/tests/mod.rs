//! The built-in class, through an engine.

mod records;
mod schema;
mod things;
mod world;
