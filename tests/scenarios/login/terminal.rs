//! What is different on a terminal.

use std::os::unix::fs::PermissionsExt as _;

use dotdo_tests::{Cli, OpenId, Running};
use tokio::process::Command;

use super::{acme, logged_in};

/// Runs a program on a terminal of its own, whose output becomes standard output.
const ON_TERMINAL: &str =
    "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// The command `cli` with these arguments on a terminal, with another environment variable.
fn on_terminal(cli: &Cli, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let inner = cli.command(arguments);
    let inner = inner.as_std();
    let mut command = Command::new("python3");
    command.args(["-c", ON_TERMINAL]).arg(inner.get_program()).args(inner.get_args());
    command.env_clear().current_dir(cli.home()).env("PATH", "/usr/bin:/bin:/usr/local/bin");
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.envs(variables.iter().copied());
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    command.kill_on_drop(true);
    command
}

#[tokio::test]
async fn a_token_on_a_terminal_comes_with_a_warning() {
    let (_provider, cli) = logged_in().await;
    let token = cli.run(&["token"]).await.ok();
    let shown = Running::start(&mut on_terminal(&cli, &["token"], &[])).end().await;
    let lines: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{shown:?}");
    assert!(lines[0].starts_with("this token is a secret"), "{shown:?}");
    assert_eq!(lines[1].trim(), token.trim());
    assert!(!shown.stdout.contains('\u{1b}'), "nothing has a colour");
}

#[tokio::test]
async fn a_browser_is_opened_where_somebody_sits_and_nowhere_else() {
    let provider = OpenId::start().await;
    let cli = Cli::new();
    // A browser that approves at once, as far as this side can tell.
    let opened = cli.home().join("opened");
    let browser = cli.home().join("browser");
    let script =
        format!("#!/bin/sh\nprintf '%s' \"$1\" > {0}.part && mv {0}.part {0}\n", opened.display());
    std::fs::write(&browser, script).expect("the home folder is ours");
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let browser = browser.to_str().expect("the path is text");
    let arguments = Cli::login_arguments(&provider, &[]);

    let login = Running::start(&mut on_terminal(&cli, &arguments, &[("BROWSER", browser)]));
    let deadline = dotdo_tests::Deadline::in_seconds(60);
    let url = deadline.until(|| async { std::fs::read_to_string(&opened).ok() }).await;
    let url = url.expect("the browser is opened");
    let (place, code) = url.split_once("?user_code=").expect("the code is in the URL");
    assert_eq!(place, format!("{}/device", provider.issuer()));
    provider.approve(code, "ada", &acme()).await;
    let outcome = login.end().await;
    assert!(outcome.stdout.contains(&format!("the code {code}")), "{outcome:?}");
    assert!(outcome.ok().contains("logged in as ada of acme"));
    std::fs::remove_file(&opened).expect("it was opened");

    // Not when told so, in an automatic run, or without a terminal.
    let no_browser = [&arguments[..], &["--no-browser"]].concat();
    let quiet = [
        on_terminal(&cli, &no_browser, &[("BROWSER", browser)]),
        on_terminal(&cli, &arguments, &[("BROWSER", browser), ("CI", "true")]),
        on_terminal(&cli, &arguments, &[("DISPLAY", ":0"), ("SSH_CONNECTION", "a 1 b 2")]),
        {
            let mut command = cli.command(&arguments);
            command.env("BROWSER", browser);
            command
        },
    ];
    provider.set(&serde_json::json!({ "deviceSeconds": 1 })).await;
    for mut command in quiet {
        let outcome = Running::start(&mut command).end().await;
        let text = outcome.stdout + &outcome.stderr;
        assert_eq!(outcome.code, Some(1), "{text}");
        assert!(text.contains("in any browser and enter the code"), "{text}");
        assert!(!opened.exists(), "{text}");
    }
}
