//! Logging in, what a login shows, and what is left when there is none.

use std::os::unix::fs::PermissionsExt as _;

use dotdo_tests::{Cli, OpenId};
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{access, acme, logged_in, refresh};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_login_that_was_approved_is_kept_for_its_user_alone_and_shows_whose_it_is() {
    let provider = OpenId::start().await;
    let cli = Cli::new();
    let outcome = cli.login(&provider, "ada", &acme()).await;
    let file = cli.login_file("default");
    let expected = format!("logged in as ada of acme\nthe tokens are in {}\n", file.display());
    assert_eq!(outcome.stdout, expected);
    assert!(outcome.stderr.contains(&format!("open {}/device", provider.issuer())), "{outcome:?}");
    assert_eq!((mode(&file), mode(file.parent().expect("a folder"))), (0o600, 0o700));

    let shown = cli.run(&["whoami"]).await.ok();
    for line in [
        "profile       default",
        "subject       ada",
        "organisation  acme",
        "tenant        shop",
        "scopes        dotdo:read dotdo:write",
        &format!("issuer        {}", provider.issuer()),
        &format!("kept in       {}", file.display()),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line:?} is not in\n{shown}");
    }
    let shown = cli.run(&["whoami", "--json"]).await.ok();
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["tenant"], "shop");
    assert_eq!(shown["scopes"], json!(["dotdo:read", "dotdo:write"]));
    assert!(shown["expires"].as_str().is_some_and(|time| time.ends_with('Z')), "{shown}");

    let login = cli.kept("default");
    let token = cli.run(&["token"]).await;
    assert_eq!(token.stdout, format!("{}\n", access(&login)));
    assert_eq!(token.stderr, "", "a program reads it");
    assert!(!outcome.stdout.contains(&access(&login)) && !outcome.stderr.contains(&access(&login)));
}

