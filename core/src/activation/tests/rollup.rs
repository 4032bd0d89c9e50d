//! Roll-ups: one table for all objects of a class.

mod crashes;
mod shop;

use std::time::Duration;

use self::shop::{ORDERS, Street, shop};
use crate::activation::Precondition;
use crate::change::Value;
use crate::error::ErrorKind;
use crate::id::Tenant;
use crate::object::{App, Body};
use crate::rollup::{RolledUp, rollup_of};
use crate::settings::Ownership;
use crate::testing::Operation;

/// Where the records of the roll-up are.
const ROLLUP_LOG: &str = "/_dotdo_rollup/.53hop/log/";

#[tokio::test]
async fn what_objects_write_is_in_one_table_within_a_minute_and_their_own_records_stay_as_they_are()
{
    let street = Street::new();
    let server = street.server().await;
    for shop in ["north", "south"] {
        street.sell(&server, shop, &[ORDERS, "INSERT INTO orders VALUES (1, 'tea', 2)"]).await;
        street.sell(&server, shop, &["INSERT INTO orders VALUES (2, 'x', 1)"]).await;
        street.sell(&server, shop, &["UPDATE orders SET item = 'milk' WHERE id = 2"]).await;
    }
    assert_eq!(street.post.bucket.creates_of("/log/"), 6, "a record for each request");
    assert_eq!(street.post.markers().await, 2);
    street.minute().await;
    let rows = "north|1|tea|2\nnorth|2|milk|1\nsouth|1|tea|2\nsouth|2|milk|1";
    assert_eq!(street.rolled_up(&server, "orders").await, rows);
    assert_eq!(street.post.bucket.creates_of(ROLLUP_LOG), 1, "they share one record");
    street.sell(&server, "south", &["DELETE FROM orders WHERE id = 1"]).await;
    street.minute().await;
    let rows = "north|1|tea|2\nnorth|2|milk|1\nsouth|2|milk|1";
    assert_eq!(street.rolled_up(&server, "orders").await, rows);
    street.minute().await;
    street.minute().await;
    assert_eq!(street.post.markers().await, 0, "nothing waits any more");
}

#[tokio::test]
async fn every_value_and_every_kind_of_key_arrives_as_it_is() {
    let street = Street::new();
    let server = street.server().await;
    let create = "CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT, quantity INTEGER);
        CREATE TABLE prices (item TEXT COLLATE NOCASE, day REAL, cents ANY, PRIMARY KEY (item, day)) WITHOUT ROWID";
    street.sell(&server, "north", &[create]).await;
    street
        .sell(
            &server,
            "north",
            &[
                "INSERT INTO orders VALUES (-9223372036854775808, x'00ff', 'many'), (7, NULL, -0.0)",
                "INSERT INTO orders VALUES (9, CAST(x'ff' AS TEXT), 9223372036854775807)",
                "INSERT INTO prices VALUES ('Tea', 1, 'a'), ('it''s', -0.0, 1e999), ('b,', 2, x'')",
            ],
        )
        .await;
    street.minute().await;
    street.sell(&server, "north", &["UPDATE prices SET item = 'tEA' WHERE item = 'tea'"]).await;
    street.sell(&server, "north", &["DELETE FROM prices WHERE item = 'b,'"]).await;
    street.minute().await;
    for (table, columns) in [("orders", "id, item, quantity"), ("prices", "item, day, cents")] {
        let query = format!("SELECT {columns} FROM {table} ORDER BY 1");
        let own = street.rows(&server, &shop("north"), &query).await;
        let rolled_up = street.rows(&server, &street.rollup(), &query).await;
        assert!(!own.is_empty());
        assert_eq!(format!("{own:?}"), format!("{rolled_up:?}"), "{table}");
    }
}

