//! Programs of several versions on one bucket.

use proptest::prelude::*;

use super::*;

fn code(result: Result<String>) -> &'static str {
    result.expect_err("it must fail").code()
}

#[tokio::test]
async fn an_older_program_refuses_what_a_newer_one_has_migrated() {
    for number in 0..2 {
        let mut world = world(&[FIRST]);
        let old = &both(&world).await[number];
        get(old, "/write").await.expect("it writes");
        world.app = notes(&[FIRST, SECOND]).0;
        let new = world.function(3).await;
        world.clock.advance(Duration::from_secs(60));
        let read = world.drive(get(&new, "/read")).await;
        assert_eq!(read.expect("it migrates"), "2: notes 2");
        for path in ["/read", "/write"] {
            assert_eq!(code(world.drive(get(old, path)).await), "SCHEMA_VERSION");
        }
        let written = world.drive(get(&new, "/write")).await;
        assert_eq!(written.expect("the newer one goes on"), "2: notes 3");
    }
}

#[tokio::test]
async fn a_step_that_was_changed_is_refused_and_one_that_was_formatted_is_not() {
    let mut world = world(&[FIRST]);
    get(&world.function(1).await, "/write").await.expect("it writes");
    world.app = notes(&["CREATE TABLE notes (text TEXT, extra)", SECOND]).0;
    let changed = world.function(2).await;
    assert_eq!(code(get(&changed, "/read").await), "SCHEMA_STEP_CHANGED");
    world.app = notes(&["CREATE  TABLE notes\n    (text TEXT NOT NULL)", SECOND]).0;
    let formatted = world.function(3).await;
    assert_eq!(get(&formatted, "/read").await.expect("it migrates"), "2: notes 2");
}

#[tokio::test]
async fn an_object_that_was_migrated_by_hand_goes_on_from_there() {
    struct ByHand;

    impl DurableObject for ByHand {
        async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
            ctx.sql().exec(FIRST, ())?;
            ctx.sql().exec("INSERT INTO notes VALUES ('a'); PRAGMA user_version = 1", ())?;
            Ok(Response::new(content(ctx)?.into()))
        }
    }

    let mut world = World::of(App::new().class("Counter", || ByHand));
    get(&world.function(1).await, "/write").await.expect("it writes");
    world.app = notes(&["CREATE TABLE notes (something else)", SECOND]).0;
    let next = world.function(2).await;
    assert_eq!(get(&next, "/read").await.expect("nothing is compared"), "2: notes 2");
    world.app = notes(&[FIRST, SECOND]).0;
    assert_eq!(code(get(&world.function(3).await, "/read").await), "SCHEMA_STEP_CHANGED");
}

#[tokio::test]
async fn a_step_that_fails_undoes_those_before_it() {
    for failing in ["CREATE TABLE more (x); CREATE TABLE notes (twice)", "nonsense"] {
        let mut world = world(&[FIRST]);
        get(&world.function(1).await, "/write").await.expect("it writes");
        world.app = notes(&[FIRST, SECOND, failing]).0;
        let engine = world.function(2).await;
        let error = get(&engine, "/read").await.expect_err("its third step fails");
        assert_eq!(error.code(), "SQL_ERROR");
        assert!(error.message().starts_with("step 3 of the schema fails: "), "{error}");
        assert!(!error.public_message().contains("notes"), "SQLite's text is for the log");
        world.app = notes(&[FIRST]).0;
        let read = get(&world.function(3).await, "/read").await;
        assert_eq!(read.expect("it is as it was"), "1: notes 1");
    }
}

/// A class that does not mind whether its steps fail.
struct Careless;

impl DurableObject for Careless {
    async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
        let failed = ctx.migrate(&[FIRST, "nonsense"]).is_err();
        ctx.sql().exec("CREATE TABLE other (x)", ())?;
        Ok(Response::new(format!("{failed} {}", content(ctx)?).into()))
    }
}

#[tokio::test]
async fn half_of_the_steps_never_remain_not_even_in_a_request_that_goes_on() {
    let world = World::of(App::new().class("Counter", || Careless));
    let engine = world.server(1).await;
    assert_eq!(get(&engine, "/").await.expect("it goes on"), "true 0: other 0");
}

