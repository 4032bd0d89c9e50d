//! Every store keeps the contract of `Bucket`, and one that does not is refused.

mod alive;
mod contract;
mod faults;
mod libsql;
mod listing;
mod odd;
mod probe;
