//! What the tests stand on: real stores, real readers and real servers, started on demand and gone
//! with the test.
//!
//! Promises: nothing has to be installed by hand (tools are installed into the build folder,
//! pinned, once); several tests and several test binaries may run at once; no process outlives the
//! test binary that started it.

mod api_gateway;
mod balancer;
mod chance;
mod chores;
mod cli;
pub mod damage;
mod debian;
pub mod history;
mod keyring;
mod lambda;
pub mod ledger;
mod liar;
mod moto;
mod npm;
mod odd;
mod openid;
mod own;
mod pages;
mod ports;
mod process;
mod prometheus;
mod proxy;
pub mod random_sql;
mod readers;
mod redis;
mod seaweed;
mod server;
mod socket;
pub mod sql_object;
mod sqld;
mod tools;
mod vercel;
mod workerd;

pub use api_gateway::ApiGateway;
pub use balancer::Balancer;
pub use chance::{Chance, say};
pub use chores::{Deadline, runtime, scratch, target};
pub use cli::{Cli, Outcome, Running};
pub use debian::Package;
pub use keyring::Keyring;
pub use lambda::LambdaApis;
pub use liar::{Liar, Lie};
pub use moto::Moto;
pub use npm::{Npm, project_packages};
pub use odd::{Asked, Odd, Oddity, Then};
pub use openid::{OpenId, Token};
pub use own::{open, unique};
pub use pages::{CodeBlock, code_blocks};
pub use process::Process;
pub use prometheus::{Family, Sample, Selector, families, selectors};
pub use proxy::{Lost, Proxy};
pub use readers::{Catalog, Reader};
pub use redis::Redis;
pub use seaweed::{GivenKeys, Seaweed, ShortKeys};
pub use server::{Server, Setup, dotdo};
pub use socket::{Incoming, Socket, compressed_echoes};
pub use sqld::{Sqld, libsql};
pub use tools::Tool;
pub use vercel::{DEPLOYED as DEPLOYED_ON_VERCEL, Vercel};
pub use workerd::Workerd;