#[tokio::test]
async fn tables_that_change_and_objects_of_several_versions_share_a_table() {
    let street = Street::new();
    let server = street.server().await;
    street.sell(&server, "north", &[ORDERS, "INSERT INTO orders VALUES (1, 'tea', 2)"]).await;
    street
        .sell(
            &server,
            "south",
            &[
                "CREATE TABLE orders (id TEXT PRIMARY KEY, item TEXT, quantity TEXT)",
                "INSERT INTO orders VALUES ('a', 'tea', '02')",
            ],
        )
        .await;
    street.minute().await;
    let query = "SELECT _dotdo_object, _dotdo_row, id, id_text, item, quantity, quantity_text FROM orders ORDER BY 1";
    let text = |text: &str| Value::Text(text.into());
    let (one, two) = (Value::Integer(1), Value::Integer(2));
    assert_eq!(
        street.rows(&server, &street.rollup(), query).await,
        [
            vec![text("north"), text("1"), one, Value::Null, text("tea"), two, Value::Null],
            vec![
                text("south"),
                text("1"),
                Value::Null,
                text("a"),
                text("tea"),
                Value::Null,
                text("02")
            ],
        ],
        "a value stays what it is"
    );
    street.sell(&server, "north", &["ALTER TABLE orders ADD COLUMN paid INTEGER DEFAULT 1"]).await;
    street.sell(&server, "north", &["ALTER TABLE orders RENAME COLUMN item TO what"]).await;
    street.sell(&server, "south", &["DROP TABLE orders; CREATE TABLE other (a)"]).await;
    street.minute().await;
    let query = "SELECT _dotdo_object, id, item, what, paid FROM orders";
    let row = vec![text("north"), Value::Integer(1), Value::Null, text("tea"), Value::Integer(1)];
    assert_eq!(street.rows(&server, &street.rollup(), query).await, [row]);
    street
        .sell(
            &server,
            "south",
            &["ALTER TABLE other RENAME TO orders", "INSERT INTO orders VALUES (5)"],
        )
        .await;
    street.sell(&server, "north", &["ALTER TABLE orders RENAME TO former"]).await;
    street.minute().await;
    let query = "SELECT _dotdo_object, a FROM orders";
    assert_eq!(
        street.rows(&server, &street.rollup(), query).await,
        [[text("south"), Value::Integer(5)]]
    );
}

#[tokio::test]
async fn what_is_deleted_or_restored_is_so_in_the_roll_up() {
    let street = Street::new();
    let server = street.server().await;
    for shop in ["east", "north", "south"] {
        street.sell(&server, shop, &[ORDERS, "INSERT INTO orders VALUES (1, 'tea', 2)"]).await;
    }
    street.minute().await;
    let admin = server.engine.administration();
    admin.delete_object(&shop("south"), Precondition::Any).await.expect("it is deleted");
    street.sell(&server, "north", &["/wipe"]).await;
    street.minute().await;
    assert_eq!(street.rolled_up(&server, "orders").await, "east|1|tea|2");
    street.sell(&server, "south", &[ORDERS, "INSERT INTO orders VALUES (3, 'new', 1)"]).await;
    street.sell(&server, "north", &[ORDERS]).await;
    admin
        .restore_state(&shop("west"), (&shop("east"), None), Precondition::Absent)
        .await
        .expect("it is copied");
    street.minute().await;
    assert_eq!(
        street.rolled_up(&server, "orders").await,
        "east|1|tea|2\nsouth|3|new|1\nwest|1|tea|2"
    );
}

#[tokio::test]
async fn a_large_object_is_copied_in_parts_and_its_changes_follow() {
    let street = Street::new();
    let server = street.server().await;
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
        INSERT INTO orders SELECT i, hex(zeroblob(5000)) || i, i FROM n";
    street.sell(&server, "north", &[ORDERS, fill]).await;
    street.minute().await;
    assert!(street.post.bucket.creates_of(ROLLUP_LOG) > 3, "several messages");
    let query = "SELECT count(*), sum(length(item)), sum(quantity) FROM orders";
    let same = async || {
        let own = street.rows(&server, &shop("north"), query).await;
        assert_eq!(street.rows(&server, &street.rollup(), query).await, own);
    };
    same().await;
    street.sell(&server, "north", &["UPDATE orders SET item = item || 'x'"]).await;
    street.sell(&server, "north", &["DELETE FROM orders WHERE id % 2 = 0"]).await;
    street.minute().await;
    same().await;
}

