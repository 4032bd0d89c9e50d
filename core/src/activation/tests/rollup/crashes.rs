//! Roll-ups of objects whose servers crash.

use std::time::Duration;

use proptest::prelude::*;

use super::shop::{ORDERS, Street, shop};
use crate::activation::Precondition;
use crate::activation::tests::post::Server;
use crate::change::Value;
use crate::settings::Ownership;

const NAMES: [&str; 3] = ["east", "north", "south"];

#[tokio::test]
async fn after_a_crash_another_server_rolls_up_by_itself() {
    let street = Street::new();
    let first = street.server().await;
    street.sell(&first, "north", &[ORDERS, "INSERT INTO orders VALUES (1, 'tea', 2)"]).await;
    first.crash();
    let second = street.server().await;
    street.minute().await;
    assert_eq!(street.rolled_up(&second, "orders").await, "north|1|tea|2");
    for _ in 0..3 {
        street.minute().await;
    }
    assert_eq!(street.post.markers().await, 0, "nobody relies on it any more");
}

#[tokio::test]
async fn after_a_crash_in_the_middle_of_a_copy_another_begins_anew() {
    for requests in (1..12).step_by(3) {
        let street = Street::new();
        let first = street.server().await;
        let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
            INSERT INTO orders SELECT i, hex(zeroblob(5000)), i FROM n";
        street.sell(&first, "north", &[ORDERS, fill]).await;
        for _ in 0..29 {
            street.post.pass(Duration::from_secs(1)).await;
        }
        first.crash_after(requests);
        street.minute().await;
        first.crash();
        let second = street.server().await;
        street.minute().await;
        let query = "SELECT count(*), sum(quantity) FROM orders";
        let rows = street.rows(&second, &street.rollup(), query).await;
        assert_eq!(rows, [[Value::Integer(500), Value::Integer(125_250)]], "{requests}");
    }
}

/// What a shop is sent: it keeps a table that says how much is in the other, so whoever sees both
/// sees whether they are of one moment.
fn work(what: u8, n: usize) -> String {
    let change = match what % 8 {
        0..=2 => format!("INSERT INTO orders (item, quantity) VALUES ('tea', {n})"),
        3 => format!("UPDATE orders SET quantity = quantity + {n}"),
        4 => "DELETE FROM orders WHERE id = (SELECT min(id) FROM orders)".to_owned(),
        5 => format!("ALTER TABLE orders ADD COLUMN more_{n} TEXT DEFAULT 'more'"),
        6 => format!(
            "DROP TABLE orders\n---\n{ORDERS}\n---\nINSERT INTO orders VALUES ({n}, 'new', 1)"
        ),
        _ => format!("/wipe\n---\n{ORDERS}"),
    };
    let sums =
        "CREATE TABLE IF NOT EXISTS sums (one INTEGER PRIMARY KEY, count INTEGER, total INTEGER)";
    let sum =
        "INSERT OR REPLACE INTO sums SELECT 1, count(*), coalesce(sum(quantity), 0) FROM orders";
    [ORDERS, sums, &change, ORDERS, sums, sum].join("\n---\n")
}

/// Checks that the rows of each shop in the roll-up are of one moment.
async fn check_moment(street: &Street, server: &Server) {
    let query = "SELECT s._dotdo_object, s.count, s.total,
            (SELECT count(*) FROM orders o WHERE o._dotdo_object = s._dotdo_object),
            (SELECT coalesce(sum(quantity), 0) FROM orders o WHERE o._dotdo_object = s._dotdo_object)
        FROM sums s";
    // There may be no roll-up yet.
    let Ok(rows) = street.try_rows(server, &street.rollup(), query).await else { return };
    for row in rows {
        assert_eq!(row[1..3], row[3..5], "{:?} is of no moment", row[0]);
    }
}

/// Shops change while their servers, of both kinds, crash.
async fn history(crashes: Vec<(u64, bool)>, sends: Vec<(u8, u8)>) {
    let street = Street::new();
    let mut sends = sends.into_iter().enumerate();
    let mut servers = Vec::new();
    let onlooker = street.server().await;
    for (requests, leased) in crashes {
        let ownership = if leased { Ownership::Leased } else { Ownership::PerRequest };
        let server = street.post.server_with(ownership).await;
        server.crash_after(requests);
        for (n, (to, what)) in sends.by_ref().take(4) {
            let name = NAMES[usize::from(to) % 3];
            let engine = server.engine.clone();
            // It may never answer.
            if what % 16 == 15 {
                tokio::spawn(async move {
                    let admin = engine.administration();
                    admin.delete_object(&shop(name), Precondition::Any).await
                });
            } else {
                let request = http::Request::post("/").body(work(what, n).into()).expect("one");
                tokio::spawn(async move { engine.fetch(&shop(name), None, request).await });
            }
            for _ in 0..3 {
                street.post.pass(Duration::from_secs(4)).await;
            }
            check_moment(&street, &onlooker).await;
        }
        // Some live on a little beside the next.
        servers.push(server);
    }
    servers.into_iter().for_each(Server::crash);
    for _ in 0..5 {
        street.minute().await;
        check_moment(&street, &onlooker).await;
    }
    let mut own = Vec::new();
    for name in NAMES {
        let query = format!("SELECT '{name}', id, item, quantity FROM orders ORDER BY id");
        own.extend(street.try_rows(&onlooker, &shop(name), &query).await.unwrap_or_default());
    }
    let query = "SELECT _dotdo_object, id, item, quantity FROM orders ORDER BY _dotdo_object, id";
    let rolled_up = street.try_rows(&onlooker, &street.rollup(), query).await.unwrap_or_default();
    assert_eq!(rolled_up, own);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_crashes_when_the_roll_up_is_the_union_of_the_objects_in_the_end(
        crashes in proptest::collection::vec((1_u64..200, any::<bool>()), 1..5),
        sends in proptest::collection::vec((0_u8..3, any::<u8>()), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(history(crashes, sends));
    }
}
