//! Where logins are kept, and what a damaged or exposed one leads to.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use dotdo_tests::{Cli, Deadline, Keyring, OpenId};

use super::{access, acme, logged_in};

#[tokio::test]
async fn a_file_that_others_can_read_is_refused_but_can_be_logged_out() {
    let (provider, cli) = logged_in().await;
    let file = cli.login_file("default");
    let token = access(&cli.kept("default"));
    let chmod = |mode: u32| {
        let permissions = Permissions::from_mode(mode);
        std::fs::set_permissions(&file, permissions).expect("the file is ours");
    };
    for mode in [0o644, 0o640, 0o606] {
        chmod(mode);
        for command in ["token", "whoami"] {
            let refused = cli.run(&[command]).await.failed(1);
            let expected = format!("expected the mode 600, got {mode:o}; run `chmod 600 ");
            assert!(refused.contains(&expected), "{refused}");
            assert!(!refused.contains(&token), "{refused}");
        }
    }
    chmod(0o600);
    assert_eq!(cli.run(&["token"]).await.ok().trim(), token);
    chmod(0o644);
    assert_eq!(cli.run(&["logout"]).await.ok(), "logged out\n");
    assert_eq!(provider.asked("/token/revocation").await, 1);
}

#[tokio::test]
async fn a_damaged_file_is_an_error_that_does_not_quote_it() {
    let (provider, cli) = logged_in().await;
    let token = access(&cli.kept("default"));
    let text = std::fs::read_to_string(cli.login_file("default")).expect("there is a login");
    for damaged in [String::new(), text[..text.len() - 20].to_owned(), text.replace(": 1", ": 7")] {
        std::fs::write(cli.login_file("default"), &damaged).expect("the file is ours");
        let refused = cli.run(&["token"]).await.failed(1);
        assert!(refused.contains("can't be used: it is "), "{refused}");
        assert!(refused.contains("dotdo login") && !refused.contains(&token[..20]), "{refused}");
    }
    cli.login(&provider, "ada", &acme()).await;
    assert_ne!(cli.run(&["token"]).await.ok().trim(), token);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn in_a_keyring_the_tokens_are_nowhere_else() {
    let (provider, keyring) = (OpenId::start().await, Keyring::start().await);
    let cli = Cli::new()
        .env("DOTDO_LOGIN_KEYRING", "auto")
        .env("DBUS_SESSION_BUS_ADDRESS", keyring.address());
    // A login without its tokens tells whether the keyring answers yet.
    cli.login(&provider, "ada", &acme()).await;
    cli.change("default", |login| {
        login["tokens_in"] = "keyring".into();
        login.as_object_mut().expect("an object").remove("tokens");
    });
    let answers = || async {
        let outcome = cli.run(&["token"]).await;
        let is_there = outcome.code == Some(0) || outcome.stderr.contains("does not have them");
        is_there.then_some(())
    };
    let answers = Deadline::in_seconds(60).until(answers).await;
    assert!(answers.is_some(), "the keyring does not answer:\n{}", keyring.stderr());

    let outcome = cli.login(&provider, "ada", &acme()).await;
    assert!(outcome.stdout.contains("the tokens are in the system's keyring\n"), "{outcome:?}");
    let shown = cli.run(&["whoami"]).await.ok();
    assert!(shown.contains("kept in       the system's keyring"), "{shown}");
    let token = cli.run(&["token"]).await.ok();
    assert_eq!(token.split('.').count(), 3);
    let text = std::fs::read_to_string(cli.login_file("default")).expect("it is text");
    assert!(!text.contains("_token"), "{text}");

    // Logging out removes them: with the file alone there is no login.
    let file = std::fs::read(cli.login_file("default")).expect("there is a login");
    assert_eq!(cli.run(&["logout"]).await.ok(), "logged out\n");
    std::fs::write(cli.login_file("default"), file).expect("the home folder is ours");
    std::fs::set_permissions(cli.login_file("default"), Permissions::from_mode(0o600))
        .expect("the file is ours");
    let gone = cli.run(&["token"]).await.failed(1);
    assert!(gone.contains("does not have them any more"), "{gone}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_a_keyring_the_tokens_are_in_the_file() {
    let provider = OpenId::start().await;
    let cli = Cli::new().env("DOTDO_LOGIN_KEYRING", "auto");
    let outcome = cli.login(&provider, "ada", &acme()).await;
    assert!(outcome.stderr.contains("the system's keyring can't be used ("), "{outcome:?}");
    let file = cli.login_file("default").display().to_string();
    assert!(outcome.stdout.contains(&format!("the tokens are in {file}")), "{outcome:?}");
    // A login that is in the file needs no keyring.
    let token = cli.run(&["token"]).await;
    assert_eq!((token.stderr.as_str(), token.code), ("", Some(0)));

    // One that is in a keyring which is gone says what to do.
    cli.change("default", |login| {
        login["tokens_in"] = "keyring".into();
        login.as_object_mut().expect("an object").remove("tokens");
    });
    let gone = cli.run(&["token"]).await.failed(1);
    assert!(gone.contains("in the system's keyring") && gone.contains("DOTDO_LOGIN_KEYRING=off"));
    let outcome = cli.run(&["logout"]).await;
    assert!(outcome.stderr.contains("may still have the tokens"), "{outcome:?}");
    assert!(outcome.code == Some(0) && !cli.login_file("default").exists());
}
