use dotdo_core::testing::ManualClock;
use dotdo_core::{Secret, Tenant};
use futures_util::future::join_all;
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::super::backend::testing;
use super::super::times;
use super::*;

/// A token service whose keys are numbered and end 900 s after the clock's time.
struct World {
    server: MockServer,
    clock: Arc<ManualClock>,
    issuing: Issuing,
}

impl World {
    async fn new(web_identity: bool) -> Self {
        let server = MockServer::start().await;
        let clock = Arc::new(ManualClock::new());
        let backend = Backend::Sts(testing::sts(server.uri(), web_identity));
        let issuing = Issuing::new(backend, Arc::clone(&clock) as Arc<dyn Clock>);
        let world = Self { server, clock, issuing };
        world.answers().await;
        world
    }

    /// Each answer has keys of its own.
    async fn answers(&self) {
        self.server.reset().await;
        let clock = Arc::clone(&self.clock);
        let number = std::sync::atomic::AtomicU64::new(0);
        let answer = move |_: &Request| {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let end = times::text(clock.wall_ms() + 900_000);
            ResponseTemplate::new(200).set_body_string(format!(
                "<Credentials><AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{end}</Expiration></Credentials>"
            ))
        };
        Mock::given(method("POST")).respond_with(answer).mount(&self.server).await;
    }

    async fn fails(&self) {
        self.server.reset().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(503))
            .mount(&self.server)
            .await;
    }

    async fn exchanges(&self) -> usize {
        self.server.received_requests().await.expect("recorded").len()
    }

    async fn keys(&self, org: &str, access: Access, who: (&str, Option<&str>)) -> Result<Issued> {
        let tenant = Tenant::new(org, "t").expect("a tenant");
        let (part, jwt) = (Part::Tenant(tenant), who.1.map(Secret::new));
        let prefixes = part.prefixes("");
        let wanted = Wanted { part: &part, prefixes: &prefixes, access, jwt: jwt.as_ref() };
        self.issuing.keys(&wanted, who.0, async || Ok(())).await
    }

    async fn id(&self, org: &str, access: Access, who: (&str, Option<&str>)) -> String {
        self.keys(org, access, who).await.expect("keys").keys.access_key_id
    }
}

const ALICE: (&str, Option<&str>) = ("alice", None);

#[tokio::test]
async fn many_at_once_cost_one_exchange_for_each_tenant_and_access() {
    let world = World::new(false).await;
    let all = (0..200).map(|number| {
        let (org, access) = (
            if number % 2 == 0 { "acme" } else { "other" },
            if number % 4 < 2 { Access::ReadWrite } else { Access::ReadOnly },
        );
        world.id(org, access, ALICE)
    });
    let ids = join_all(all).await;
    assert_eq!(world.exchanges().await, 4);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(*id, ids[number % 4], "{number}");
    }
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(distinct.len(), 4, "no keys of one are another's");
}

#[tokio::test]
async fn keys_are_lent_until_a_fifth_of_their_time_is_left_and_say_their_true_end() {
    let world = World::new(false).await;
    let first = world.keys("acme", Access::ReadWrite, ALICE).await.expect("keys");
    assert!(!first.is_cached);
    world.clock.advance(Duration::from_secs(719));
    let later = world.keys("acme", Access::ReadWrite, ALICE).await.expect("keys");
    assert!(later.is_cached);
    assert_eq!(later.keys, first.keys, "with the same end");
    world.clock.advance(Duration::from_secs(2));
    let new = world.keys("acme", Access::ReadWrite, ALICE).await.expect("keys");
    assert!(!new.is_cached && new.keys.access_key_id != first.keys.access_key_id);
    assert!(new.keys.expires_ms > first.keys.expires_ms);
}

#[tokio::test]
async fn all_that_wait_share_a_failure_and_the_next_one_asks_again() {
    let world = World::new(false).await;
    world.fails().await;
    let failed = join_all((0..50).map(|_| world.keys("acme", Access::ReadWrite, ALICE))).await;
    assert!(
        failed
            .iter()
            .all(|one| one.as_ref().is_err_and(|error| error.code() == "KEYS_UNAVAILABLE"))
    );
    assert_eq!(world.exchanges().await, 1);
    world.clock.advance(Duration::from_millis(1));
    world.answers().await;
    world.id("acme", Access::ReadWrite, ALICE).await;
}

#[tokio::test]
async fn a_tenant_that_is_refused_costs_no_exchange() {
    let world = World::new(false).await;
    let part = Part::Tenant(Tenant::new("acme", "t").expect("a tenant"));
    let prefixes = part.prefixes("");
    let wanted = Wanted { part: &part, prefixes: &prefixes, access: Access::ReadOnly, jwt: None };
    let refuse = async || Err(Error::conflict("closed"));
    assert!(world.issuing.keys(&wanted, "alice", refuse).await.is_err());
    assert_eq!(world.exchanges().await, 0);
}

#[tokio::test]
async fn keys_made_with_a_callers_token_are_only_that_callers() {
    let world = World::new(true).await;
    let (alice, bob) = (("alice", Some("a.a.a")), ("bob", Some("b.b.b")));
    let first = world.id("acme", Access::ReadWrite, alice).await;
    assert_ne!(world.id("acme", Access::ReadWrite, bob).await, first);
    assert_eq!(world.id("acme", Access::ReadWrite, ("alice", Some("another"))).await, first);
    let deployed = world.id("acme", Access::ReadWrite, ("alice", None)).await;
    assert_ne!(deployed, first, "a deploy token is not sent, whoever issued it");
    assert_eq!(world.id("acme", Access::ReadWrite, ("bob", None)).await, deployed);
}

#[tokio::test]
async fn memory_is_bounded_and_nobody_waits_in_vain() {
    let world = World::new(false).await;
    let full = KEPT_MAX;
    for number in 0..full {
        let tenant = Tenant::new("acme", &format!("t{number}")).expect("a tenant");
        let part = Part::Tenant(tenant);
        let wanted = Wanted { part: &part, prefixes: &[], access: Access::ReadOnly, jwt: None };
        world.issuing.slot(&wanted, "alice");
    }
    let held = world.issuing.kept.lock().values().next().cloned().expect("there are some");
    world.id("new", Access::ReadWrite, ALICE).await;
    let kept = world.issuing.kept.lock();
    assert!(kept.len() <= KEPT_MAX, "{}", kept.len());
    assert!(kept.values().any(|slot| Arc::ptr_eq(slot, &held)), "somebody waits for it");
}
