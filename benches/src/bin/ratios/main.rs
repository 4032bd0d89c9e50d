//! Measures dotdo against what it can't be better than, side by side in one run, and prints the
//! ratios.
//!
//! `cargo run --release -p dotdo-benches` runs everything; names of sections as arguments run those
//! only: `write`, `database`, `throughput`, `cold`, `restore`, `lookup`, `upload`, `read`, `memory`, `sockets`, `alarms`, `start`, `javascript`, `workerd`, `counting`,
//! `schemas`, `limits`, `tenants`, `lambda`, `vercel`.

mod alarms;
mod costs;
mod functions;
mod instance;
mod javascript;
mod memory;
mod read;
mod restore;
mod sockets;
mod start;
mod tenants;
mod upload;
mod workerd;
mod world;
mod write;

use dotdo_benches::{Figure, report};

use crate::instance::Platform;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "printing the figures is what this program is for")]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    let mut figures: Vec<Figure> = Vec::new();
    if is_wanted("write") {
        figures.push(write::latency().await);
    }
    if is_wanted("database") {
        figures.push(write::in_a_database().await);
    }
    if is_wanted("throughput") {
        figures.push(write::throughput().await);
    }
    if is_wanted("cold") {
        figures.push(restore::cold().await);
    }
    if is_wanted("restore") {
        figures.push(restore::large().await);
    }
    if is_wanted("lookup") {
        figures.push(restore::lookup().await);
    }
    if is_wanted("upload") {
        figures.push(upload::one_row().await);
    }
    if is_wanted("read") {
        figures.push(read::warm().await);
    }
    if is_wanted("memory") {
        figures.push(memory::idle().await);
    }
    if is_wanted("sockets") {
        figures.push(sockets::idle().await);
        figures.push(sockets::echoes().await);
    }
    if is_wanted("alarms") {
        figures.push(alarms::lateness().await);
    }
    if is_wanted("start") {
        figures.push(start::listening().await);
    }
    if is_wanted("javascript") {
        figures.push(javascript::starts().await);
        figures.push(javascript::reads().await);
        figures.push(javascript::memory().await);
    }
    if is_wanted("workerd") {
        figures.extend(workerd::requests().await);
    }
    if is_wanted("counting") {
        figures.extend(costs::counting().await);
    }
    if is_wanted("schemas") {
        figures.extend(costs::schemas().await);
    }
    if is_wanted("limits") {
        figures.push(costs::limits().await);
    }
    if is_wanted("tenants") {
        figures.push(tenants::many().await);
        figures.push(tenants::beside().await);
    }
    if is_wanted("lambda") {
        figures.extend(functions::starts(Platform::Lambda).await);
    }
    if is_wanted("vercel") {
        figures.extend(functions::starts(Platform::Vercel).await);
    }
    println!("{}", report(&figures));
}
