//! The `dotdo` command as a user runs it: a process, a port, signals and exit codes.
#![cfg(unix)]

mod objects;
mod server;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use self::server::{Server, dotdo, folder, outcome};

#[test]
fn it_serves_on_loopback_and_shuts_down_on_a_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let folder = folder();
        let mut server = Server::start(dotdo(folder.path()).arg("--port=0"));
        assert!(
            server.address.starts_with("127.0.0.1:") && !server.address.ends_with(":0"),
            "{}",
            server.address
        );
        assert!(server.get("/health").starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(server.get("/ready").starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(server.get("/nothing").starts_with("HTTP/1.1 404 Not Found\r\n"));
        let metrics = server.get("/metrics");
        assert!(
            metrics.contains("dotdo_http_requests_total{status=\"200\",class=\"\"} 2"),
            "{metrics}"
        );
        assert!(metrics.contains("dotdo_http_request_seconds_bucket"), "{metrics}");
        server.signal(signal);
        assert_eq!(server.line("stopped")["level"], "INFO");
        assert_eq!(server.code(), Some(0));
    }
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let folder = folder();
    let server = Server::start(dotdo(folder.path()).arg("--port=0"));
    let made = server.ask(
        "POST",
        "/do/hello/things",
        r#"{"id": "a", "type": "Note", "name": "survives"}"#,
    );
    assert!(made.starts_with("HTTP/1.1 201 Created\r\n"), "{made}");
    drop(server);
    let server = Server::start(dotdo(folder.path()).arg("--port=0"));
    let found = server.get("/do/hello/things/a");
    assert!(found.starts_with("HTTP/1.1 200 OK\r\n") && found.contains("survives"), "{found}");
}

#[test]
fn the_source_with_the_highest_precedence_sets_the_storage() {
    let folder = folder();
    std::fs::write(folder.path().join("dotdo.toml"), "storage = \"from-file\"\nport = 0\n")
        .expect("a file");
    let mut server = Server::start(
        dotdo(folder.path())
            .args(["serve", "--storage", "from-flag"])
            .env("DOTDO_STORAGE", "from-env"),
    );
    server.signal(Signal::SIGTERM);
    assert_eq!(server.code(), Some(0));
    assert!(folder.path().join("from-flag").is_dir());
    assert!(!folder.path().join("from-env").exists() && !folder.path().join("from-file").exists());
}

/// A secret for development on loopback.
const DEVELOPMENT_SECRET: &str = "development-0123456789abcdef0123";

#[test]
fn a_wrong_configuration_stops_the_start_with_2_and_touches_nothing() {
    let folder = folder();
    for (name, value, expected) in [
        ("DOTDO_PROT", "1", "unknown environment variable DOTDO_PROT; did you mean DOTDO_PORT?"),
        ("PORT", "x", "PORT: expected a whole number from 0 to 65535, got \"x\""),
        ("DOTDO_HOST", "0.0.0.0", "0.0.0.0 accepts requests from other machines"),
        ("DOTDO_HOST", "::", ":: accepts requests from other machines"),
        ("DEFAULT_DO_CLASS", "Nope", "no class is named \\\"Nope\\\""),
        ("DOTDO_AUTH_TOKENS", "short", "auth.tokens: expected tokens of at least 32 letters"),
        (
            "DOTDO_AUTH_SKIP_PATHS",
            "/health,/do/*",
            "DOTDO_AUTH_SKIP_PATHS: expected none or a comma-separated list of paths",
        ),
        (
            "DOTDO_CORS_ORIGINS",
            "https://*.example.com",
            "DOTDO_CORS_ORIGINS: expected none or a comma-separated list of origins",
        ),
        (
            "DOTDO_TRUSTED_PROXIES",
            "1,10.0.0.0/8",
            "expected networks or a single number of proxies, got both",
        ),
        ("WORKOS_AUTH_DOMAIN", "http://auth.example.com", "WORKOS_AUTH_DOMAIN: expected none or"),
        ("DOTDO_AUTH_ISSUER", "https://a,https://b", "at most one issuer without a name"),
        ("DOTDO_AUTH_AUDIENCE", "api", "auth.audience is set but auth.issuer is not"),
    ] {
        let (code, stdout, stderr) = outcome(dotdo(folder.path()).env(name, value));
        assert_eq!((code, &*stdout), (Some(2), ""), "{name}: {stderr}");
        assert!(stderr.contains(expected), "{name}: {stderr}");
    }
    let both = outcome(
        dotdo(folder.path()).env("DOTDO_CORS_ORIGINS", "*").env("DOTDO_CORS_CREDENTIALS", "true"),
    );
    assert!(
        both.0 == Some(2) && both.2.contains("every page on the web could act for its visitors"),
        "{both:?}"
    );
    let exposed = outcome(
        dotdo(folder.path())
            .env("DOTDO_HOST", "0.0.0.0")
            .env("DOTDO_AUTH_DEVELOPMENT_SECRET", DEVELOPMENT_SECRET),
    );
    assert!(
        exposed.0 == Some(2) && exposed.2.contains("whoever knows the secret can be anybody"),
        "{exposed:?}"
    );
    assert!(!exposed.2.contains(DEVELOPMENT_SECRET), "{exposed:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn an_issuer_or_allow_unauthenticated_permits_other_addresses() {
    let folder = folder();
    // Nobody listens on port 1: an issuer is not asked at the start.
    let issuer = ("DOTDO_AUTH_ISSUER", "http://127.0.0.1:1");
    for (name, value) in [issuer, ("DOTDO_ALLOW_UNAUTHENTICATED", "true")] {
        let address = ["--host=0.0.0.0", "--port=0", "--storage=memory://"];
        let mut server = Server::start(dotdo(folder.path()).args(address).env(name, value));
        assert!(server.address.starts_with("0.0.0.0:"), "{name}");
        server.signal(Signal::SIGTERM);
        assert_eq!(server.code(), Some(0), "{name}");
    }
}

/// Variables and their values.
type Variables = &'static [(&'static str, &'static str)];

/// What each platform that sends HTTP tells a program, without what differs from start to start:
/// its name, the ownership, the variables.
const PLATFORMS: [(&str, &str, Variables); 7] = [
    (
        "azure-functions",
        "per-request",
        &[
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "0"),
            ("PORT", "1"),
            ("DOTDO_ALLOW_UNAUTHENTICATED", "1"),
        ],
    ),
    (
        "cloud-run",
        "per-request",
        &[("K_SERVICE", "s"), ("K_REVISION", "s-00001-abc"), ("PORT", "0")],
    ),
    ("fly", "leased", &[("FLY_MACHINE_ID", "91857d6c"), ("FLY_APP_NAME", "a"), ("PORT", "0")]),
    (
        "railway",
        "leased",
        &[("RAILWAY_PROJECT_ID", "p"), ("RAILWAY_ENVIRONMENT_ID", "e"), ("PORT", "0")],
    ),
    (
        "render",
        "leased",
        &[("RENDER", "true"), ("RENDER_DISCOVERY_SERVICE", "s-discovery"), ("PORT", "0")],
    ),
    ("kubernetes", "leased", &[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("PORT", "0")]),
    ("http", "leased", &[("PORT", "0")]),
];

