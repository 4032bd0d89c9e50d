//! The functions that stand in for SQLite's own answer the same, and none of SQL's functions holds
//! a thread for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::handle::Handle;
use super::super::{Database, Limits, Mode};
use super::{LIMITS, Rig, assert_kind, rows, show};
use crate::ErrorKind;
use crate::change::Value;

/// What the answers may depend on: letters, characters of two and three bytes, parts of such, what
/// looks like hexadecimal, blanks, NUL.
const PIECES: [&[u8]; 8] =
    [b"a", b"4", "é".as_bytes(), b"\xc3", b"\xa9", "€".as_bytes(), b" ", b"\0"];

/// All texts of at most `length` pieces.
fn texts(length: usize) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..length {
        longest = longest
            .iter()
            .flat_map(|text| PIECES.iter().map(move |piece| [text.as_slice(), piece].concat()))
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// Calls with two arguments that are text, blobs, numbers and NULL.
fn pairs() -> Vec<[Value; 2]> {
    let mut pairs = Vec::new();
    for first in texts(3) {
        for second in texts(2) {
            pairs.push([Value::Text(first.clone()), Value::Text(second.clone())]);
            if first.len() < 4 {
                pairs.push([Value::Blob(first.clone()), Value::Text(second.clone())]);
                pairs.push([Value::Text(first.clone()), Value::Blob(second.clone())]);
                pairs.push([Value::Blob(first.clone()), Value::Blob(second)]);
            }
        }
    }
    let odd = [
        Value::Null,
        Value::Integer(4),
        Value::Integer(-41),
        Value::Real(4.0),
        Value::Text(b"4".to_vec()),
        Value::Blob(Vec::new()),
    ];
    pairs.extend(
        odd.iter().flat_map(|first| odd.iter().map(|second| [first.clone(), second.clone()])),
    );
    pairs
}

#[test]
fn functions_in_place_of_sqlite_s_answer_the_same() {
    // The functions point to the database's guard.
    let database = Database::open(&LIMITS).expect("a database opens");
    let originals = Handle::open().expect("a connection opens");
    let by =
        ["'x'", "''", "'longer'", "NULL", "7"].map(|by| format!("SELECT replace(?1, ?2, {by})"));
    let calls =
        ["instr", "trim", "ltrim", "rtrim", "unhex"].map(|name| format!("SELECT {name}(?1, ?2)"));
    for sql in calls.iter().chain(&by) {
        let mut statements =
            [&database.handle, &originals].map(|handle| handle.prepare(sql).expect("it compiles"));
        for pair in pairs() {
            let [found, expected] = statements.each_mut().map(|statement| {
                statement.reset();
                pair.iter().enumerate().for_each(|(index, value)| {
                    statement.bind(index + 1, value.as_ref()).expect("a value")
                });
                assert!(statement.step().expect("it answers"));
                show(&statement.value(0).to_owned())
            });
            assert_eq!(found, expected, "{sql} of {} and {}", show(&pair[0]), show(&pair[1]));
        }
    }
}

#[test]
fn patches_of_json_are_sqlite_s_own_and_stay_json() {
    let mut database = Rig::new().database;
    database.begin(Mode::ReadOnly).expect("a transaction begins");
    for (sql, expected) in [
        (
            r#"SELECT json_patch('{"a":1,"b":{"c":2}}', '{"b":{"c":null,"d":3}}')"#,
            r#"Text({\"a\":1,\"b\":{\"d\":3}})"#,
        ),
        (r#"SELECT json_array(json_patch('{}', '{"a":1}'))"#, r#"Text([{\"a\":1}])"#),
        (r#"SELECT json(jsonb_patch(jsonb('{}'), '{"a":1}'))"#, r#"Text({\"a\":1})"#),
        ("SELECT json_patch(NULL, '{}')", "Null"),
    ] {
        let found = rows(&mut database, sql, Vec::new()).expect("it runs");
        assert_eq!(show(&found[0][0]), expected, "{sql}");
    }
    let error =
        rows(&mut database, "SELECT json_patch('{', '{}')", Vec::new()).expect_err("it is no JSON");
    assert_kind(&error, ErrorKind::Handler, "malformed JSON");
}

#[test]
fn a_schema_may_call_the_functions_wherever_it_may_call_sqlite_s() {
    let mut rig = Rig::with(
        "CREATE TABLE t(a, b AS (replace(a, 'x', 'y')) STORED, c AS (trim(a, 'x')), CHECK (instr(a, 'z') = 0), CHECK (json_patch('{}', '{}') = '{}'));
         CREATE INDEX i ON t(instr(a, 'x')); CREATE INDEX j ON t(a) WHERE unhex(a, ' ') IS NULL;
         INSERT INTO t(a) VALUES ('xax'), ('b')",
    );
    rig.commit("INSERT INTO t(a) VALUES ('cxx'); UPDATE t SET a = a || 'x'");
}

/// Statements with one call each that took, or would take, minutes for values of megabytes. `?1` is
/// a text of the letter `a`, `?2` half of one that ends with `b`, `?3` a text in which many
/// characters differ, `?4` a JSON object with many labels, `?5` one of as many others.
const HOSTILE: [&str; 59] = [
    "SELECT instr(?1, ?2)",
    "SELECT instr(CAST(?1 AS BLOB), CAST(?2 AS BLOB))",
    "SELECT length(replace(?1, ?2, 'x'))",
    "SELECT length(replace(?1, 'a', ?2))",
    "SELECT length(trim(?1, ?3))",
    "SELECT length(ltrim(?1, ?3))",
    "SELECT length(rtrim(?1, ?3 || 'a'))",
    "SELECT unhex(?1, ?3)",
    "SELECT unhex(?3, ?3)",
    "SELECT ?1 LIKE '%a%a%a%a%a%a%a%a%b'",
    "SELECT ?1 LIKE '%' || ?2",
    "SELECT ?1 LIKE '%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'",
    "SELECT ?1 GLOB '*a*a*a*a*a*a*a*a*b'",
    "SELECT ?1 GLOB '*[^b]*[^b]*[^b]*[^b]*[^b]*b'",
    "SELECT ?1 GLOB '*' || ?2",
    "SELECT length(json_patch(?4, ?5))",
    "SELECT length(jsonb_patch(?4, ?5))",
    "SELECT length(json_set(?4, '$.x1', 1, '$.x2', 2, '$.x3', 3, '$.x4', 4))",
    "SELECT length(json_remove(?4, '$.l1', '$.l2', '$.l3', '$.l4'))",
    "SELECT json_extract(?4, '$.l1', '$.none', '$.l2')",
    "SELECT json_valid(?4, 15)",
    "SELECT length(json_pretty(?4, ?1))",
    "SELECT length(hex(?1)), length(quote(?1))",
    "SELECT length(printf('%*.*f', 2000000000, 2000000000, 1.5))",
    "SELECT length(printf('%.*c', 2000000000, 'x'))",
    "SELECT length(printf('%s%s%s%s', ?1, ?1, ?1, ?1))",
    "SELECT length(zeroblob(2000000000))",
    "SELECT length(randomblob(2000000000))",
    "SELECT length(concat_ws(?1, 1, 2, 3, 4))",
    "SELECT length(group_concat(?1)) FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)",
    "SELECT length(json_group_array(?1)) FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)",
    "SELECT soundex(?1), upper(?1) = lower(?1), unicode(?1), ?1 = ?2 COLLATE NOCASE",
    "SELECT length(strftime(?1, 0)), datetime(?1), unistr(?1) = ?1",
    "SELECT ?1 LIKE '%aXa%aXa%aXa%b' ESCAPE 'X'",
    "SELECT like('%' || ?2, ?1), glob('*' || ?2, ?1)",
    "SELECT sum(length(fullkey)) FROM json_tree(?4)",
    "SELECT sum(length(key)) FROM json_each(?4), (SELECT 1 UNION ALL SELECT 2)",
    "SELECT json_error_position(?4), json_array_length(?4), length(json_quote(?4)), length(jsonb(?4))",
    "SELECT length(json_group_object(?1, ?1)) FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)",
    "SELECT ?4 -> ('$' || replace(substr(?1, 1, 100000), 'a', '.a'))",
    "SELECT length(format('%q %Q %w', ?1, ?1, ?1))",
    "SELECT length(printf('%,.2000000000f', 1e300))",
    "SELECT length(string_agg(?1, ?1)) FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3)",
    "SELECT timediff(?1, ?1), date(0, ?1), julianday(0, '+1 day', ?1)",
    "SELECT count(*) FROM words WHERE words MATCH ?1",
    "SELECT count(*) FROM words WHERE words MATCH replace(substr(?1, 1, 1000000), 'a', 'a ')",
    "SELECT count(*) FROM words WHERE words MATCH replace(substr(?1, 1, 1000000), 'a', '\"a\" OR ') || 'a'",
    "SELECT count(*) FROM words WHERE words MATCH 'NEAR(' || replace(substr(?1, 1, 1000000), 'a', 'a ') || ')'",
    "SELECT count(*) FROM words WHERE words MATCH '\"' || replace(substr(?1, 1, 1000000), 'a', 'a ') || '\"'",
    "SELECT count(*) FROM words WHERE words MATCH replace(substr(?1, 1, 1000000), 'a', '(')",
    "SELECT length(highlight(words, 0, ?1, ?1)) FROM words WHERE words MATCH 'a'",
    "SELECT length(highlight(words, 0, '<', '>')), bm25(words) FROM words WHERE words MATCH 'a OR a OR a OR a'",
    "SELECT length(snippet(words, 0, '<', '>', '…', 64)) FROM words WHERE words MATCH 'a'",
    "SELECT length(snippet(words, -1, ?1, ?1, ?1, 64)) FROM words WHERE words MATCH 'a OR a OR a OR a'",
    "SELECT count(*) FROM words ORDER BY rank",
    "SELECT count(*) FROM terms",
    "SELECT rtreecheck('boxes'), count(*) FROM boxes WHERE x0 > 1",
    "SELECT matchinfo(words), offsets(words) FROM words WHERE words MATCH 'a'",
    "SELECT substr(?1, -1000000, 7), length(?1), octet_length(?1), nullif(?1, ?2) IS NULL, round(1.5, 2000000000)",
];

/// What is asked by functions of full-text search and of R-trees.
const SEARCHED: &str = "CREATE VIRTUAL TABLE words USING fts5(body);
    CREATE VIRTUAL TABLE terms USING fts5vocab(words, instance);
    INSERT INTO words VALUES (replace(hex(zeroblob(250000)), '0', 'a '));
    CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
    INSERT INTO boxes VALUES (1, 0, 1)";

#[test]
fn no_function_holds_a_thread_for_long() {
    const BYTES: usize = 4 << 20;
    let limits = Limits {
        row_bytes_max: BYTES as u32 + 1024,
        database_bytes_max: 64 << 20,
        temporary_bytes_max: 256 << 20,
    };
    let mut database = Database::new(&limits).expect("a database opens");
    database.begin(Mode::ReadWrite).expect("a transaction begins");
    rows(&mut database, SEARCHED, Vec::new()).expect("tables that are searched");
    database.commit().expect("it commits");
    let text = |text: Vec<u8>| Value::Text(text);
    let halves = [vec![b'a'; BYTES / 2], b"b".to_vec()].concat();
    let differing: String = ('\u{100}'..='\u{ffff}').cycle().take(BYTES / 3).collect();
    let object = |letter: char| {
        let members: Vec<String> = (0..BYTES / 16).map(|n| format!("\"{letter}{n}\":1")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    };
    let params = [
        text(vec![b'a'; BYTES]),
        text(halves),
        text(differing.into_bytes()),
        text(object('l')),
        text(object('m')),
    ];
    for sql in HOSTILE {
        // The time is over after the tenth question.
        let polls = Arc::new(AtomicUsize::new(0));
        database.set_interrupt(Some(Box::new(move || polls.fetch_add(1, Ordering::Relaxed) >= 10)));
        database.begin(Mode::ReadOnly).expect("a transaction begins");
        let wanted =
            (1..=params.len()).rev().find(|index| sql.contains(&format!("?{index}"))).unwrap_or(0);
        if let Err(error) = rows(&mut database, sql, params[..wanted].to_vec()) {
            let known = [
                "too complex",
                "fts5: ",
                "malformed JSON",
                "bad JSON path",
                "no such function",
                "unable to use",
            ];
            let is_expected = matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::TooLarge)
                || known.iter().any(|text| error.message().contains(text));
            assert!(is_expected, "{sql}: {error:?}");
        }
        database.rollback();
    }
}

#[test]
fn a_snippet_of_a_row_with_some_matches_is_given_and_one_of_very_many_is_refused() {
    let mut rig = Rig::with("CREATE VIRTUAL TABLE words USING fts5(body)");
    rig.commit("INSERT INTO words(rowid, body) VALUES (1, 'Some words. Here is the one that is looked for, and more words')");
    rig.commit(
        "INSERT INTO words(rowid, body) VALUES (2, replace(hex(zeroblob(20000)), '0', 'one '))",
    );
    let snippet = |id: i64| {
        format!(
            "SELECT snippet(words, 0, '<', '>', '…', 5) FROM words WHERE words MATCH 'one' AND rowid = {id}"
        )
    };
    let found = super::query(&mut rig.database, &snippet(1));
    assert_eq!(show(&found[0][0]), "Text(\\xe2\\x80\\xa6Here is the <one> that\\xe2\\x80\\xa6)");
    rig.database.begin(Mode::ReadOnly).expect("a transaction begins");
    let error = rows(&mut rig.database, &snippet(2), Vec::new()).expect_err("40,000 matches");
    assert_kind(&error, ErrorKind::TooLarge, "");
}

#[test]
fn the_functions_of_mathematics_answer_what_sqlite_documents() {
    let mut database = Database::new(&LIMITS).expect("a database opens");
    database.begin(Mode::ReadOnly).expect("a transaction begins");
    for (call, expected) in [
        ("ceil(-1.5)", "-1.0"),
        ("ceiling(2)", "2"),
        ("floor('1.5')", "1.0"),
        ("trunc(-1.5)", "-1.0"),
        ("trunc(9223372036854775807)", "9223372036854775807"),
        ("mod(-7, 4)", "-3.0"),
        ("mod(7, 0)", "NULL"),
        ("sqrt(2.25)", "1.5"),
        ("sqrt(-1)", "NULL"),
        ("pi() > 3.141592653589 AND pi() < 3.14159265359", "1"),
        ("degrees(pi())", "180.0"),
        ("radians(0)", "0.0"),
        ("log(100)", "2.0"),
        ("log10(1000)", "3.0"),
        ("log2(8)", "3.0"),
        ("log(2, 1024)", "10.0"),
        ("log(1, 8)", "NULL"),
        ("log(-2, 8)", "NULL"),
        ("ln(1)", "0.0"),
        ("ln(0)", "NULL"),
        ("exp(0)", "1.0"),
        ("pow(2, 10)", "1024.0"),
        ("power(2, -1)", "0.5"),
        ("sin(0) + tan(0) + asin(0) + atan(0) + sinh(0) + tanh(0) + asinh(0) + atanh(0)", "0.0"),
        ("cos(0) + cosh(0) + acos(1) + acosh(1) + atan2(0, 1)", "2.0"),
        ("acos(2)", "NULL"),
        ("exp('x')", "NULL"),
        ("exp(NULL)", "NULL"),
        ("exp(x'31')", "NULL"),
        ("pow(2, NULL)", "NULL"),
    ] {
        let sql = format!("SELECT quote({call})");
        let found = rows(&mut database, &sql, Vec::new()).expect(call);
        assert_eq!(found, [[Value::Text(expected.as_bytes().to_vec())]], "{call}");
    }
}
