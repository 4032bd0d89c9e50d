use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use dotdo_core::Tenant;
use proptest::prelude::*;

use super::*;

fn limiter(requests: u32, window_ms: u64) -> RateLimiter {
    RateLimiter::new(&RateSettings { requests, window: Duration::from_millis(window_ms) })
        .expect("a limit")
}

fn object(id: &str) -> ObjectId {
    Tenant::local().object("DO", id).expect("an id")
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn no_requests_are_no_limit() {
    assert!(RateLimiter::new(&RateSettings::default()).is_none());
}

#[test]
fn a_burst_is_accepted_and_then_one_request_per_step() {
    let limiter = limiter(3, 3000);
    for remaining in [2, 1, 0] {
        let quota = limiter.take_at(ms(0), 1);
        assert_eq!((quota.remaining, quota.wait, quota.limit), (remaining, None, 3));
    }
    let refused = limiter.take_at(ms(400), 1);
    assert_eq!((refused.remaining, refused.wait, refused.reset), (0, Some(ms(600)), ms(2600)));
    assert_eq!(
        limiter.take_at(ms(999), 1).wait,
        Some(ms(1)),
        "who is refused does not wait longer for having asked"
    );
    assert_eq!(limiter.take_at(ms(1000), 1).wait, None);
    assert!(limiter.take_at(ms(1000), 1).wait.is_some());
    assert_eq!(limiter.take_at(ms(1000), 2).remaining, 2, "another pair has its own");
    assert_eq!(limiter.take_at(ms(60_000), 1).remaining, 2, "all is forgotten");
}

#[test]
fn each_pair_of_client_and_object_has_its_own_quota() {
    let limiter = limiter(1, 1000);
    let v6 =
        |text: &str| Client::Address(IpAddr::V6(text.parse::<Ipv6Addr>().expect("an address")));
    let v4 = Client::Address(IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4)));
    let tenant = Tenant::new("acme", "shop").expect("a tenant");
    let callers = ["", "1.2.3.4"].map(Caller::new);
    let of_tenant = callers.clone().map(|caller| caller.of_tenant(tenant.clone()));
    let clients = [
        Client::Unknown,
        Client::Caller(&callers[0]),
        Client::Caller(&callers[1]),
        Client::Caller(&of_tenant[0]),
        Client::Caller(&of_tenant[1]),
        v4,
        v6("2001:db8::1"),
        v6("2001:db8:0:1::1"),
    ];
    let objects = [object("a"), object("b"), tenant.object("DO", "a").expect("an id")];
    let pairs =
        clients.iter().flat_map(|client| objects.each_ref().map(|to| limiter.pair(*client, to)));
    assert_eq!(pairs.collect::<BTreeSet<_>>().len(), 3 * clients.len());
    assert_eq!(
        limiter.pair(v6("2001:db8::1"), &object("a")),
        limiter.pair(v6("2001:db8::ffff:2"), &object("a"))
    );
    assert_ne!(
        limiter.pair(v4, &object("a")),
        self::limiter(1, 1000).pair(v4, &object("a")),
        "another process has another key"
    );
}

#[test]
fn ten_thousand_clients_have_each_their_own() {
    // With a random key, nine of them would meet in one set in one run of 25, and one would be
    // forgotten.
    let limiter = RateLimiter { key: [1; 32], ..limiter(2, 60_000) };
    let pairs: Vec<u128> = (0..10_000u32)
        .map(|n| limiter.pair(Client::Address(IpAddr::V4(n.into())), &object("a")))
        .collect();
    for remaining in [1, 0] {
        let forgotten = pairs
            .iter()
            .filter(|pair| limiter.take_at(ms(0), **pair).remaining != remaining)
            .count();
        assert_eq!(forgotten, 0);
    }
    assert!(pairs.iter().all(|pair| limiter.take_at(ms(0), *pair).wait.is_some()));
}

#[test]
fn many_names_do_not_evict_clients_that_used_more_quota() {
    let limiter = limiter(10, 60_000);
    let busy = limiter.pair(Client::Caller(&Caller::new("busy")), &object("a"));
    while limiter.take_at(ms(0), busy).wait.is_none() {}
    for n in 0..300_000u128 {
        // Any numbers: each stands for a pair that nobody has seen yet.
        limiter.take_at(ms(0), n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    }
    assert!(limiter.take_at(ms(0), busy).wait.is_some());
}

proptest! {
    #[test]
    fn no_window_has_more_than_twice_the_configured_requests(requests in 1u32..50, gaps in prop::collection::vec(0u64..200, 1..200)) {
        let (limiter, window) = (limiter(requests, 1000), 1000);
        let mut taken = Vec::new();
        let mut now = 0;
        for gap in gaps {
            now += gap;
            let quota = limiter.take_at(ms(now), 7);
            match quota.wait {
                None => taken.push(now),
                Some(wait) => prop_assert!(wait <= ms(1000 / u64::from(requests) + 1)),
            }
            prop_assert!(quota.remaining < requests && quota.reset <= ms(window));
        }
        for (at, start) in taken.iter().enumerate() {
            let inside = taken[at..].iter().take_while(|time| **time < start + window).count();
            // The allowance, and what has come back meanwhile.
            prop_assert!(inside <= 2 * requests as usize);
        }
    }
}
