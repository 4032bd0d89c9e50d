//! What the architecture says is absent, checked; and the house rules that a test can check.
//!
//! Each failure names the place and the reason. Where a rule makes code worse, the exception is
//! listed here with its reason.

mod absences;
mod circles;
mod deploy;
mod facade;
mod features;
mod headers;
mod licences;
mod links;
mod publish;
mod sizes;
mod source;
mod sqlite;
mod words;
mod workspace;
