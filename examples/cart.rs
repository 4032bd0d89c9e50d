//! A shopping cart whose schema has grown: carts written by an older program are brought up to date
//! when they are next used.
//!
//! ```sh
//! curl -d '{"sku": "tea", "quantity": 2, "cents": 350}' http://127.0.0.1:8787/do/cart-7/lines
//! curl http://127.0.0.1:8787/do/cart-7                       # {"lines":[…],"cents":700}
//! curl -X DELETE http://127.0.0.1:8787/do/cart-7/lines/tea
//! ```

use std::process::ExitCode;

use dotdo::{
    App, Class, Context, DurableObject, IntoResponse, Json, Matcher, Request, RequestExt, Response,
    Result,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The steps of the schema, oldest first. A step that has run somewhere is never changed.
const STEPS: [&str; 2] = [
    "CREATE TABLE lines (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL, price REAL NOT NULL)",
    // Money is a whole number of cents.
    "ALTER TABLE lines ADD COLUMN cents INTEGER NOT NULL DEFAULT 0;
     UPDATE lines SET cents = CAST(round(price * 100) AS INTEGER);
     ALTER TABLE lines DROP COLUMN price",
];

#[derive(Default)]
struct Cart;

impl Class for Cart {
    const NAME: &'static str = "Cart";
}

#[derive(Serialize, Deserialize)]
struct Line {
    sku: String,
    quantity: u32,
    cents: u32,
}

impl DurableObject for Cart {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&STEPS)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.post("/lines") {
            put(request.json().await?, ctx)?;
        } else if let Some([sku]) = on.delete("/lines/{sku}") {
            remove(&sku, ctx)?;
        } else if on.get::<0>("/").is_none() {
            return on.otherwise();
        }
        total(ctx)
    }
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
    Json(json!({ "lines": lines, "cents": cents })).into_response()
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().register::<Cart>()
}

fn main() -> ExitCode {
    dotdo::run(app())
}
