//! Limits of what is no object: requests that are counted by their address or by a name.

use std::net::IpAddr;
use std::time::Duration;

use dotdo_core::{Error, ErrorKind, Result};

use super::{Client, RateLimiter, RateSettings};

/// A limit for requests that are counted by an address or by a name.
pub(crate) struct Limit {
    limiter: Option<RateLimiter>,
    what: &'static str,
}

impl Limit {
    /// `requests` in a minute for each `what`, such as "address"; 0 means no limit.
    pub(crate) fn per_minute(requests: u32, what: &'static str) -> Self {
        let settings = RateSettings { requests, window: Duration::from_secs(60) };
        Self { limiter: RateLimiter::new(&settings), what }
    }

    /// Counts a request from an address.
    ///
    /// # Errors
    ///
    /// `RateLimited` when there were too many.
    pub(crate) fn count_address(&self, address: Option<IpAddr>) -> Result<()> {
        self.count(address.map_or(Client::Unknown, Client::Address), &[])
    }

    /// Counts a request for a name.
    ///
    /// # Errors
    ///
    /// `RateLimited` when there were too many.
    pub(crate) fn count_name(&self, name: &str) -> Result<()> {
        self.count(Client::Unknown, &[name])
    }

    fn count(&self, client: Client<'_>, name: &[&str]) -> Result<()> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let quota = limiter.take_at(limiter.started.elapsed(), limiter.hash(client, name));
        let Some(wait) = quota.wait else { return Ok(()) };
        let text = format!(
            "too many requests of this {} in a minute; wait before the next one",
            self.what
        );
        Err(Error::new(ErrorKind::RateLimited, text).with_retry_after(wait))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn addresses_and_names_are_counted_apart() {
        let limit = Limit::per_minute(2, "tenant");
        for (address, name) in [(Some(Ipv4Addr::LOCALHOST), "a"), (None, "b")] {
            let address = address.map(IpAddr::from);
            for _ in 0..2 {
                assert!(limit.count_address(address).is_ok() && limit.count_name(name).is_ok());
            }
            for refusal in [limit.count_address(address), limit.count_name(name)] {
                let error = refusal.expect_err("the third");
                assert_eq!(error.kind(), ErrorKind::RateLimited);
                assert!(error.retry_after().is_some_and(|wait| wait <= Duration::from_secs(30)));
            }
        }
        let none = Limit::per_minute(0, "tenant");
        assert!((0..1000).all(|_| none.count_name("a").is_ok()));
    }
}
