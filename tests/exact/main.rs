//! What comes back is what was written: every value of every class, whatever happened in between.

mod filters;
mod golden;
mod model;
mod random;
mod readers;
mod run;
mod steps;
