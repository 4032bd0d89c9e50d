//! Shops whose requests are SQL, and what their roll-up has of them.

use std::sync::Arc;
use std::time::Duration;

use crate::activation::tests::post::{Post, Server};
use crate::change::Value;
use crate::error::Result;
use crate::id::{ObjectId, Tenant};
use crate::inspection::Statement;
use crate::object::{App, Body, Context, DurableObject, Request, Response};
use crate::rollup::rollup_of;

pub(super) const ORDERS: &str =
    "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT, quantity INTEGER)";

/// The tables that are rolled up.
const TABLES: [&str; 4] = ["orders", "prices", "returns", "sums"];

/// Runs what it is sent.
pub(super) struct Shop;

impl DurableObject for Shop {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let body = request.into_body().text().await?;
        for statement in body.split("\n---\n") {
            match statement {
                "/wipe" => ctx.delete_all()?,
                "/send-to-the-roll-up" => {
                    ctx.send("_dotdo_rollup", "Shop", Request::new(Body::empty()))?;
                }
                sql => drop(ctx.sql().exec(sql, ())?),
            }
        }
        Ok(Response::new(Body::empty()))
    }
}

/// Shops on one bucket.
pub(super) struct Street {
    pub(super) post: Post,
}

pub(super) fn shop(id: &str) -> ObjectId {
    Tenant::local().object("Shop", id).expect("a good id")
}

impl Street {
    pub(super) fn new() -> Self {
        let app = App::new().class("Shop", || Shop).analytics(TABLES);
        Self { post: Post::of(app, Arc::default()) }
    }

    pub(super) async fn server(&self) -> Server {
        self.post.server().await
    }

    /// A server of another program.
    pub(super) async fn server_of(&self, app: App) -> Server {
        self.post.server_of(app).await
    }

    pub(super) fn rollup(&self) -> ObjectId {
        rollup_of(&Tenant::local(), "Shop").expect("a good name")
    }

    /// Has a shop run these statements in one request.
    pub(super) async fn sell(&self, server: &Server, id: &str, statements: &[&str]) {
        self.try_sell(server, id, &statements.join("\n---\n")).await.expect("it runs");
    }

    pub(super) async fn try_sell(&self, server: &Server, id: &str, body: &str) -> Result<String> {
        let request = http::Request::post("/").body(body.to_owned().into()).expect("a request");
        self.post.fetch(server, shop(id), request).await
    }

    /// Lets a minute pass.
    pub(super) async fn minute(&self) {
        for _ in 0..60 {
            self.post.pass(Duration::from_secs(1)).await;
        }
    }

    /// The rows of a table of the roll-up, without its own column for them, as lines.
    pub(super) async fn rolled_up(&self, server: &Server, table: &str) -> String {
        let query = format!("SELECT * FROM {table} ORDER BY _dotdo_object, _dotdo_row");
        let rows = self.rows(server, &self.rollup(), &query).await;
        let line = |row: Vec<Value>| {
            let values = row.into_iter().enumerate().filter(|(column, _)| *column != 1);
            values.map(|(_, value)| shown(value)).collect::<Vec<_>>().join("|")
        };
        rows.into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    pub(super) async fn rows(
        &self,
        server: &Server,
        object: &ObjectId,
        sql: &str,
    ) -> Vec<Vec<Value>> {
        self.try_rows(server, object, sql).await.expect("it answers")
    }

    pub(super) async fn try_rows(
        &self,
        server: &Server,
        object: &ObjectId,
        sql: &str,
    ) -> Result<Vec<Vec<Value>>> {
        let statement = Statement { sql: sql.to_owned(), params: Vec::new(), limit: 10_000 };
        server.engine.inspection().query(object, None, statement).await.map(|answer| answer.rows)
    }
}

fn shown(value: Value) -> String {
    match value {
        Value::Text(text) => String::from_utf8_lossy(&text).into_owned(),
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}
