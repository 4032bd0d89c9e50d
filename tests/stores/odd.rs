//! Odd answers of stores and of what stands in front of them, played through the real client: for
//! each what it must make of it. An error never becomes an empty result, nothing that was not
//! written counts as written, and nothing secret goes anywhere else.

mod others;
mod table;

use std::sync::Arc;

use bytes::Bytes;
use dotdo::engine::OsRandom;
use dotdo::testing::RunningClock;
use dotdo_core::{Bucket, Key, Part, StoreConfig, StoreError};
use dotdo_tests::{Asked, Odd, Oddity, Then, unique};

use self::table::{CASES, Case, Is};

/// More requests than any call sends.
const ALWAYS: usize = 100;

/// How much faster than time the clock is, so that pauses are short.
const RATE: u32 = 5;

/// The same where the end of the time for an answer is waited for.
const RATE_OF_WAITS: u32 = 50;

/// A bucket in which times are over soon.
fn open(odd: &Odd, rate: u32) -> Arc<dyn Bucket> {
    open_as(&odd.config(&unique().to_string()), rate)
}

fn open_as(config: &StoreConfig, rate: u32) -> Arc<dyn Bucket> {
    let clock = Arc::new(RunningClock::at_rate(rate));
    dotdo_core::open(config, unique(), clock, Arc::new(OsRandom))
        .expect("the configuration is good")
}

fn key(text: &str) -> Key {
    Key::new(text)
}

/// What the client made of an answer: of a read its bytes, of a listing its keys.
async fn ask(bucket: &dyn Bucket, asked: Asked) -> Result<Option<String>, StoreError> {
    match asked {
        Asked::Create => {
            bucket.create(&key("new"), Bytes::from_static(b"mine")).await.map(|()| None)
        }
        Asked::Put => bucket.put(&key("new"), Bytes::from_static(b"mine")).await.map(|()| None),
        Asked::Get => {
            let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
            let found = bucket.get(&key("folder/there")).await?;
            Ok(found.map(|stored| text(stored.bytes)))
        }
        Asked::List => {
            let listed = bucket.list(&key("folder"), None, 10).await?;
            let keys: Vec<&str> = listed.iter().map(|entry| entry.key.as_str()).collect();
            Ok(Some(keys.join(" ")))
        }
        Asked::Delete => {
            bucket.delete(&[key("folder/there"), key("folder/nor")]).await.map(|()| None)
        }
    }
}

fn check(case: &Case, outcome: &Result<Option<String>, StoreError>) {
    let name = case.name;
    if let Err(error) = outcome {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("sesame-s"), "{name}: a secret: {text}");
    }
    match (case.is, outcome) {
        (Is::Done, Ok(None))
        | (Is::Missing, Ok(None))
        | (Is::Taken, Err(StoreError::Exists { .. })) => {}
        (Is::Found(text), Ok(Some(found))) => assert_eq!(found, text, "{name}"),
        (Is::Unclear(text), Err(error @ StoreError::Unavailable { .. }))
        | (Is::Refused(text), Err(error @ StoreError::Refused { .. })) => {
            assert!(error.to_string().contains(text), "{name}: {error}");
        }
        (expected, got) => panic!("{name}: expected {expected:?}, got {got:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_are_understood() {
    let odd = Odd::start().await;
    for case in CASES {
        let rate = if case.then == Then::Trickle { RATE_OF_WAITS } else { RATE };
        let (bucket, name) = (open(&odd, rate), case.name);
        bucket.put(&key("folder/there"), Bytes::from_static(b"one")).await.expect("it is honest");
        odd.plan(Oddity {
            asked: case.asked,
            times: if case.passes { 1 } else { ALWAYS },
            is_done: case.is_done,
            answer: case.answer.text(),
            then: case.then,
        });
        odd.take_seen();
        let outcome = ask(bucket.as_ref(), case.asked).await;
        let sent = odd.take_seen().iter().filter(|asked| **asked == case.asked).count();
        odd.heal();
        check(case, &outcome);
        if case.asked == Asked::Create {
            assert_eq!(sent, 1, "{name}: a create is sent once");
            let landed = bucket.get(&key("new")).await.expect("it is honest again");
            assert_eq!(landed.is_some(), case.is_done, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_answers_of_google_and_azure_are_understood() {
    let odd = Odd::start().await;
    let stores = [
        ("google", others::google(&odd), others::GOOGLE),
        ("azure", others::azure(&odd), others::AZURE),
    ];
    for (store, config, cases) in stores {
        let bucket = open_as(&config, RATE);
        for case in cases {
            odd.plan(Oddity {
                asked: case.asked,
                times: ALWAYS,
                is_done: false,
                answer: case.answer.text(),
                then: case.then,
            });
            odd.take_seen();
            let outcome = ask(bucket.as_ref(), case.asked).await;
            let seen = odd.take_seen();
            odd.heal();
            let name = format!("{store}: {}", case.name);
            assert!(seen.contains(&case.asked), "{name}: {seen:?} was asked: {outcome:?}");
            check(case, &outcome);
            if case.asked == Asked::Create {
                assert_eq!(seen.len(), 1, "{name}: a create is sent once");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_gets_no_secret() {
    let (odd, elsewhere) = (Odd::start().await, Odd::start().await);
    for status in
        ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        for asked in [Asked::Create, Asked::Put, Asked::Get, Asked::List, Asked::Delete] {
            let bucket = open(&odd, RATE);
            odd.plan(Oddity {
                asked,
                times: ALWAYS,
                is_done: false,
                answer: format!(
                    "HTTP/1.1 {status}\r\nlocation: {}/promises/x\r\ncontent-length: 0\r\n\r\n",
                    elsewhere.endpoint()
                ),
                then: Then::Next,
            });
            let outcome = ask(bucket.as_ref(), asked).await;
            odd.heal();
            let Err(StoreError::Refused { reason, .. }) = &outcome else {
                panic!("{status} to {asked:?}: {outcome:?}")
            };
            assert!(reason.contains("set its region and endpoint"), "{status}: {reason}");
        }
    }
    assert_eq!(elsewhere.take_seen(), [], "nothing goes to an address that an answer names");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_without_a_date_does_not_look_old() {
    let odd = Odd::start().await;
    let plain = "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 3\r\n";
    let date = "date: Sun, 01 Nov 2026 08:00:00 GMT\r\n";
    let modified = "last-modified: Sun, 01 Nov 2026 07:00:00 GMT\r\n";
    let (now_ms, then_ms) = (1_793_520_000_000, 1_793_516_400_000);
    for (headers, expected) in [
        (format!("{date}{modified}"), then_ms),
        (date.to_owned(), now_ms),
        (modified.to_owned(), then_ms),
        (String::new(), i64::MAX),
    ] {
        let bucket = open(&odd, RATE);
        odd.plan(Oddity {
            asked: Asked::Get,
            times: 1,
            is_done: false,
            answer: format!("{plain}{headers}\r\none"),
            then: Then::Next,
        });
        let found = bucket.get(&key("folder/there")).await.expect("it answers");
        assert_eq!(found.expect("it is there").modified_ms, expected, "{headers:?}");
        let knows = headers.contains("date: Sun, 01 Nov 2026 08");
        assert_eq!(bucket.store_time_ms(Part::Log).is_some(), knows, "{headers:?}");
    }
}
