//! A shopping cart as it was before `cart.rs`: its first version, which kept prices as decimal
//! numbers.
//!
//! Carts that this program wrote are opened by the next one, which brings them up to date.

use std::process::ExitCode;

use dotdo::{
    App, Class, Context, DurableObject, IntoResponse, Json, Matcher, Request, RequestExt, Response,
    Result,
};
use serde::{Deserialize, Serialize};

const STEPS: [&str; 1] =
    ["CREATE TABLE lines (sku TEXT PRIMARY KEY, quantity INTEGER NOT NULL, price REAL NOT NULL)"];

#[derive(Default)]
struct Cart;

impl Class for Cart {
    const NAME: &'static str = "Cart";
}

#[derive(Serialize, Deserialize)]
struct Line {
    sku: String,
    quantity: u32,
    price: f64,
}

impl DurableObject for Cart {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&STEPS)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some([]) = on.post("/lines") {
            let line: Line = request.json().await?;
            let insert = "INSERT OR REPLACE INTO lines VALUES (?, ?, ?)";
            ctx.sql().exec(insert, (line.sku, line.quantity, line.price))?;
        } else if on.get::<0>("/").is_none() {
            return on.otherwise();
        }
        let lines: Vec<Line> = ctx.sql().exec("SELECT * FROM lines ORDER BY sku", ())?.rows()?;
        Json(lines).into_response()
    }
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().register::<Cart>()
}

fn main() -> ExitCode {
    dotdo::run(app())
}
