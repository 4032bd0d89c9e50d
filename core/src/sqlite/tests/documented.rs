//! docs/SQL.md: what it says is allowed runs and is restored, and what it says is refused is.

use super::{Rig, assert_kind, refusal};
use crate::ErrorKind;

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SQL.md");
    std::fs::read_to_string(path).expect("the page is there")
}

/// The lines of the blocks of code that are marked with this word.
fn blocks<'p>(page: &'p str, mark: &str) -> Vec<&'p str> {
    let open = format!("```sql {mark}\n");
    let blocks = page.split(open.as_str()).skip(1);
    blocks.filter_map(|rest| rest.split_once("```")).flat_map(|(block, _)| block.lines()).collect()
}

#[test]
fn each_documented_statement_is_allowed_and_the_same_after_a_restore() {
    let page = page();
    let (before, allowed) = (blocks(&page, "before").join("\n"), blocks(&page, "allowed"));
    assert!(allowed.len() > 50, "{allowed:?}");
    for sql in allowed {
        let mut rig = Rig::with(&before);
        rig.try_commit(&[sql]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        rig.commit("CREATE TABLE IF NOT EXISTS later(a); INSERT INTO later VALUES (1)");
    }
}

#[test]
fn each_documented_refusal_is_one() {
    let page = page();
    let (_, refused) = page.split_once("## Refused").expect("the list");
    let statements: Vec<&str> = refused
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(sql, _)| sql)
        .collect();
    assert!(statements.len() > 25, "{statements:?}");
    let before = blocks(&page, "before").join("\n");
    for sql in statements {
        let mut rig = Rig::with(&before);
        let error = refusal(&mut rig.database, sql);
        assert_kind(&error, ErrorKind::Handler, "");
        assert!(["SQL_REFUSED", "SQL_ERROR"].contains(&error.code()), "{sql}: {error:?}");
        rig.commit("INSERT INTO people(name) VALUES ('eve')");
    }
}
