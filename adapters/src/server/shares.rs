//! How many connections each tenant has, and which tenants have more than their share.
//!
//! A connection counts for the tenant of its newest request. A tenant alone may have all places but
//! a reserve, in which others can connect however slow its requests are; beside others it has its
//! share of them once there are no more. Must not know: connections.

use std::collections::HashMap;
use std::time::Duration;

use dotdo_core::{Error, ErrorKind, Tenant};

/// One of so many places is a reserve: there a tenant that has more than its share gets no answer
/// but a refusal. Large enough for a burst of clients that connect, small enough not to be missed.
const RESERVE_SHARE: usize = 8;

/// The connections of all tenants.
pub(super) struct Shares {
    connections_max: usize,
    counts: HashMap<Tenant, usize>,
}

impl Shares {
    pub(super) fn new(connections_max: usize) -> Self {
        Self { connections_max, counts: HashMap::new() }
    }

    /// A connection of `before` is one of `tenant` now.
    pub(super) fn move_from(&mut self, before: Option<&Tenant>, tenant: &Tenant) {
        if let Some(before) = before {
            self.leave(before);
        }
        *self.counts.entry(tenant.clone()).or_default() += 1;
    }

    /// A connection of `tenant` is gone.
    pub(super) fn leave(&mut self, tenant: &Tenant) {
        if let Some(count) = self.counts.get_mut(tenant) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(tenant);
            }
        }
    }

    /// Whether `tenant` has more connections than its share.
    pub(super) fn is_over(&self, tenant: &Tenant) -> bool {
        let share = self.unreserved() / self.counts.len().max(1);
        self.counts.get(tenant).is_some_and(|count| *count > share.max(1))
    }

    /// Checks that `tenant` may have a request answered while `taken` places are taken.
    ///
    /// # Errors
    ///
    /// `Busy` when only the reserve is left and it has more than its share.
    pub(super) fn check(&self, tenant: &Tenant, taken: usize) -> Result<(), Error> {
        if taken <= self.unreserved() || !self.is_over(tenant) {
            return Ok(());
        }
        metrics::counter!("dotdo_connections_refused_total").increment(1);
        let text = format!(
            "your tenant has more than its share of the {} connections of this server; nothing was done, close some and retry later",
            self.connections_max
        );
        Err(Error::new(ErrorKind::Busy, text)
            .with_code("TOO_MANY_CONNECTIONS")
            .with_retry_after(Duration::from_secs(1)))
    }

    fn unreserved(&self) -> usize {
        self.connections_max - self.connections_max / RESERVE_SHARE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        Tenant::new("org", name).expect("a good name")
    }

    fn shares(connections: &[(&str, usize)]) -> Shares {
        let mut shares = Shares::new(80);
        for (name, count) in connections {
            (0..*count).for_each(|_| shares.move_from(None, &tenant(name)));
        }
        shares
    }

    #[test]
    fn a_tenant_alone_has_all_places_but_the_reserve() {
        let alone = shares(&[("a", 70)]);
        alone.check(&tenant("a"), 70).expect("the last but the reserve");
        let over = shares(&[("a", 71)]);
        let refusal = over.check(&tenant("a"), 71).expect_err("the reserve is for others");
        assert_eq!((refusal.kind(), refusal.code()), (ErrorKind::Busy, "TOO_MANY_CONNECTIONS"));
        over.check(&tenant("a"), 70).expect("there are places enough");
    }

    #[test]
    fn beside_others_a_tenant_has_its_share_once_places_are_few() {
        let two = shares(&[("a", 40), ("b", 35)]);
        assert!(two.is_over(&tenant("a")) && !two.is_over(&tenant("b")));
        assert!(two.check(&tenant("a"), 75).is_err() && two.check(&tenant("b"), 75).is_ok());
        two.check(&tenant("a"), 60).expect("nobody needs the places");
    }

    #[test]
    fn who_has_one_connection_is_never_over_its_share() {
        let mut many = Shares::new(8);
        let names: Vec<String> = (0..8).map(|number| format!("t{number}")).collect();
        names.iter().for_each(|name| many.move_from(None, &tenant(name)));
        assert!(names.iter().all(|name| many.check(&tenant(name), 8).is_ok()));
    }

    #[test]
    fn a_connection_counts_for_its_newest_tenant_and_nothing_is_kept_of_others() {
        let mut shares = shares(&[("a", 1)]);
        shares.move_from(Some(&tenant("a")), &tenant("b"));
        assert_eq!(shares.counts, HashMap::from([(tenant("b"), 1)]));
        shares.leave(&tenant("b"));
        shares.leave(&tenant("b"));
        assert!(shares.counts.is_empty());
    }
}
