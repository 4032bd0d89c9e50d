use std::sync::Arc;
use std::time::Duration;

use dotdo_core::testing::{CountingRandom, Fault, ManualClock, Operation, TestStore};
use dotdo_core::{Bucket, Clock, ErrorKind, Key, Result, Scope, Scopes, Tenant};
use futures_util::future::join_all;

use super::*;

struct World {
    clock: Arc<ManualClock>,
    store: Arc<TestStore>,
    tokens: Tokens,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(1_700_000_000_000));
        let store = Arc::new(TestStore::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let bucket: Arc<dyn Bucket> = Arc::clone(&store) as _;
        let random = Arc::new(CountingRandom::starting_at(1));
        let tokens = Tokens::new(bucket, Arc::clone(&clock) as _, random);
        Self { clock, store, tokens }
    }

    fn grant(&self, tenant: &Tenant, name: &str) -> Grant {
        let now_ms = self.clock.wall_ms();
        Grant {
            tenant: tenant.clone(),
            name: name.to_owned(),
            scopes: Scopes::NONE.with(Scope::Read).with(Scope::Write),
            created_by: "alice".to_owned(),
            created_ms: now_ms,
            expires_ms: now_ms + 3_600_000,
        }
    }

    async fn issued(&self, tenant: &Tenant, name: &str) -> (String, String) {
        let (id, token) = self.tokens.issue(self.grant(tenant, name)).await.expect("a token");
        (id, token.reveal().to_owned())
    }

    async fn all(&self, tenant: &Tenant) -> Vec<Record> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.tokens.list(tenant, after.as_deref()).await.expect("a page");
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    /// Every byte in the bucket.
    async fn bytes(&self) -> String {
        let mut out = String::new();
        for entry in self.store.list(&Key::new(""), None, 10_000).await.expect("a listing") {
            let stored = self.store.get(&entry.key).await.expect("an answer").expect("it is there");
            out.push_str(&format!("{} {}\n", entry.key, String::from_utf8_lossy(&stored.bytes)));
        }
        out
    }
}

fn tenant(org: &str) -> Tenant {
    Tenant::new(org, "shop").expect("a tenant")
}

fn refusal<T>(found: Result<T>) -> String {
    let Err(error) = found else { panic!("a token that is not valid was found") };
    assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthenticated, "INVALID_TOKEN"));
    error.message().to_owned()
}

#[tokio::test]
async fn a_token_is_found_with_what_it_was_issued_for() {
    let world = World::new();
    let (id, text) = world.issued(&tenant("one:Acme"), "ci").await;
    assert!(text.starts_with("dotdo_") && text.len() == 6 + 43 && is_id(&id), "{id}");
    let found = world.tokens.find(&text).await.expect("a valid token");
    assert_eq!(found.grant, world.grant(&tenant("one:Acme"), "ci"));
    assert_eq!((id_of(&found.hash), found.revoked), (id, None));
}

#[tokio::test]
async fn the_bucket_has_no_token_and_what_it_has_is_none() {
    let world = World::new();
    let (id, text) = world.issued(&tenant("acme"), "ci").await;
    let bytes = world.bytes().await;
    assert!(!bytes.contains(&text) && !bytes.contains(&text["dotdo_".len()..]), "{bytes}");
    let hash = blake3::hash(text.as_bytes());
    assert!(bytes.contains(hash.to_hex().as_str()), "{bytes}");
    let stolen = URL_SAFE_NO_PAD.encode(hash.as_bytes());
    for guess in [
        format!("dotdo_{}", hash.to_hex()),
        format!("dotdo_{stolen}"),
        format!("dotdo_{id}"),
        hash.to_hex().to_string(),
        format!("{text}A"),
        text[..text.len() - 1].to_owned(),
        text.replace("dotdo_", "Dotdo_"),
        format!(" {text}"),
        "dotdo_".to_owned(),
        String::new(),
    ] {
        assert_eq!(refusal(world.tokens.find(&guess).await), "this deploy token does not exist");
    }
}

#[tokio::test]
async fn every_changed_letter_makes_another_token() {
    let world = World::new();
    let (_, text) = world.issued(&tenant("acme"), "ci").await;
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(bytes).expect("ASCII");
        refusal(world.tokens.find(&tampered).await);
    }
}

#[tokio::test]
async fn a_token_ends_when_it_expires() {
    let world = World::new();
    let (_, text) = world.issued(&tenant("acme"), "ci").await;
    world.clock.advance(Duration::from_millis(3_599_999));
    world.tokens.find(&text).await.expect("a valid token");
    world.clock.advance(Duration::from_millis(1));
    assert!(refusal(world.tokens.find(&text).await).contains("has expired"));
}

#[tokio::test]
async fn a_revoked_token_stays_revoked() {
    let world = World::new();
    let acme = tenant("acme");
    let (id, text) = world.issued(&acme, "ci").await;
    let created = world.store.get(&Key::new(format!(".broker/tokens/{id}"))).await;
    let created = created.expect("an answer").expect("it is there").bytes;
    world.tokens.revoke(&acme, &id, "bob").await.expect("revoked");
    assert!(refusal(world.tokens.find(&text).await).contains("was revoked"));
    // The create arrives once more, late.
    let again = world.store.create(&Key::new(format!(".broker/tokens/{id}")), created).await;
    assert!(again.is_err());
    world.clock.advance(Duration::from_secs(60));
    world.tokens.revoke(&acme, &id, "carol").await.expect("it is revoked");
    assert!(refusal(world.tokens.find(&text).await).contains("was revoked"));
    let listed = world.all(&acme).await;
    let revoked = listed[0].revoked.as_ref().expect("revoked");
    assert_eq!((&*revoked.by, revoked.at_ms), ("bob", 1_700_000_000_000), "the first counts");
}

