//! Request ids in logs and errors.

use std::sync::atomic::{AtomicU64, Ordering};

use dotdo_core::REQUEST_ID_HEADER;
use http::{HeaderMap, HeaderValue};

/// Maximum length of a client's request id.
const BYTES_MAX: usize = 128;

/// Accepts valid request ids from clients and generates the others.
pub(super) struct RequestIds {
    /// Random, and different in every process.
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// Ids of a process with the random prefix `process`. They are not secret, so the rest is a
    /// counter.
    pub(super) fn new(process: u64) -> Self {
        Self { process, next: AtomicU64::new(0) }
    }

    /// The id of a request with these headers: the client's when it is short and of letters, digits
    /// and `-_.:/=+@`, or a new one.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(REQUEST_ID_HEADER) {
            Some(theirs) if is_sane(theirs.as_bytes()) => theirs.clone(),
            _ => self.make(),
        }
    }

    fn make(&self) -> HeaderValue {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{:016x}{number:016x}", self.process))
            .expect("hex digits are legal in a header")
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=BYTES_MAX).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/=+@".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_to(theirs: &'static [u8]) -> HeaderValue {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID_HEADER, HeaderValue::from_bytes(theirs).expect("a legal value"));
        RequestIds::new(7).of(&headers)
    }

    #[test]
    fn a_valid_request_id_is_kept_and_others_are_replaced() {
        assert_eq!(
            answer_to(b"Root=1-67891233-abcdef012345678912345678"),
            "Root=1-67891233-abcdef012345678912345678"
        );
        for bad in [&b""[..], b"a b", b"\"", b"\xff", b"a,b", b"{}", &[b'a'; BYTES_MAX + 1]] {
            assert_eq!(answer_to(bad), "00000000000000070000000000000000", "{bad:?}");
        }
    }

    #[test]
    fn made_ids_differ() {
        let ids = RequestIds::new(1);
        assert_ne!(ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
    }
}
