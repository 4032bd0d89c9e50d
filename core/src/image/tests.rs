//! Databases go out as files and come back the same; files of others are taken or refused.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

use super::{Bounds, fuzz, import};
use crate::change::{Value, ValueRef};
use crate::sqlite::{Database, Limits, Mode, Speaker};
use crate::testing::random_sql;
use crate::{Error, ErrorKind, Result, SqliteFile};

const LIMITS: Limits =
    Limits { database_bytes_max: 64 << 20, row_bytes_max: 1 << 20, temporary_bytes_max: 64 << 20 };

fn run(database: &mut Database, speaker: Speaker, statements: &[String]) -> Result<()> {
    database.begin(Mode::ReadWrite)?;
    for sql in statements {
        // Some of the random ones fail, as some of a handler's may.
        if let Ok(mut cursor) = database.exec_as(speaker, sql, Vec::new()) {
            while let Ok(Some(_)) = cursor.next() {}
        }
    }
    let done = database.commit();
    if done.is_err() {
        database.rollback();
    }
    done
}

fn made(sql: &str) -> Database {
    let mut database = Database::new(&LIMITS).expect("a database opens");
    run(&mut database, Speaker::Dotdo, &[sql.to_owned()]).expect("the statements run");
    database
}

fn taken(file: Bytes) -> Result<Database> {
    import(file, &LIMITS, Bounds::default()).map(|imported| imported.database)
}

/// Everything there is, bit by bit.
fn facts(database: &Database) -> Vec<String> {
    let mut facts = vec![format!("{:?}", database.header())];
    for shape in database.shapes() {
        facts.push(format!("{shape:?}"));
        let mut add = |rowid: Option<i64>, values: &[ValueRef<'_>]| {
            let show = |value: &ValueRef<'_>| match value {
                ValueRef::Real(real) => format!("Real({:x})", real.to_bits()),
                other => format!("{other:?}"),
            };
            facts.push(format!("{rowid:?} {:?}", values.iter().map(show).collect::<Vec<_>>()));
            Ok(())
        };
        database.scan(&shape.name, &mut add).expect("a table can be read");
    }
    facts
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 300,
        cases,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn random_databases_come_back_from_their_files(choices in vec(any::<u32>(), 0..random_sql::CHOICES_MAX)) {
        let mut database = Database::new(&LIMITS).expect("a database opens");
        for transaction in random_sql::script(&choices) {
            let _may_fail = run(&mut database, Speaker::Class, &transaction);
        }
        let file = database.image().expect("a file");
        prop_assert_eq!(&file, &database.image().expect("a file"), "the same state is the same file");
        let back = taken(file).expect("an own file is taken");
        prop_assert_eq!(facts(&database), facts(&back));
    }

    #[test]
    fn a_damaged_file_is_refused_or_read_and_nothing_panics_or_hangs(
        choices in vec(any::<u32>(), 200..random_sql::CHOICES_MAX),
        damages in vec((any::<u32>(), any::<u8>()), 1..12),
        cut in any::<Option<u32>>(),
    ) {
        let mut database = Database::new(&LIMITS).expect("a database opens");
        for transaction in random_sql::script(&choices) {
            let _may_fail = run(&mut database, Speaker::Class, &transaction);
        }
        let mut file = database.image().expect("a file").to_vec();
        for (at, byte) in damages {
            let length = file.len();
            file[at as usize % length] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut as usize % (file.len() + 1));
        }
        fuzz(&file);
        let outcome = taken(file.into());
        prop_assert!(outcome.as_ref().err().is_none_or(|error| error.kind() != ErrorKind::Internal), "{:?}", outcome.err());
    }
}