#[tokio::test]
async fn a_revocation_whose_outcome_is_unknown_is_reported_and_can_be_repeated() {
    let world = World::new();
    let acme = tenant("acme");
    for fault in [Fault::NotApplied, Fault::LostAnswer] {
        let (id, text) = world.issued(&acme, "ci").await;
        world.store.faults().fail_next(Operation::Put, [fault]);
        drop(world.tokens.revoke(&acme, &id, "bob").await.expect_err("an unknown outcome"));
        world.tokens.revoke(&acme, &id, "bob").await.expect("revoked");
        refusal(world.tokens.find(&text).await);
    }
}

#[tokio::test]
async fn a_token_of_another_tenant_is_neither_listed_nor_revoked() {
    let world = World::new();
    let (acme, other) = (tenant("acme"), tenant("other"));
    let (id, text) = world.issued(&acme, "ci").await;
    for bad in [&*id, "", "..", "../tokens/x", &"0".repeat(32), &id.to_uppercase()] {
        let error = world.tokens.revoke(&other, bad, "mallory").await.expect_err(bad);
        assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "UNKNOWN_TOKEN"), "{bad}");
    }
    world.tokens.find(&text).await.expect("still valid");
    assert!(world.all(&other).await.is_empty());
    for near in ["acm", "acme2", "acme.shop"] {
        assert!(world.all(&tenant(near)).await.is_empty(), "{near}");
    }
}

#[tokio::test]
async fn the_list_has_every_token_once_page_by_page() {
    let world = World::new();
    let acme = tenant("acme");
    let names: Vec<String> = (0..250).map(|number| format!("token {number}")).collect();
    join_all(names.iter().map(|name| world.issued(&acme, name))).await;
    world.issued(&tenant("other"), "strange").await;
    let mut listed: Vec<String> =
        world.all(&acme).await.into_iter().map(|record| record.grant.name).collect();
    listed.sort_by_key(|name| name["token ".len()..].parse::<u32>().expect("a number"));
    assert_eq!(listed, names);
}

#[tokio::test]
async fn a_token_whose_creation_is_unknown_is_not_given_out() {
    for (before, fault, listed) in [
        (0, Fault::NotApplied, 0),
        (0, Fault::LostAnswer, 0),
        (1, Fault::NotApplied, 0),
        (1, Fault::AppliedButExists, 1),
    ] {
        let world = World::new();
        let acme = tenant("acme");
        let faults = std::iter::repeat_n(Fault::None, before).chain([fault]);
        world.store.faults().fail_next(Operation::Create, faults);
        assert!(world.tokens.issue(world.grant(&acme, "ci")).await.is_err(), "{fault:?}");
        assert_eq!(world.all(&acme).await.len(), listed, "the list has what exists, {fault:?}");
    }
}

#[tokio::test]
async fn a_tenant_has_a_maximum_which_expired_tokens_do_not_count_for() {
    let world = World::new();
    let acme = tenant("acme");
    for _ in 0..10 {
        join_all((0..100).map(|_| world.issued(&acme, "ci"))).await;
    }
    let error = world.tokens.issue(world.grant(&acme, "ci")).await.map(|_| ()).expect_err("full");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "TOO_MANY_TOKENS"));
    world.issued(&tenant("other"), "ci").await;
    world.clock.advance(Duration::from_secs(3600));
    world.issued(&acme, "ci").await;
    assert_eq!(world.all(&acme).await.len(), 1);
}

#[tokio::test]
async fn the_tokens_of_a_closed_tenant_are_deleted_and_no_others() {
    let world = World::new();
    let (acme, other) = (tenant("acme"), tenant("other"));
    let (_, text) = world.issued(&acme, "ci").await;
    let (_, kept) = world.issued(&other, "ci").await;
    world.tokens.delete_all(&acme).await.expect("deleted");
    world.tokens.delete_all(&acme).await.expect("there are none");
    refusal(world.tokens.find(&text).await);
    world.tokens.find(&kept).await.expect("still valid");
    assert!(!world.bytes().await.contains("acme"));
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_never_a_token() {
    let world = World::new();
    let acme = tenant("acme");
    let (id, text) = world.issued(&acme, "ci").await;
    let key = Key::new(format!(".broker/tokens/{id}"));
    let good = world.store.get(&key).await.expect("an answer").expect("it is there").bytes;
    let good = String::from_utf8(good.to_vec()).expect("JSON");
    for bad in [
        String::new(),
        "null".to_owned(),
        good.replace("\"format\":1", "\"format\":2"),
        good.replace("\"hash\":\"", "\"hash\":\"x"),
        good.replace("\"org\":\"acme\"", "\"org\":\"\""),
        good.replace('}', &format!("{}}}", " ".repeat(64 << 10))),
    ] {
        world.store.put(&key, bad.clone().into()).await.expect("written");
        let error = world.tokens.find(&text).await.expect_err(&bad);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{bad}");
    }
    let admin = good.replace("dotdo:read ", "dotdo:admin dotdo:operator dotdo:read ");
    world.store.put(&key, admin.into()).await.expect("written");
    let found = world.tokens.find(&text).await.expect("a token");
    assert_eq!(found.grant.scopes.to_string(), "dotdo:read dotdo:write");
}
