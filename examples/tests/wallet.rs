//! `wallet.rs`: its client, on two servers of which one is killed.

use std::process::Command;

use dotdo::ErrorKind;
use dotdo::client::{Client, ClientStub};

use crate::programs::wallet::{Balance, Deposit, Wallet, Withdraw};
use crate::running::Running;

const PROGRAM: &str = env!("CARGO_BIN_EXE_example-wallet");

fn wallet(server: &Running) -> ClientStub<Wallet> {
    let url = server.url("");
    Client::new(url.trim_end_matches('/')).expect("a URL").stub("ada").expect("an id")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_have_their_effect_once_through_any_server_and_over_a_kill() {
    let mut first = Running::start(PROGRAM).await;
    let second = first.another(PROGRAM).await;
    let (near, far) = (wallet(&first), wallet(&second));
    assert_eq!(near.call(&Deposit { cents: 1 }).await.expect("the owner"), 1);
    // The second server forwards to the first.
    assert_eq!(far.call(&Deposit { cents: 1 }).await.expect("forwarded"), 2);
    assert_eq!(far.ask(&Balance).await.expect("forwarded"), 2);
    for wallet in [&near, &far] {
        let error = wallet.call(&Withdraw { cents: 5 }).await.expect_err("it is too much");
        assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "TOO_LITTLE"));
        assert_eq!(error.details(), Some(&serde_json::json!({ "missing": 3 })));
    }
    let paid = far.call_once("invoice-7", &Deposit { cents: 10 }).await.expect("forwarded");
    // Calls go on while their owner is killed.
    let calling = tokio::spawn({
        let far = far.clone();
        async move {
            for _ in 0..20 {
                far.call(&Deposit { cents: 1 }).await.expect("it is repeated until it is there");
            }
        }
    });
    first.crash_and_start(PROGRAM).await;
    calling.await.expect("no panic");
    let near = wallet(&first);
    assert_eq!(near.call_once("invoice-7", &Deposit { cents: 10 }).await.expect("again"), paid);
    assert_eq!(near.ask(&Balance).await.expect("it answers"), 32);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_is_its_own_client() {
    let server = Running::start(PROGRAM).await;
    let pay = |what: &str, cents: &str| {
        let url = server.url("");
        let mut command = Command::new(PROGRAM);
        let output = command.args([what, &url, "bob", cents]).output().expect("it runs");
        String::from_utf8(output.stdout).expect("a text")
    };
    assert_eq!(pay("deposit", "500"), "bob has 500 cents\n");
    assert_eq!(pay("withdraw", "900"), "CONFLICT TOO_LITTLE: 400 cents are missing\n");
}