#[tokio::test]
async fn profiles_are_logins_apart_and_logging_out_ends_one_of_them() {
    let (provider, cli) = logged_in().await;
    let mut work = cli.start(&Cli::login_arguments(&provider, &["--profile", "work", "--json"]));
    let code = work.user_code().await;
    provider.approve(&code, "bob", &json!({ "org_id": "globe" })).await;
    let said: Value = serde_json::from_str(&work.end().await.ok()).expect("JSON");
    let expected = (&json!("bob"), &json!("globe"), &json!("work"));
    assert_eq!((&said["subject"], &said["organisation"], &said["profile"]), expected);

    let subject = async |arguments: &[&str]| {
        let shown = cli.run(arguments).await.ok();
        serde_json::from_str::<Value>(&shown).expect("JSON")["subject"].clone()
    };
    assert_eq!(subject(&["whoami", "--json"]).await, "ada");
    assert_eq!(subject(&["whoami", "--json", "--profile", "work"]).await, "bob");
    let absent = cli.run(&["token", "--profile", "home"]).await.failed(1);
    assert!(absent.contains("profile home; there is a login for default, work"), "{absent}");
    let wrong = cli.run(&["whoami", "--profile", "../work"]).await.failed(2);
    assert!(wrong.contains("--profile: expected up to 64 letters"), "{wrong}");

    // The environment's token is used instead of the default login, not of one that is named.
    let token = provider.token(&json!({ "sub": "deployer", "org_id": "acme" })).await;
    let mut given = cli.command(&["whoami", "--json"]);
    let given = given.env("JWT_TOKEN", &token).output().await.expect("it runs");
    let given: Value = serde_json::from_slice(&given.stdout).expect("JSON");
    assert_eq!((&given["subject"], &given["keptIn"]), (&json!("deployer"), &json!("JWT_TOKEN")));

    let old = refresh(&cli.kept("default"));
    assert_eq!(cli.run(&["logout"]).await.ok(), "logged out\n");
    assert!(!cli.login_file("default").exists());
    let form = format!("client_id={}&grant_type=refresh_token&refresh_token={old}", OpenId::CLIENT);
    let answer = reqwest::Client::new()
        .post(format!("{}/token", provider.issuer()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer: Value =
        answer.send().await.expect("an answer").json().await.expect("the answer is JSON");
    assert_eq!(answer["error"], "invalid_grant", "the refresh token was revoked");
    let absent = cli.run(&["token"]).await.failed(1);
    assert!(absent.contains("profile default; there is a login for work"), "{absent}");
    assert_eq!(cli.run(&["logout"]).await.ok(), "not logged in\n");
    let nothing = "{\"wasLoggedIn\":false,\"revoked\":false}\n";
    assert_eq!(cli.run(&["logout", "--json"]).await.ok(), nothing);
    assert_eq!(subject(&["whoami", "--json", "--profile", "work"]).await, "bob");

    // Logging out works without the provider, too.
    provider.process().kill9();
    let outcome = cli.run(&["logout", "--profile", "work", "--json"]).await;
    assert!(outcome.stderr.contains("could not be revoked"), "{outcome:?}");
    assert_eq!(outcome.ok(), "{\"revoked\":false,\"wasLoggedIn\":true}\n");
    assert!(cli.run(&["token"]).await.failed(1).contains("not logged in; run `dotdo login`"));
}

#[tokio::test]
async fn a_login_that_was_refused_or_has_expired_leaves_what_was_there() {
    let (provider, cli) = logged_in().await;
    let before = cli.kept("default");

    let mut login = cli.start(&Cli::login_arguments(&provider, &[]));
    let code = login.user_code().await;
    provider.deny(&code).await;
    let refused = login.end().await.failed(1);
    assert!(refused.contains("refused in the browser; run `dotdo login`"), "{refused}");

    provider.set(&json!({ "deviceSeconds": 1 })).await;
    let expired = cli.run(&Cli::login_arguments(&provider, &[])).await.failed(1);
    assert!(expired.contains("the code expired"), "{expired}");

    let mut other = Cli::login_arguments(&provider, &[]);
    *other.last_mut().expect("the client") = "nobody";
    let unknown = cli.run(&other).await.failed(1);
    assert!(unknown.contains("refuses the client nobody: invalid_client"), "{unknown}");
    assert_eq!(cli.kept("default"), before);

    provider.set(&json!({ "deviceSeconds": 600 })).await;
    let mut login = cli.start(&Cli::login_arguments(&provider, &[]));
    login.user_code().await;
    let pid = i32::try_from(login.pid().expect("it polls")).expect("process numbers are small");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT)
        .expect("it runs");
    assert_eq!(login.end().await.code, None, "Ctrl-C ends it");
    assert_eq!(cli.kept("default"), before);
}

#[tokio::test]
async fn polls_keep_to_the_interval_of_the_provider_and_survive_its_failures() {
    let provider = OpenId::start().await;
    let cli = Cli::new();
    provider.set(&json!({ "slowDowns": 1, "failures": { "/token": 1 } })).await;
    let mut login = cli.start(&Cli::login_arguments(&provider, &[]));
    let code = login.user_code().await;
    // The first poll fails, the second is too early for the provider's taste, the third succeeds.
    while provider.asked("/token").await < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    provider.approve(&code, "ada", &acme()).await;
    assert_eq!(login.end().await.code, Some(0));
    assert_eq!(provider.asked("/token").await, 3);
    assert_eq!(provider.asked("early").await, 0);
}

#[tokio::test]
async fn what_is_no_provider_is_refused_before_anything_is_sent_there() {
    let cli = Cli::new();
    let server = MockServer::start().await;
    let good = json!({
        "issuer": server.uri(),
        "token_endpoint": format!("{}/token", server.uri()),
        "device_authorization_endpoint": format!("{}/device", server.uri()),
    });
    let with = |name: &str, value: Value| {
        let mut document = good.clone();
        document[name] = value;
        ResponseTemplate::new(200).set_body_json(document)
    };
    let somewhere = ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/");
    let cases = [
        (ResponseTemplate::new(200).set_body_string("<html>"), "not JSON"),
        (ResponseTemplate::new(200).set_body_json(json!({ "issuer": 1 })), "other fields"),
        (ResponseTemplate::new(404), "status 404"),
        (somewhere, "status 302"),
        (ResponseTemplate::new(200).set_body_bytes(vec![b' '; 300 << 10]), "more than 256 KiB"),
        (with("issuer", json!("https://other.example.com")), "calls itself"),
        (with("token_endpoint", json!("http://other.example.com/")), "expected an https:// URL"),
        (with("device_authorization_endpoint", Value::Null), "no device authorization"),
        (ResponseTemplate::new(200).set_body_json(&good), "/device answers with status 404"),
    ];
    for (answer, said) in cases {
        server.reset().await;
        let document = Mock::given(path("/.well-known/openid-configuration"));
        document.respond_with(answer).mount(&server).await;
        let uri = server.uri();
        let stderr = cli.run(&["login", "--issuer", &uri, "--client-id", "c"]).await.failed(1);
        assert!(stderr.contains(said), "expected {said:?}: {stderr}");
        assert!(!cli.login_file("default").exists());
    }
    let away = cli.run(&["login", "--issuer", "http://127.0.0.1:1", "--client-id", "c"]).await;
    assert!(away.failed(1).contains("does not answer"));

    // Wrong usage is told apart.
    let no_issuer = cli.run(&["login"]).await.failed(2);
    assert!(no_issuer.contains("--issuer") && no_issuer.contains("WORKOS_AUTH_DOMAIN"));
    let no_client = cli.run(&["login", "--issuer", "auth.example.com"]).await.failed(2);
    assert!(no_client.contains("--client-id") && no_client.contains("auth.client_id"));
    let plain = cli.run(&["login", "--issuer", "http://auth.example.com", "--client-id", "c"]);
    assert!(plain.await.failed(2).contains("expected an https:// URL"));
}