#[tokio::test]
async fn functions_that_migrate_at_once_migrate_once() {
    let mut world = world(&[FIRST]);
    get(&world.function(1).await, "/write").await.expect("it writes");
    world.app = notes(&[FIRST, SECOND]).0;
    let mut functions = Vec::new();
    for instance in 2..=5 {
        functions.push(world.function(instance).await);
    }
    world.bucket.slowness().give_way(Operation::is_commit);
    let answers = world.drive(join_all(functions.iter().map(|one| get(one, "/write")))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let read = world.drive(get(&functions[0], "/read")).await;
    assert_eq!(read.expect("it reads"), "2: notes 6", "one of them ran the step");
}

/// The text of a step, which may build on what those before have made.
fn step(number: usize, kind: u8, other: usize) -> String {
    let other = if number == 0 { 0 } else { other % number };
    match kind {
        0 if number > 0 => format!(
            "ALTER TABLE t{other} ADD COLUMN c{number} DEFAULT {number}; CREATE TABLE t{number} (x)"
        ),
        1 if number > 0 => format!(
            "CREATE TABLE t{number} AS SELECT * FROM t{other}; INSERT INTO t{other} (x) VALUES (100 + {number})"
        ),
        2 if number > 0 => format!(
            "CREATE TABLE t{number} (x); CREATE TRIGGER r{number} AFTER INSERT ON t{other} BEGIN INSERT INTO t{number} (x) VALUES (new.x); END"
        ),
        3 => format!(
            "CREATE TABLE t{number} (x INTEGER PRIMARY KEY AUTOINCREMENT, y UNIQUE); INSERT INTO t{number} (y) VALUES ('a'), ('b')"
        ),
        _ => format!(
            "CREATE TABLE t{number} (x); CREATE INDEX i{number} ON t{number} (x); INSERT INTO t{number} VALUES ({number})"
        ),
    }
}

/// A class that only has a schema; any POST writes it down.
#[derive(Clone)]
struct Schema(Vec<String>);

impl DurableObject for Schema {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&self.0)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        if request.uri().path() == "/write" {
            ctx.storage().put("is", "there")?;
        }
        let query = "SELECT type, name, sql FROM sqlite_schema ORDER BY name, type";
        let mut text = format!("{:?}", ctx.sql().exec(query, ())?.json()?);
        let tables: Vec<String> = ctx
            .sql()
            .exec("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", ())?
            .rows()?;
        for table in tables {
            let rows = ctx.sql().exec(&format!("SELECT *, 0 FROM {table}"), ())?.values()?;
            text += &format!("\n{table}: {rows:?}");
        }
        Ok(Response::new(text.into()))
    }
}

/// The state of an object whose program has had these many steps, one version after the other.
async fn after(steps: &[String], versions: &[(usize, bool)]) -> String {
    let mut world = World::of(App::new());
    let mut state = String::new();
    for (instance, (known, leased)) in (1..).zip(versions) {
        let schema = Schema(steps[..*known].to_vec());
        world.app = App::new().class("Counter", move || schema.clone());
        let engine =
            if *leased { world.server(instance).await } else { world.function(instance).await };
        // Each version is first met by a request that only reads.
        get(&engine, "/read").await.expect("it migrates");
        state = get(&engine, "/write").await.expect("it writes");
        if *leased {
            engine.shutdown(Duration::from_secs(5)).await;
        }
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn however_steps_are_spread_over_versions_the_state_is_the_same(
        kinds in prop::collection::vec((0_u8..5, any::<usize>()), 1..7),
        cuts in prop::collection::btree_map(1_usize..7, any::<bool>(), 0..5),
        leased: bool,
    ) {
        let steps: Vec<String> = kinds
            .iter()
            .enumerate()
            .map(|(number, (kind, other))| step(number, *kind, *other))
            .collect();
        let all = steps.len();
        let mut versions: Vec<(usize, bool)> = cuts.into_iter().filter(|(cut, _)| *cut < all).collect();
        versions.push((all, leased));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (split, whole) = runtime.block_on(async {
            (after(&steps, &versions).await, after(&steps, &[(all, leased)]).await)
        });
        prop_assert_eq!(split, whole);
    }
}
