//! Bad days, through the front door: real servers, real stores, kills, outages, full disks and
//! rivals. After each of them the ledgers must be exact: every acknowledged entry is there, in
//! order, none twice; one with an unknown outcome is there once or not at all; and no answer ever
//! told of a past that others had left behind.

mod administration;
mod alarms;
mod balance;
mod broker;
mod catalog;
mod credentials;
mod credentials_by_tenant;
mod database;
mod deploy;
mod disk;
mod doctor;
mod ends;
mod forward;
mod forward_hints;
mod forward_kills;
mod forward_once;
mod forward_strangers;
mod isolation;
mod javascript;
mod kills;
mod load;
mod login;
mod memory;
mod observe;
mod outage;
mod owners;
mod readme;
mod redis;
mod shutdown;
mod sockets;
mod strangers;
mod tenants;
mod turns;
mod world;