#[tokio::test]
async fn what_is_rolled_up_while_a_record_is_on_its_way_is_rolled_up_again() {
    let street = Street::new();
    let server = street.server().await;
    street.sell(&server, "north", &[ORDERS]).await;
    street.minute().await;
    street.post.bucket.slowness().hold(|operation, key| {
        operation == Operation::Create && key.as_str().contains("/north/log/")
    });
    let request = http::Request::post("/").body("INSERT INTO orders VALUES (1, 'tea', 2)".into());
    let (engine, request) = (server.engine.clone(), request.expect("a request"));
    let selling = tokio::spawn(async move { engine.fetch(&shop("north"), None, request).await });
    street.post.pass(Duration::from_secs(1)).await;
    let rollup = server.engine.administration().rollup_of(&Tenant::local(), "Shop").await;
    assert_eq!(rollup.expect("it is known"), Some(street.rollup()));
    assert_eq!(street.rolled_up(&server, "orders").await, "");
    street.post.bucket.slowness().release();
    street.minute().await;
    selling.await.expect("it does not panic").expect("it runs");
    assert_eq!(street.rolled_up(&server, "orders").await, "north|1|tea|2");
}

#[tokio::test]
async fn functions_roll_up_with_the_tick() {
    let street = Street::new();
    let functions = [
        street.post.server_with(Ownership::PerRequest).await,
        street.post.server_with(Ownership::PerRequest).await,
    ];
    for (n, function) in functions.iter().enumerate() {
        let insert = format!("INSERT INTO orders VALUES ({n}, 'tea', 1)");
        street.sell(function, "north", &[ORDERS, &insert]).await;
    }
    let [first, second] = functions;
    first.crash();
    let engine = second.engine.clone();
    street.post.run(async move { engine.tick().await }).await.expect("it ticks");
    assert_eq!(street.rolled_up(&second, "orders").await, "north|0|tea|1\nnorth|1|tea|1");
}

#[tokio::test]
async fn objects_from_before_are_rolled_up_by_hand_and_what_is_there_costs_a_look() {
    let street = Street::new();
    let before = street.server_of(App::new().class("Shop", || shop::Shop)).await;
    for shop in ["east", "north"] {
        street.sell(&before, shop, &[ORDERS, "INSERT INTO orders VALUES (1, 'tea', 2)"]).await;
    }
    assert_eq!(street.post.markers().await, 0);
    let error = before.engine.administration().roll_up(&Tenant::local(), "Shop").await;
    assert_eq!(error.expect_err("nothing is rolled up").code(), "NOT_ROLLED_UP");
    let server = street.server().await;
    let roll_up = async || {
        let engine = server.engine.clone();
        let work = async move { engine.administration().roll_up(&Tenant::local(), "Shop").await };
        street.post.run(work).await.expect("it is rolled up")
    };
    assert_eq!(roll_up().await, RolledUp { objects: 2, copied: 2, ..RolledUp::default() });
    assert_eq!(street.rolled_up(&server, "orders").await, "east|1|tea|2\nnorth|1|tea|2");
    assert_eq!(roll_up().await, RolledUp { objects: 2, ..RolledUp::default() });
    street.sell(&before, "east", &["INSERT INTO orders VALUES (2, 'milk', 1)"]).await;
    let admin = before.engine.administration();
    admin.delete_object(&shop("north"), Precondition::Any).await.expect("it is deleted");
    let done = RolledUp { objects: 1, changed: 1, removed: 1, ..RolledUp::default() };
    assert_eq!(roll_up().await, done);
    assert_eq!(street.rolled_up(&server, "orders").await, "east|1|tea|2\neast|2|milk|1");
}

