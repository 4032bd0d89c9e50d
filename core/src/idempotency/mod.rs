//! Executes once what may be sent again: requests with an idempotency key, requests that servers
//! repeat, and messages from other objects.

mod answers;
mod key;
mod run;

pub use answers::IDEMPOTENCY_REPLAYED_HEADER;
pub(crate) use answers::Keyed;
pub use key::{IDEMPOTENCY_KEY_HEADER, idempotency_key};
pub(crate) use run::{answer_once, keep_final_answer, prepare, too_large};
