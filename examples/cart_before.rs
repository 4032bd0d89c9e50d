//! A shopping cart as it was before `cart.rs`: its first version, which kept prices as decimal
//! numbers.
//!
//! Carts that this program wrote are opened by the next one, which brings them up to date.

use std::process::ExitCode;

use dotdo::{App, Context, DurableObject, Error, Request, Response, Result};
use serde::{Deserialize, Serialize};

const SCHEMA: &str = "
    CREATE TABLE lines (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL, price REAL NOT NULL);
    PRAGMA user_version = 1";

struct Cart;

#[derive(Serialize, Deserialize)]
struct Line {
    sku: String,
    quantity: u32,
    price: f64,
}

impl DurableObject for Cart {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let version: u32 = ctx.sql().exec("PRAGMA user_version", ())?.one()?;
        if version == 0 {
            ctx.sql().exec(SCHEMA, ())?;
        }
        match (request.method().as_str(), request.uri().path()) {
            ("GET", "/") => {}
            ("POST", "/lines") => {
                let line: Line = request.into_body().json().await?;
                ctx.sql().exec(
                    "INSERT OR REPLACE INTO lines VALUES (?, ?, ?)",
                    (line.sku, line.quantity, line.price),
                )?;
            }
            (method, path) => {
                return Err(Error::not_found(format!(
                    "expected GET / or POST /lines, got {method} {path}"
                )));
            }
        }
        let lines: Vec<Line> = ctx.sql().exec("SELECT * FROM lines ORDER BY sku", ())?.rows()?;
        dotdo::json(&lines)
    }
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Cart", || Cart)
}

fn main() -> ExitCode {
    dotdo::run(app())
}
