//! The examples. What does not need a process is tested in the one of the test
//! (`dotdo::testing`); a loss of power also as its reader would see it: a program, a port, a
//! folder.

mod programs;
mod running;

mod bank;
mod cart;
mod chat;
mod counter;
mod document;
mod game;
mod getting_started;
mod live_chat;
mod order;
mod rate_limiter;
mod scheduler;
mod wallet;

mod axum_inside;
mod axum_mounted;
mod own_store;
