//! Damaged buckets and hostile clients: a clear error or the right answer, never a wrong or an
//! empty one.

mod each_key;
mod foreign;
mod fuzz;
mod hostile;
mod object;
mod process;
mod untrusted;
mod versions;
