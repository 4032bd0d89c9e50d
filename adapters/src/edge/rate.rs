//! Rate limits per client and object (GCRA, the *generic cell rate algorithm*: a leaky bucket that
//! is stored as one point in time).
//!
//! Promises: a burst of exactly the configured number of requests, then one each time that the
//! window divided by this number has passed; constant memory, however many clients there are.

mod attempts;
#[cfg(feature = "broker")]
mod limit;

use std::net::IpAddr;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use dotdo_core::sync::Mutex;
use dotdo_core::{Caller, Error, ErrorKind, ObjectId, Random as _, Result};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use self::attempts::Attempts;
#[cfg(feature = "broker")]
pub(crate) use self::limit::Limit;
use crate::system::components::OsRandom;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Number of pairs of client and object in one set of the table.
const WAYS: usize = 8;
/// Number of sets in the table: 65,536 pairs, in a little over two MiB.
const SETS: usize = 1 << 13;

/// The rate limit of a client at an object.
#[derive(Debug, Clone)]
pub(crate) struct RateSettings {
    /// Number of requests; 0 means no limit.
    pub(crate) requests: u32,
    /// Time window for the requests.
    pub(crate) window: Duration,
}

impl Default for RateSettings {
    fn default() -> Self {
        Self { requests: 0, window: Duration::from_secs(60) }
    }
}

/// The unit that is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Client<'a> {
    /// An authenticated caller.
    Caller(&'a Caller),
    /// An address; in IPv6 a /64 network, since one client has all its addresses.
    Address(IpAddr),
    /// All clients without a known address.
    Unknown,
}

/// Counts the requests of each client to each object, in this process.
///
/// A pair without requests for a whole window is forgotten. When a set of the table is full, the
/// pair that has used least is forgotten early and starts anew; nobody can choose the set of a
/// pair, because the hash has a key that only the process knows. So a client with very many names
/// gets the quota of each name, and no more.
pub(super) struct RateLimiter {
    requests: u32,
    /// The share of the window that one request uses, in nanoseconds.
    step: u64,
    key: [u8; 32],
    sets: Box<[Mutex<[Entry; WAYS]>]>,
    started: Instant,
}

/// A pair of client and object.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    pair: u128,
    /// When its full quota is available again, in nanoseconds since the start. An entry in the past
    /// is free.
    full_at: u64,
}

/// The remaining quota of a client at an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    limit: u32,
    remaining: u32,
    /// Time until the full quota is available again.
    reset: Duration,
    /// Time until the next request is accepted, if this one is not.
    wait: Option<Duration>,
}

impl RateLimiter {
    /// The limiter of the settings; `None` if there is no limit.
    pub(super) fn new(settings: &RateSettings) -> Option<Self> {
        let window = u64::try_from(settings.window.as_nanos()).unwrap_or(u64::MAX);
        let step = (window.checked_div(u64::from(settings.requests))?).max(1);
        let mut key = [0; 32];
        key[..16].copy_from_slice(&OsRandom.bytes16());
        key[16..].copy_from_slice(&OsRandom.bytes16());
        let sets = (0..SETS).map(|_| Mutex::default()).collect();
        Some(Self { requests: settings.requests, step, key, sets, started: Instant::now() })
    }

    /// Counts a request of `client` to `object`.
    pub(super) fn take(&self, client: Client<'_>, object: &ObjectId) -> Quota {
        self.take_at(self.started.elapsed(), self.pair(client, object))
    }

    fn take_at(&self, now: Duration, pair: u128) -> Quota {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let mut ways = self.set(pair);
        let known = ways.iter().position(|entry| entry.pair == pair && entry.full_at > now);
        let at = known
            .unwrap_or_else(|| (0..WAYS).min_by_key(|at| ways[*at].full_at).unwrap_or_default());
        let used = known.map_or(0, |at| ways[at].full_at - now);
        let most = self.step * u64::from(self.requests - 1);
        if let Some(wait) = used.checked_sub(most).filter(|wait| *wait > 0) {
            return self.quota(used, Some(Duration::from_nanos(wait)));
        }
        let used = used + self.step;
        ways[at] = Entry { pair, full_at: now.saturating_add(used) };
        self.quota(used, None)
    }

    /// The set of the table that may contain a pair.
    fn set(&self, pair: u128) -> MutexGuard<'_, [Entry; WAYS]> {
        let set = usize::try_from(pair % SETS as u128).unwrap_or_default();
        self.sets[set].lock()
    }

    fn quota(&self, used: u64, wait: Option<Duration>) -> Quota {
        let spent = u32::try_from(used.div_ceil(self.step)).unwrap_or(u32::MAX);
        Quota {
            limit: self.requests,
            remaining: self.requests.saturating_sub(spent),
            reset: Duration::from_nanos(used),
            wait,
        }
    }

    /// A keyed hash of a client and an object, unpredictable outside this process.
    fn pair(&self, client: Client<'_>, object: &ObjectId) -> u128 {
        self.hash(client, &[object.tenant().prefix().as_str(), object.class(), object.id()])
    }

    fn hash(&self, client: Client<'_>, object: &[&str]) -> u128 {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        let mut part = |tag: u8, bytes: &[u8]| {
            hasher.update(&[tag]).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        };
        match client {
            Client::Caller(caller) => {
                part(0, caller.tenant().org().as_bytes());
                part(0, caller.tenant().name().as_bytes());
                if let Some(account) = caller.account() {
                    part(0, account.to_hex().as_bytes());
                }
            }
            Client::Address(IpAddr::V4(address)) => part(1, &address.octets()),
            Client::Address(IpAddr::V6(address)) => part(2, &address.octets()[..8]),
            Client::Unknown => part(3, &[]),
        }
        for (tag, text) in (4..).zip(object) {
            part(tag, text.as_bytes());
        }
        let hash = hasher.finalize();
        let (start, _) = hash.as_bytes().split_first_chunk::<16>().expect("a hash has 32 bytes");
        u128::from_le_bytes(*start)
    }
}

impl Quota {
    /// # Errors
    ///
    /// `RateLimited` when the quota is exceeded.
    pub(super) fn check(&self) -> Result<()> {
        let Some(wait) = self.wait else { return Ok(()) };
        let message = format!(
            "this client may send {} requests to this object at once; wait before the next one",
            self.limit
        );
        Err(Error::new(ErrorKind::RateLimited, message).with_retry_after(wait))
    }

    /// Adds the rate limit headers to a response.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, HeaderValue::from(self.limit));
        headers.insert(REMAINING, HeaderValue::from(self.remaining));
        headers.insert(
            RESET,
            HeaderValue::from(self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0)),
        );
    }
}

#[cfg(test)]
mod tests;
