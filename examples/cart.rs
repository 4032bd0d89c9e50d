//! A shopping cart whose schema has grown: carts written by an older program are brought up to date
//! when they are next used.
//!
//! ```sh
//! curl -d '{"sku": "tea", "quantity": 2, "cents": 350}' http://127.0.0.1:8787/do/cart-7/lines
//! curl http://127.0.0.1:8787/do/cart-7                       # {"lines":[…],"cents":700}
//! curl -X DELETE http://127.0.0.1:8787/do/cart-7/lines/tea
//! ```

use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, Error, Request, Response, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The steps of the schema, oldest first. A step that has run somewhere is never changed;
/// `user_version` counts those that have.
const STEPS: [&str; 2] = [
    "CREATE TABLE lines (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL, price REAL NOT NULL)",
    // Money is counted, not measured.
    "ALTER TABLE lines ADD COLUMN cents INTEGER NOT NULL DEFAULT 0;
     UPDATE lines SET cents = CAST(round(price * 100) AS INTEGER);
     ALTER TABLE lines DROP COLUMN price",
];

struct Cart;

#[derive(Serialize, Deserialize)]
struct Line {
    sku: String,
    quantity: u32,
    cents: u32,
}

impl DurableObject for Cart {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        migrate(ctx)?;
        match (request.method().as_str(), request.uri().path()) {
            ("GET", "/") => {}
            ("POST", "/lines") => put(request.into_body().json().await?, ctx)?,
            ("DELETE", path) if path.starts_with("/lines/") => {
                remove(&path["/lines/".len()..], ctx)?
            }
            (method, path) => {
                return Err(Error::not_found(format!(
                    "expected GET /, POST /lines or DELETE /lines/{{sku}}, got {method} {path}"
                )));
            }
        }
        total(ctx)
    }
}

/// Runs the steps that this cart has not seen. A request is a transaction: all of them happen, or
/// none.
fn migrate(ctx: &mut Context) -> Result<()> {
    let done: usize = ctx.sql().exec("PRAGMA user_version", ())?.one()?;
    for (number, step) in (1..).zip(STEPS).skip(done) {
        ctx.sql().exec(step, ())?;
        ctx.sql().exec(&format!("PRAGMA user_version = {number}"), ())?;
    }
    Ok(())
}

fn put(line: Line, ctx: &mut Context) -> Result<()> {
    if line.quantity == 0 {
        return remove(&line.sku, ctx);
    }
    let insert = "INSERT OR REPLACE INTO lines (sku, quantity, cents) VALUES (?, ?, ?)";
    ctx.sql().exec(insert, (line.sku, line.quantity, line.cents))?;
    Ok(())
}

fn remove(sku: &str, ctx: &mut Context) -> Result<()> {
    ctx.sql().exec("DELETE FROM lines WHERE sku = ?", (sku,))?;
    Ok(())
}

fn total(ctx: &mut Context) -> Result<Response> {
    let lines: Vec<Line> =
        ctx.sql().exec("SELECT sku, quantity, cents FROM lines ORDER BY sku", ())?.rows()?;
    let cents: u64 =
        lines.iter().map(|line| u64::from(line.quantity) * u64::from(line.cents)).sum();
    dotdo::json(&json!({ "lines": lines, "cents": cents }))
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Cart", || Cart)
}

fn main() -> ExitCode {
    dotdo::run(app())
}