#[test]
fn odd_schemas_come_back() {
    let sql = "
        CREATE TABLE strict(a INT, b ANY, c TEXT NOT NULL) STRICT;
        INSERT INTO strict VALUES(1, x'00ff', 'x'), (NULL, 2.5, CAST(x'ff00fe' AS TEXT));
        CREATE TABLE keyed(b TEXT COLLATE NOCASE, a, PRIMARY KEY(b DESC, a)) WITHOUT ROWID;
        INSERT INTO keyed VALUES('k', 1), ('K', 2), ('', -0.0);
        CREATE TABLE counted(i INTEGER PRIMARY KEY AUTOINCREMENT, v AS (i * 2), w AS (i || 'x') STORED);
        INSERT INTO counted(i) VALUES(41); DELETE FROM counted; INSERT INTO counted DEFAULT VALUES;
        CREATE TABLE parent(id INTEGER PRIMARY KEY); CREATE TABLE child(p REFERENCES parent ON DELETE CASCADE);
        INSERT INTO parent VALUES(9223372036854775807); INSERT INTO child VALUES(9223372036854775807);
        CREATE UNIQUE INDEX by_lower ON strict(lower(c)) WHERE a IS NOT NULL;
        CREATE VIEW seen AS SELECT v FROM counted;
        CREATE TRIGGER follows AFTER INSERT ON parent BEGIN INSERT INTO child VALUES(new.id); END;
        CREATE VIRTUAL TABLE words USING fts5(body); INSERT INTO words VALUES('hello there');
        CREATE VIRTUAL TABLE boxes USING rtree(id, a, b); INSERT INTO boxes VALUES(1, 2, 3);
        CREATE TABLE \"from\"(\"to\", \"a\"\"b\"); INSERT INTO \"from\"(rowid, \"to\") VALUES(-5, 9e999);
        CREATE TABLE _dotdo_kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        INSERT INTO _dotdo_kv VALUES('k', '1');
        PRAGMA user_version=-7; PRAGMA application_id=77";
    let database = made(sql);
    let mut back = taken(database.image().expect("a file")).expect("it is taken");
    assert_eq!(facts(&database), facts(&back));
    // The index of the words and the triggers are alive.
    back.begin(Mode::ReadWrite).expect("a transaction begins");
    let mut count = |sql: &str| {
        let mut cursor = back.exec_as(Speaker::Class, sql, Vec::new()).expect(sql);
        cursor.next().expect(sql).map(|row| row.value(0).to_owned())
    };
    assert_eq!(count("SELECT count(*) FROM words('hello')"), Some(Value::Integer(1)));
    assert_eq!(count("INSERT INTO parent VALUES(5) RETURNING id"), Some(Value::Integer(5)));
    assert_eq!(count("SELECT count(*) FROM child"), Some(Value::Integer(2)));
    assert_eq!(count("SELECT count(*) FROM pragma_integrity_check"), Some(Value::Integer(1)));
    back.rollback();
}

#[test]
fn the_history_of_another_object_is_left_out_and_reserved_names_are_refused() {
    let history = "CREATE TABLE _dotdo_outbox(number INTEGER PRIMARY KEY AUTOINCREMENT, x); INSERT INTO _dotdo_outbox(x) VALUES(1);
        CREATE INDEX _dotdo_outbox_to ON _dotdo_outbox(x); CREATE TABLE _dotdo_inbox(a); CREATE TABLE _dotdo_requests(a); CREATE TABLE kept(a)";
    let back = taken(made(history).image().expect("a file")).expect("it is taken");
    let names: Vec<&str> =
        back.header().schema.objects.iter().map(|object| object.name.as_str()).collect();
    assert_eq!(names, ["sqlite_sequence", "kept"]);
    assert!(back.header().sequences.is_empty());
    for (sql, name) in [
        ("CREATE TABLE _dotdo_x(a)", "_dotdo_x"),
        ("CREATE TABLE _dotdo_kv(key, value)", "_dotdo_kv"),
        ("CREATE VIEW _DOTDO_kv AS SELECT 1", "_DOTDO_kv"),
        (
            "CREATE TABLE _dotdo_kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID; CREATE TABLE log(x);
             CREATE TRIGGER t AFTER INSERT ON _dotdo_kv BEGIN INSERT INTO log VALUES(1); END",
            "t",
        ),
        (
            "CREATE TABLE _dotdo_kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID; CREATE INDEX i ON _dotdo_kv(value)",
            "i",
        ),
    ] {
        let refused = taken(made(sql).image().expect("a file")).err().expect(sql);
        assert_eq!((refused.kind(), refused.code()), (ErrorKind::Invalid, "RESERVED_NAME"), "{sql}");
        assert!(refused.public_message().contains(&format!("{name:?}")), "{refused}");
    }
}

