//! Every example as its reader would run it: a process, a port, a folder, and a loss of power.

mod running;

mod bank;
mod cart;
mod chat;
mod counter;
mod rate_limiter;
