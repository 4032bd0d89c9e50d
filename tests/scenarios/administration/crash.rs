//! Servers that are killed while they give an object another state.

use dotdo_core::Key;
use dotdo_tests::{Chance, Deadline};

use super::*;
use crate::world::PATIENCE_SECONDS;

/// Number of servers that are killed.
const KILLS: usize = 6;

/// The names of the folders of snapshots that are begun.
async fn begun(world: &World) -> usize {
    let folder = Key::new("local/local/do/sql/one/snapshots");
    world.bucket().list(&folder, None, 1000).await.expect("the folder is there").len()
}

/// The only label in the object, and how many rows it has.
async fn labels(server: &Server) -> Value {
    let query = statement("SELECT label, count(*) FROM t GROUP BY label");
    let ask = || async {
        let request = asked(server, None, Method::POST, "/objects/Sql/one/sql").json(&query);
        let answer = request.send().await.ok()?;
        answer.status().is_success().then_some(answer)?.json::<Value>().await.ok()
    };
    let answer = Deadline::in_seconds(PATIENCE_SECONDS).until(ask).await;
    answer.expect("the state can be read")["rows"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_during_an_import_leaves_the_old_or_the_new_state() {
    let (world, chance) = (World::folder(), Chance::new());
    let rows = |label: &str| {
        format!(
            "CREATE TABLE t(label, padding); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)
            INSERT INTO t SELECT '{label}', randomblob(2000) FROM n"
        )
    };
    let mut server = world.setup().start().await;
    let first = asked(&server, None, Method::PUT, "/objects/Sql/one/database");
    let (status, done) = answer(first.body(foreign_file(&rows("state 0")))).await;
    assert_eq!(status, StatusCode::CREATED, "{done}");
    let mut expected = "state 0".to_owned();
    for kill in 1..=KILLS {
        let label = format!("state {kill}");
        let before = begun(&world).await;
        let import = asked(&server, None, Method::PUT, "/objects/Sql/one/database");
        let importing = tokio::spawn(import.body(foreign_file(&rows(&label))).send());
        // Some are killed before anything is written, most between the first file and the record.
        let has_begun = || async { (begun(&world).await > before).then_some(()) };
        if chance.below(4) > 0 {
            Deadline::in_seconds(PATIENCE_SECONDS).until(has_begun).await.expect("it is uploaded");
            tokio::time::sleep(chance.millis(0, 60)).await;
        }
        server.kill9();
        let acknowledged =
            importing.await.expect("no panic").is_ok_and(|answer| answer.status().is_success());
        server = world.setup().start().await;
        let found = labels(&server).await;
        let (old, new) = (json!([[expected, 1500]]), json!([[label, 1500]]));
        assert!(found == new || (found == old && !acknowledged), "{found}, {acknowledged}");
        if found == new {
            expected = label;
        }
        // It can be written again once the lease of the dead server has ended.
        let write = json!({ "sql": "UPDATE t SET padding = NULL WHERE rowid = 1", "write": true });
        let written = || async {
            let request = asked(&server, None, Method::POST, "/objects/Sql/one/sql").json(&write);
            request.send().await.ok().filter(|answer| answer.status().is_success())
        };
        let written = Deadline::in_seconds(PATIENCE_SECONDS).until(written).await;
        assert!(written.is_some(), "it can be written again:\n{}", server.stderr());
    }
    let verified = asked(&server, None, Method::GET, "/objects/Sql/one/verify");
    let verified = verified.send().await.expect("an answer").text().await.expect("text");
    assert_eq!(lines(&verified).last().expect("a line")["done"]["faults"], 0, "{verified}");
}