/// What a file says, as a client is told.
fn refusal(file: impl Into<Bytes>) -> (&'static str, String) {
    let error: Error = taken(file.into()).err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    (error.code(), error.public_message().to_owned())
}

#[test]
fn what_is_no_database_of_an_object_is_refused_with_a_sentence() {
    let good = made("CREATE TABLE t(a)").image().expect("a file");
    let (code, text) = refusal("hello");
    assert!(
        code == "BAD_DATABASE_FILE" && text.contains("expected a SQLite file, got 5 bytes"),
        "{text}"
    );
    let half = good.slice(..good.len() / 2);
    assert_eq!(refusal(half).0, "BAD_DATABASE_FILE");
    let mut utf16 = good.to_vec();
    utf16[56..60].copy_from_slice(&2_u32.to_be_bytes());
    assert!(refusal(utf16).1.contains("UTF-8, got UTF-16"));
    let mut foreign = good.to_vec();
    let at = foreign.windows(17).position(|part| part == b"CREATE TABLE t(a)").expect("the schema");
    foreign[at..at + 17].copy_from_slice(b"CREATE TABLE t(a(");
    assert_eq!(refusal(foreign).0, "BAD_DATABASE_FILE");
    let small = Limits { database_bytes_max: 100, ..LIMITS };
    let error = import(good, &small, Bounds::default()).err().expect("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[test]
fn a_file_of_a_write_ahead_log_is_read_without_one() {
    let mut file =
        made("CREATE TABLE t(a); INSERT INTO t VALUES(1)").image().expect("a file").to_vec();
    file[18..20].fill(2);
    let back = taken(file.into()).expect("it is taken");
    assert_eq!(back.shapes()[0].name, "t");
}

#[test]
fn rows_that_the_object_could_not_write_are_refused() {
    let file =
        made("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(70000))").image().expect("a file");
    let small = Limits { row_bytes_max: 65_536, ..LIMITS };
    let error = import(file, &small, Bounds::default()).err().expect("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.public_message().contains("the table t"), "{error}");
}

#[test]
fn a_program_reads_and_makes_files() {
    let mut made = SqliteFile::new().expect("a database opens");
    let sql = "CREATE TABLE a(x TEXT, y INT, PRIMARY KEY(y, x)) WITHOUT ROWID; INSERT INTO a VALUES('b', 2), ('a', 1)";
    made.execute(sql).expect("it runs");
    let error = made
        .execute("INSERT INTO a VALUES('c', 3); INSERT INTO nothing VALUES(1)")
        .expect_err("no table");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, "SQL_ERROR"));
    let file = SqliteFile::open(made.bytes().expect("a file")).expect("it opens");
    let tables = file.tables();
    let keys: Vec<Option<usize>> = tables[0].columns.iter().map(|column| column.key).collect();
    assert_eq!(keys, [Some(1), Some(0)]);
    let mut seen = Vec::new();
    file.rows("a", |rowid, values| {
        seen.push((rowid, values[0].to_owned()));
        Ok(())
    })
    .expect("rows");
    assert_eq!(seen, [(None, Value::Text(b"a".to_vec())), (None, Value::Text(b"b".to_vec()))]);
    assert_eq!((file.user_version(), file.schema()[0].kind), (0, "table"));
}

#[test]
fn a_dump_may_have_rows_before_those_that_they_refer_to() {
    let mut file = SqliteFile::new().expect("a database opens");
    let schema = "CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(a REFERENCES a)";
    file.execute(schema).expect("it runs");
    let refused = file.execute("INSERT INTO b VALUES(1)").expect_err("nothing has this key");
    assert_eq!((refused.kind(), refused.code()), (ErrorKind::Invalid, "SQL_ERROR"));
    file.execute_dump("INSERT INTO b VALUES(1)").expect("a dump is not checked");
    file.execute_dump("INSERT INTO b VALUES(2); INSERT INTO nowhere VALUES(1)")
        .expect_err("no table");
    file.execute("INSERT INTO b VALUES(2)").expect_err("what follows a dump is checked again");
    file.execute_dump("INSERT INTO a VALUES(1)").expect("it runs");
    let (state, counts) =
        SqliteFile::open_as_state(file.bytes().expect("a file")).expect("it opens");
    assert_eq!((state.tables().len(), counts), (2, (2, 2)));
}
