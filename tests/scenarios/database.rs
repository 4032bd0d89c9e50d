//! The command line on a bucket whose log is in a database: each command finds both.

use dotdo_tests::{Cli, Sqld};
use reqwest::Client;
use serde_json::{Value, json};

async fn json_of(cli: &Cli, arguments: &[&str]) -> Value {
    let text = cli.run(arguments).await.ok();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?}: expected JSON: {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_find_the_log_in_the_database_and_the_files_in_the_bucket() {
    let cli = Cli::new();
    let storage = format!("file://{}/state", cli.home().display());
    let cli = cli.env("DOTDO_STORAGE", storage).env("TURSO_URL", Sqld::shared().url());
    let server = cli.serving(&[]).start().await;
    for name in ["one", "two"] {
        let thing = json!({ "id": name, "type": "note", "name": name });
        let posted = Client::new().post(server.url("/do/a/things")).json(&thing).send().await;
        assert_eq!(posted.expect("the server answers").status(), 201);
    }
    assert!(server.terminate().success(), "it writes a snapshot and releases what it owns");

    let listed = json_of(&cli, &["ls", "--json"]).await;
    assert_eq!(listed["items"][0]["id"], "a", "{listed}");
    let described = json_of(&cli, &["inspect", "a", "--json"]).await;
    assert!(described["snapshots"]["count"].as_u64() >= Some(1), "{described}");
    let query = ["sql", "a", "--json", "SELECT id FROM things ORDER BY id"];
    let rows = json_of(&cli, &query).await;
    assert_eq!(rows["rows"], json!([["one"], ["two"]]), "{rows}");

    let checked = json_of(&cli, &["doctor", "--json", "--port", "0"]).await;
    let checks = checked["checks"].as_array().expect("a list");
    let has = |name: &str, detail: &str| {
        let mut found = checks.iter().filter(|check| check["name"] == name);
        found.any(|check| check["outcome"] == "ok" && check["details"].get(detail).is_some())
    };
    assert!(has("store", "location") && has("latency", "putMs") && has("clock", "storeAheadMs"));
    assert!(!has("latency", "createMs"), "the database creates: {checked}");
    for detail in ["location", "createMs", "storeAheadMs"] {
        assert!(has("database", detail), "{detail}: {checked}");
    }

    // Whoever does not know of the database reads no empty log, and makes no second one.
    let cli = cli.env("TURSO_URL", "");
    for arguments in [&["ls"][..], &["sql", "a", "SELECT 1"]] {
        let said = cli.run(arguments).await.failed(1);
        assert!(said.contains("set TURSO_URL and TURSO_TOKEN to it"), "{arguments:?}: {said}");
    }
    let Err(refused) = cli.serving(&[]).try_start().await else {
        panic!("there would be two logs")
    };
    assert!(refused.contains("set TURSO_URL and TURSO_TOKEN to it"), "{refused}");
}