#[tokio::test]
async fn a_program_that_names_more_tables_copies_objects_with_their_next_change() {
    let street = Street::new();
    let app = App::new().class("Shop", || shop::Shop).analytics(["orders"]);
    let before = street.server_of(app).await;
    let create = "CREATE TABLE returns (id INTEGER PRIMARY KEY)";
    street.sell(&before, "north", &[ORDERS, create, "INSERT INTO returns VALUES (4)"]).await;
    street.sell(&before, "north", &["INSERT INTO orders VALUES (1, 'tea', 2)"]).await;
    street.minute().await;
    before.engine.shutdown(Duration::from_secs(5)).await;
    let server = street.server().await;
    street.sell(&server, "north", &["INSERT INTO orders VALUES (2, 'milk', 2)"]).await;
    street.minute().await;
    assert_eq!(street.rolled_up(&server, "orders").await, "north|1|tea|2\nnorth|2|milk|2");
    assert_eq!(street.rolled_up(&server, "returns").await, "north|4");
}

#[tokio::test]
async fn nobody_reaches_a_roll_up_but_the_roll_up_of_its_class() {
    let street = Street::new();
    let server = street.server().await;
    street.sell(&server, "north", &[ORDERS, "INSERT INTO orders VALUES (1, 'tea', 2)"]).await;
    street.minute().await;
    let request = http::Request::get("/").body(Body::empty()).expect("a request");
    let error = server.engine.fetch(&street.rollup(), None, request).await.expect_err("no request");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error =
        street.try_sell(&server, "north", "/send-to-the-roll-up").await.expect_err("no class");
    assert_eq!(error.code(), "UNKNOWN_CLASS");
    let classes = server.engine.inspection().classes(&Tenant::local()).await.expect("a list");
    assert_eq!(classes.len(), 1, "it is no class of the program");
    let other = rollup_of(&Tenant::local(), "Other").expect("a good name");
    assert_ne!(other, street.rollup());
    let reserved = std::panic::catch_unwind(|| App::new().class("_dotdo_rollup", || shop::Shop));
    assert!(reserved.is_err(), "the name is reserved");
}

#[tokio::test]
async fn the_roll_up_of_a_class_that_has_ended_goes_with_it() {
    let street = Street::new();
    let server = street.server().await;
    street.sell(&server, "north", &[ORDERS, "INSERT INTO orders VALUES (1, 'tea', 2)"]).await;
    street.minute().await;
    server.engine.shutdown(Duration::from_secs(5)).await;
    let later = street.server_of(App::new().deleted("Shop")).await;
    for _ in 0..3 {
        street.post.pass(Duration::from_secs(3600)).await;
        let engine = later.engine.clone();
        street.post.run(async move { engine.tick().await }).await.expect("it ticks");
    }
    let gone = later.engine.inspection().describe(&street.rollup(), None).await;
    assert_eq!(gone.expect_err("it is deleted").code(), "NO_SUCH_OBJECT");
}

/// What docs/ANALYTICS.md says that a thousand changes cost.
#[tokio::test]
async fn a_thousand_changes_of_a_hundred_objects_cost_a_marker_each_and_few_records() {
    let street = Street::new();
    let server = street.server().await;
    let names: Vec<String> = (0..100).map(|n| format!("shop {n}")).collect();
    for name in &names {
        street.sell(&server, name, &[ORDERS]).await;
    }
    street.minute().await;
    street.minute().await;
    let record = street.post.bucket.record();
    let before =
        (record.count(Operation::Put, "/outbox/"), record.count(Operation::Create, ROLLUP_LOG));
    for n in 0..10 {
        for name in &names {
            let insert = format!("INSERT INTO orders VALUES ({n}, 'tea', 2)");
            street.sell(&server, name, &[&insert]).await;
        }
    }
    street.minute().await;
    let rows = street.rows(&server, &street.rollup(), "SELECT count(*) FROM orders").await;
    assert_eq!(rows, [[Value::Integer(1000)]]);
    let markers = record.count(Operation::Put, "/outbox/") - before.0;
    let records = record.count(Operation::Create, ROLLUP_LOG) - before.1;
    assert!(
        markers <= 100 && (1..=4).contains(&records),
        "{markers} markers and {records} records"
    );
}