#[test]
fn the_startup_log_shows_the_platform_and_its_defaults() {
    let folder = folder();
    for (platform, ownership, variables) in PLATFORMS {
        let mut command = dotdo(folder.path());
        command.args(["--storage=memory://"]).envs(variables.iter().copied());
        if platform != "azure-functions" {
            command.arg("--host=127.0.0.1");
        }
        let mut server = Server::start(&mut command);
        server.signal(Signal::SIGTERM);
        assert_eq!(server.code(), Some(0), "{platform}");
        let said = &server.said;
        assert_eq!(
            (&said["platform"], &said["ownership"]),
            (&json!(platform), &json!(ownership)),
            "{said}"
        );
        assert_eq!(
            (&said["storage"], &said["checkpoint"]),
            (&json!("memory://"), &json!("auto")),
            "{said}"
        );
        let forwarding = if platform == "fly" { "fly-replay" } else { "off" };
        assert_eq!(said["forwarding"], forwarding, "{said}");
        assert!(server.address.starts_with("127.0.0.1:"), "{said}");
    }
}

#[test]
fn the_startup_log_is_also_human_readable() {
    let folder = folder();
    let mut command = dotdo(folder.path());
    command
        .env("DOTDO_LOG_FORMAT", "human")
        .env("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        .env("POD_IP", "10.1.0.7");
    command.env("DOTDO_PEER_SECRET", "a".repeat(32)).args([
        "--host=127.0.0.1",
        "--port=0",
        "--storage=memory://",
    ]);
    let mut child = command.spawn().expect("the command starts");
    let mut lines =
        BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let said = lines.find(|line| line.contains("listening")).expect("it says that it listens");
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), Signal::SIGTERM)
        .expect("the process runs");
    assert_eq!(child.wait().expect("the process ends").code(), Some(0));
    for expected in [
        r#"platform="kubernetes""#,
        r#"ownership="leased""#,
        r#"forwarding="proxy""#,
        r#"reached_at="http://127.0.0.1:"#,
        "address=127.0.0.1:",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("aaaa"), "{said}");
}

