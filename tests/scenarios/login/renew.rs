//! Renewing a login: ahead of its end, by one process at a time, and when the provider is in trouble.

use dotdo_tests::Cli;
use serde_json::json;

use super::{access, acme, age, logged_in, refresh};

#[tokio::test]
async fn processes_at_the_same_time_renew_a_login_once() {
    let (provider, cli) = logged_in().await;
    let before = cli.kept("default");
    let polls = provider.asked("/token").await;
    for round in 1..=2 {
        age(&cli, 30);
        let running: Vec<_> = (0..4).map(|_| cli.start(&["token"])).collect();
        let mut tokens = Vec::new();
        for command in running {
            tokens.push(command.end().await.ok());
        }
        let after = cli.kept("default");
        assert!(tokens.iter().all(|token| token.trim() == access(&after)), "{tokens:?}");
        assert_ne!((access(&before), refresh(&before)), (access(&after), refresh(&after)));
        assert_eq!(provider.asked("/token").await, polls + round, "one of them asks");
    }
    // A token that is not due is used as it is.
    age(&cli, 120);
    cli.run(&["token"]).await.ok();
    assert_eq!(provider.asked("/token").await, polls + 2);
}

#[tokio::test]
async fn a_token_that_is_still_valid_is_used_while_the_provider_is_in_trouble() {
    let (provider, cli) = logged_in().await;
    let token = access(&cli.kept("default"));
    provider.set(&json!({ "failures": { "/token": 2 } })).await;
    age(&cli, 30);
    let outcome = cli.run(&["token"]).await;
    assert!(outcome.stderr.contains("can't be renewed at the moment"), "{outcome:?}");
    assert!(outcome.stderr.contains("/token answers with status 503"), "{outcome:?}");
    assert_eq!(outcome.ok().trim(), token);

    age(&cli, -10);
    let outcome = cli.run(&["token"]).await.failed(1);
    assert!(outcome.contains("has expired and can't be renewed at the moment"), "{outcome}");
    assert!(!outcome.contains(&token) && !outcome.contains(&refresh(&cli.kept("default"))));
    let renewed = cli.run(&["token"]).await.ok();
    assert_ne!(renewed.trim(), token);

    provider.process().kill9();
    age(&cli, 30);
    let outcome = cli.run(&["token"]).await;
    assert!(outcome.stderr.contains("does not answer"), "{outcome:?}");
    assert_eq!(outcome.ok(), renewed);
}

#[tokio::test]
async fn a_login_that_the_provider_has_ended_is_forgotten() {
    let (provider, cli) = logged_in().await;
    let old = cli.kept("default");
    age(&cli, 30);
    cli.run(&["token"]).await.ok();
    // A refresh token that is used twice ends the whole login: it may have been stolen.
    let thief = Cli::new();
    std::fs::create_dir_all(thief.login_file("default").parent().expect("a folder"))
        .expect("the home folder is ours");
    std::fs::copy(cli.login_file("default"), thief.login_file("default")).expect("it is readable");
    thief.change("default", |login| login["tokens"] = old["tokens"].clone());
    age(&thief, 30);
    let over = thief.run(&["token"]).await.failed(1);
    assert!(over.contains("the login is over: the issuer has ended it (invalid_grant"), "{over}");

    age(&cli, 30);
    let over = cli.run(&["whoami"]).await.failed(1);
    assert!(over.contains("run `dotdo login`") && !over.contains(&refresh(&old)), "{over}");
    let left = cli.kept("default").to_string();
    assert!(!left.contains("_token") && left.contains(provider.issuer()), "{left}");
    assert!(cli.run(&["token"]).await.failed(1).contains("not logged in"));

    // The next login is at the same issuer, for the same client.
    let mut login = cli.start(&["login"]);
    let code = login.user_code().await;
    provider.approve(&code, "ada", &acme()).await;
    assert!(login.end().await.ok().starts_with("logged in as ada"));
}
