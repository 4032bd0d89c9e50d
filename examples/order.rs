//! An order that reminds its customer until it is paid, and is cancelled when it never is: alarms
//! and messages.
//!
//! ```sh
//! curl http://127.0.0.1:8787/do/order-7 -d '{"item":"kettle","customer":"ada"}'   # {"state":"open",…}
//! curl -X POST http://127.0.0.1:8787/do/order-7/pay                                # {"state":"paid",…}
//! curl http://127.0.0.1:8787/do/Customer/ada                                        # what was sent to her
//! ```

use std::process::ExitCode;

use dotdo::{
    AlarmInfo, App, Class, Context, DurableObject, Error, IntoResponse, Json, Matcher, Message,
    Request, RequestExt, Response, Result, ResultExt,
};
use serde::{Deserialize, Serialize};

/// Time until the first reminder, and between two, in milliseconds.
pub(crate) const REMIND_AFTER_MS: i64 = 60 * 60 * 1000;
/// After so many reminders an order is cancelled.
pub(crate) const REMINDERS_MAX: u32 = 3;

#[derive(Default)]
struct Order;

impl Class for Order {
    const NAME: &'static str = "Order";
}

#[derive(Deserialize)]
struct Placed {
    item: String,
    customer: String,
}

#[derive(Serialize, Deserialize)]
struct Progress {
    state: State,
    item: String,
    customer: String,
    reminders: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Paid,
    Cancelled,
}

impl DurableObject for Order {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        let progress = if let Some([]) = on.post("/") {
            place(request.json().await?, ctx)?
        } else if let Some([]) = on.post("/pay") {
            pay(ctx)?
        } else if let Some([]) = on.get("/") {
            progress(ctx)?
        } else {
            return on.otherwise();
        };
        Json(progress).into_response()
    }

    /// The next reminder is due. It is sent once, because the message and the alarm's end are one
    /// transaction.
    async fn alarm(&mut self, _: AlarmInfo, ctx: &mut Context) -> Result<()> {
        let mut progress = progress(ctx)?;
        let text = if progress.reminders == REMINDERS_MAX {
            progress.state = State::Cancelled;
            format!("your {} was cancelled", progress.item)
        } else {
            progress.reminders += 1;
            ctx.set_alarm(ctx.now_ms() + REMIND_AFTER_MS)?;
            format!("your {} is not paid yet", progress.item)
        };
        ctx.storage().put("order", &progress)?;
        ctx.tell(&progress.customer, &Notice { text })
    }
}

fn place(Placed { item, customer }: Placed, ctx: &mut Context) -> Result<Progress> {
    if ctx.storage().get::<Progress>("order")?.is_some() {
        return Err(Error::conflict("this order was placed already"));
    }
    // A name is the id of an object, so it has to be one.
    ctx.stub::<Customer>(&customer).or_invalid("expected the name of a customer")?;
    let progress = Progress { state: State::Open, item, customer, reminders: 0 };
    ctx.storage().put("order", &progress)?;
    ctx.set_alarm(ctx.now_ms() + REMIND_AFTER_MS)?;
    Ok(progress)
}

fn pay(ctx: &mut Context) -> Result<Progress> {
    let mut progress = progress(ctx)?;
    if progress.state == State::Cancelled {
        return Err(Error::conflict("this order was cancelled"));
    }
    progress.state = State::Paid;
    ctx.storage().put("order", &progress)?;
    ctx.delete_alarm()?;
    Ok(progress)
}

fn progress(ctx: &mut Context) -> Result<Progress> {
    ctx.storage().get("order")?.ok_or_else(|| Error::not_found("there is no such order"))
}

/// What was sent to a customer.
#[derive(Default)]
struct Customer;

impl Class for Customer {
    const NAME: &'static str = "Customer";
}

#[derive(Serialize, Deserialize)]
struct Notice {
    text: String,
}

impl Message for Notice {
    type Class = Customer;
    type Answer = ();
    const PATH: &'static str = "/notice";
}

impl DurableObject for Customer {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut notices: Vec<String> = ctx.storage().get("notices")?.unwrap_or_default();
        let mut on = Matcher::of(&request);
        if let Some(taken) = on.message::<Notice>() {
            notices.push(taken.read(request).await?.text);
            ctx.storage().put("notices", &notices)?;
            taken.answer(&())
        } else if let Some([]) = on.get("/") {
            Json(notices).into_response()
        } else {
            on.otherwise()
        }
    }
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().register::<Order>().register::<Customer>()
}

fn main() -> ExitCode {
    dotdo::run(app())
}