#[test]
fn a_platform_needs_its_variables_a_storage_and_authentication() {
    let folder = folder();
    for (platform, _, variables) in PLATFORMS {
        let with = |more: &[(&str, &str)]| {
            let asked: Vec<_> = variables
                .iter()
                .filter(|(name, _)| *name != "DOTDO_ALLOW_UNAUTHENTICATED")
                .copied()
                .collect();
            outcome(dotdo(folder.path()).envs(asked).envs(more.iter().copied()))
        };
        if platform == "http" {
            continue;
        }
        let (code, _, stderr) = with(&[]);
        assert_eq!(code, Some(2), "{platform}: {stderr}");
        assert!(
            stderr.contains(&format!(
                "{platform} does not keep a program's files: set DOTDO_STORAGE"
            )),
            "{stderr}"
        );
        let (code, _, stderr) = with(&[("DOTDO_STORAGE", "memory://")]);
        assert_eq!(code, Some(2), "{platform}: {stderr}");
        assert!(
            stderr.contains("without authentication")
                && stderr.contains("DOTDO_ALLOW_UNAUTHENTICATED=1"),
            "{stderr}"
        );
    }
    for (platform, variable) in
        [("azure-functions", "FUNCTIONS_CUSTOMHANDLER_PORT"), ("lambda", "AWS_LAMBDA_RUNTIME_API")]
    {
        let (code, _, stderr) = outcome(dotdo(folder.path()).env("DOTDO_PLATFORM", platform));
        assert!(
            code == Some(2)
                && stderr.contains(&format!("{variable}, which {platform} sets, is missing")),
            "{stderr}"
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn tokens_permit_other_addresses_and_are_never_shown() {
    let folder = folder();
    let token = "0123456789abcdef0123456789abcdef";
    let mut command = dotdo(folder.path());
    command.args(["--host=0.0.0.0", "--port=0", "--storage=memory://", "--log-level=trace"]);
    let mut server =
        Server::start(command.env("DOTDO_AUTH_TOKENS", token).env("DOTDO_LOG_ACCESS", "all"));
    server.address = server.address.replace("0.0.0.0", "127.0.0.1");
    assert!(server.get("/do/a/things").starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    assert!(server.get("/metrics").starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    assert!(server.get("/health").starts_with("HTTP/1.1 200 OK\r\n"));
    let known = server.ask_with(
        "GET",
        "/do/a/things?type=in-the-query",
        &format!("authorization: Bearer {token}"),
    );
    assert!(known.starts_with("HTTP/1.1 200 OK\r\n"), "{known}");
    server.signal(Signal::SIGTERM);
    let mut log = String::new();
    server.log.read_to_string(&mut log).expect("a log");
    assert_eq!(server.code(), Some(0));
    assert!(
        log.contains("/do/a/things") && !log.contains(token) && !log.contains("in-the-query"),
        "{log}"
    );
}

#[test]
fn the_access_log_has_a_line_per_request_and_can_not_be_forged() {
    for format in ["json", "human"] {
        let folder = folder();
        let mut command = dotdo(folder.path());
        command
            .args(["--port=0", "--storage=memory://"])
            .env("DOTDO_LOG_ACCESS", "all")
            .env("DOTDO_LOG_FORMAT", format);
        let mut server = Server::start_in(&mut command, format);
        let made = server.ask(
            "POST",
            "/do/a%0AINFO%20forged%1b[31m/things?session_id=secret",
            r#"{"id": "x", "type": "T", "name": "n"}"#,
        );
        assert!(made.starts_with("HTTP/1.1 201"), "{made}");
        let body = made.split_once("\r\n\r\n").expect("a body").1;
        server.signal(Signal::SIGTERM);
        let mut log = String::new();
        server.log.read_to_string(&mut log).expect("a log");
        assert_eq!(server.code(), Some(0));
        let line = log.lines().find(|line| line.contains("201")).unwrap_or_else(|| panic!("{log}"));
        assert!(
            !log.contains("\nINFO") && !log.contains('\u{1b}') && !log.contains("secret"),
            "{log}"
        );
        if format == "json" {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            let known =
                ["client", "method", "path", "class", "object", "status", "bytes_in", "bytes_out"]
                    .map(|name| entry[name].clone());
            let path = "/do/a%0AINFO%20forged%1b[31m/things";
            let expected = serde_json::json!([
                "127.0.0.1",
                "POST",
                path,
                "DO",
                "a\nINFO forged\u{1b}[31m",
                201,
                37,
                body.len()
            ]);
            assert_eq!(Value::from(known.to_vec()), expected);
            assert!(entry["ms"].is_number() && entry["request_id"].is_string(), "{line}");
        } else {
            assert!(
                line.contains(r#"client=127.0.0.1"#) && line.contains(r#"a\nINFO forged"#),
                "{line}"
            );
        }
    }
}

#[test]
fn a_port_in_use_is_an_error_with_exit_code_1() {
    let folder = folder();
    let first = Server::start(dotdo(folder.path()).args(["--port=0", "--storage=memory://"]));
    let port = first.address.rsplit(':').next().expect("a port");
    let (code, _, stderr) =
        outcome(dotdo(folder.path()).args(["--port", port, "--storage=memory://"]));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on 127.0.0.1, port {port}")), "{stderr}");
}

#[test]
fn a_second_signal_ends_it_at_once_with_1() {
    let folder = folder();
    let mut server = Server::start(dotdo(folder.path()).args(["--port=0", "--storage=memory://"]));
    let mut busy = TcpStream::connect(&server.address).expect("the server listens");
    // A request whose body never comes keeps the server from finishing.
    write!(busy, "POST /do/a/things HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n")
        .expect("the server reads");
    let mut start = [0; 12];
    busy.read_exact(&mut start).expect("the server answers");
    server.signal(Signal::SIGTERM);
    server.line("shutting down; a second signal ends the process at once");
    server.signal(Signal::SIGINT);
    assert_eq!(server.code(), Some(1));
}
