//! The built-in class, through an engine.

mod records;
mod things;
mod world;
