//! The programs, compiled into this test.

#![expect(dead_code, reason = "their `main` is not called here")]

#[path = "../axum_inside.rs"]
pub(crate) mod axum_inside;
#[path = "../axum_mounted.rs"]
pub(crate) mod axum_mounted;
#[path = "../bank.rs"]
pub(crate) mod bank;
#[path = "../cart.rs"]
pub(crate) mod cart;
#[path = "../cart_before.rs"]
pub(crate) mod cart_before;
#[path = "../chat.rs"]
pub(crate) mod chat;
#[path = "../counter.rs"]
pub(crate) mod counter;
#[path = "../document.rs"]
pub(crate) mod document;
#[path = "../game.rs"]
pub(crate) mod game;
#[path = "../live_chat.rs"]
pub(crate) mod live_chat;
#[path = "../order.rs"]
pub(crate) mod order;
#[path = "../own_store.rs"]
pub(crate) mod own_store;
#[path = "../rate_limiter.rs"]
pub(crate) mod rate_limiter;
#[path = "../scheduler.rs"]
pub(crate) mod scheduler;
#[path = "../wallet.rs"]
pub(crate) mod wallet;
