//! A wallet with typed calls, and a client for it in the same program.
//!
//! The class and its messages would usually be a crate of their own, which the server and its
//! clients share.
//!
//! ```sh
//! example-wallet &                                                 # serves
//! example-wallet deposit http://127.0.0.1:8787 ada 500             # ada has 500 cents
//! example-wallet withdraw http://127.0.0.1:8787 ada 900            # CONFLICT TOO_LITTLE: …
//! ```

use std::process::ExitCode;

use dotdo::client::{Client, ClientStub};
use dotdo::{
    App, Class, Context, DurableObject, Error, Matcher, Message, Request, Response, Result,
};
use serde::{Deserialize, Serialize};

#[derive(Default)]
pub(crate) struct Wallet;

impl Class for Wallet {
    const NAME: &'static str = "Wallet";
}

/// Adds money.
#[derive(Serialize, Deserialize)]
pub(crate) struct Deposit {
    pub(crate) cents: i64,
}

/// Takes money.
#[derive(Serialize, Deserialize)]
pub(crate) struct Withdraw {
    pub(crate) cents: i64,
}

/// Asks how much there is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Balance;

impl Message for Deposit {
    type Class = Wallet;
    type Answer = i64;
    const PATH: &'static str = "/deposit";
}

impl Message for Withdraw {
    type Class = Wallet;
    type Answer = i64;
    const PATH: &'static str = "/withdraw";
}

impl Message for Balance {
    type Class = Wallet;
    type Answer = i64;
    const PATH: &'static str = "/balance";
}

impl DurableObject for Wallet {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some(taken) = on.message::<Deposit>() {
            let Deposit { cents } = taken.read(request).await?;
            taken.answer(&change(cents, ctx)?)
        } else if let Some(taken) = on.message::<Withdraw>() {
            let Withdraw { cents } = taken.read(request).await?;
            taken.answer(&change(-cents, ctx)?)
        } else if let Some(taken) = on.message::<Balance>() {
            taken.answer(&change(0, ctx)?)
        } else {
            on.otherwise()
        }
    }
}

fn change(cents: i64, ctx: &mut Context) -> Result<i64> {
    let balance = ctx.storage().get::<i64>("cents")?.unwrap_or(0) + cents;
    if balance < 0 {
        let short = serde_json::json!({ "missing": -balance });
        let error = Error::conflict(format!("{} cents are missing", -balance));
        return Err(error.with_code("TOO_LITTLE").with_details(short));
    }
    if cents != 0 {
        ctx.storage().put("cents", &balance)?;
    }
    Ok(balance)
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().register::<Wallet>()
}

/// What the program does as a client. The client sends a message again when its answer is lost, and it
/// has its effect once.
async fn pay(what: &str, url: &str, owner: &str, cents: &str) -> Result<i64> {
    let wallet: ClientStub<Wallet> = Client::new(url)?.stub(owner)?;
    let cents = cents.parse().map_err(|_| Error::invalid("expected a number of cents"))?;
    match what {
        "deposit" => wallet.call(&Deposit { cents }).await,
        _ => wallet.call(&Withdraw { cents }).await,
    }
}

#[expect(clippy::print_stdout, reason = "it is what the client is for")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [what @ ("deposit" | "withdraw"), url, owner, cents] = arguments[..] else {
        return dotdo::run(app());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("the operating system gives a thread");
    match runtime.block_on(pay(what, url, owner, cents)) {
        Ok(balance) => {
            println!("{owner} has {balance} cents");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{} {}: {error}", error.kind().code(), error.code());
            ExitCode::FAILURE
        }
    }
}
