//! Limits how often an address may fail to authenticate.

use std::net::IpAddr;
use std::time::Duration;

use dotdo_core::{Error, ErrorKind, Result};

use super::{Client, RateLimiter, RateSettings};

/// Number of failures after which an address has to wait, and the time in which it gets them back.
/// A person who types, or a client that retries with an old token, stays below.
const FAILURES: RateSettings = RateSettings { requests: 20, window: Duration::from_secs(60) };

/// The failed attempts of addresses, in the same table of constant size as the rate limits.
///
/// A success of an address ends its count: behind a proxy that is not in `trusted_proxies`, all
/// clients have one address, and one of them must not lock out the others. Clients without a known
/// address are not limited, for the same reason.
pub(crate) struct Attempts(RateLimiter);

impl Default for Attempts {
    fn default() -> Self {
        Self(RateLimiter::new(&FAILURES).expect("the number of failures is not 0"))
    }
}

impl Attempts {
    /// Checks that an address may try again; this does not count.
    ///
    /// # Errors
    ///
    /// `RateLimited` (`TOO_MANY_ATTEMPTS`) after too many failures.
    pub(crate) fn check(&self, address: Option<IpAddr>) -> Result<()> {
        let Some(pair) = self.pair(address) else { return Ok(()) };
        let Some(wait) = self.0.wait_at(self.0.started.elapsed(), pair) else { return Ok(()) };
        let text = "too many requests with invalid tokens came from this address; wait before the next one";
        let error = Error::new(ErrorKind::RateLimited, text).with_code("TOO_MANY_ATTEMPTS");
        Err(error.with_retry_after(wait))
    }

    /// Counts a failure.
    pub(crate) fn count(&self, address: Option<IpAddr>) {
        if let Some(pair) = self.pair(address) {
            self.0.take_at(self.0.started.elapsed(), pair);
        }
    }

    /// Ends the count of an address that has authenticated.
    pub(crate) fn forgive(&self, address: Option<IpAddr>) {
        if let Some(pair) = self.pair(address) {
            self.0.forget(pair);
        }
    }

    fn pair(&self, address: Option<IpAddr>) -> Option<u128> {
        address.map(|address| self.0.hash(Client::Address(address), &[]))
    }
}

impl RateLimiter {
    /// How long a pair has to wait before its next request would be accepted.
    fn wait_at(&self, now: Duration, pair: u128) -> Option<Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let ways = self.set(pair);
        let known = ways.iter().find(|entry| entry.pair == pair)?;
        let most = self.step * u64::from(self.requests - 1);
        let wait = known.full_at.saturating_sub(now).saturating_sub(most);
        (wait > 0).then(|| Duration::from_nanos(wait))
    }

    /// Gives a pair its full quota back.
    fn forget(&self, pair: u128) {
        if let Some(entry) = self.set(pair).iter_mut().find(|entry| entry.pair == pair) {
            *entry = Default::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(attempts: &Attempts, address: Option<IpAddr>) -> u32 {
        let mut failures = 0;
        while failures < 100 && attempts.check(address).is_ok() {
            attempts.count(address);
            failures += 1;
        }
        failures
    }

    #[test]
    fn an_address_that_fails_often_has_to_wait_and_others_do_not() {
        let attempts = Attempts::default();
        let [one, other] = [1, 2].map(|last| Some(IpAddr::from([192, 0, 2, last])));
        assert_eq!(failing(&attempts, one), 20);
        let error = attempts.check(one).expect_err("too many");
        assert_eq!((error.kind(), error.code()), (ErrorKind::RateLimited, "TOO_MANY_ATTEMPTS"));
        assert!(error.retry_after().is_some_and(|wait| wait <= Duration::from_secs(3)));
        assert!(attempts.check(other).is_ok());
        assert_eq!(failing(&attempts, None), 100, "nobody knows who that is");
    }

    #[test]
    fn a_success_ends_the_count_of_an_address() {
        let attempts = Attempts::default();
        let one = Some(IpAddr::from([192, 0, 2, 1]));
        assert_eq!(failing(&attempts, one), 20);
        attempts.forgive(one);
        assert_eq!(failing(&attempts, one), 20);
    }

    #[test]
    fn an_attempt_comes_back_after_its_share_of_the_window() {
        let attempts = Attempts::default();
        let pair = attempts.pair(Some(IpAddr::from([192, 0, 2, 1]))).expect("an address");
        let at = Duration::from_secs;
        for _ in 0..20 {
            assert_eq!(attempts.0.wait_at(at(1), pair), None);
            attempts.0.take_at(at(1), pair);
        }
        assert_eq!(attempts.0.wait_at(at(1), pair), Some(at(3)));
        assert_eq!(attempts.0.wait_at(at(3), pair), Some(at(1)), "asking costs nothing");
        assert_eq!(attempts.0.wait_at(at(4), pair), None);
    }
}
