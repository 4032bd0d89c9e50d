//! Classes and messages that are types: what reaches the other object, and what comes back.

use serde::{Deserialize, Serialize};

use super::*;
use crate::object::{Class, IntoResponse, Json, Matcher, Message, RequestExt, ResultExt};

/// Counts what it is given, and knows from whom.
#[derive(Default)]
struct Till;

impl Class for Till {
    const NAME: &'static str = "Till";
}

#[derive(Debug, Serialize, Deserialize)]
struct Give {
    cents: i64,
}

impl Message for Give {
    type Class = Till;
    type Answer = Balance;
    const PATH: &'static str = "/give";
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Balance {
    cents: i64,
    from: Vec<String>,
}

/// What the till answers as no message would be answered.
#[derive(Debug, Serialize, Deserialize)]
struct Odd;

impl Message for Odd {
    type Class = Till;
    type Answer = Balance;
    const PATH: &'static str = "/odd";
}

#[derive(Debug, Serialize, Deserialize)]
struct Unknown;

impl Message for Unknown {
    type Class = Till;
    type Answer = ();
    const PATH: &'static str = "/unknown";
}

impl DurableObject for Till {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        if let Some(taken) = on.message::<Give>() {
            let Give { cents } = taken.read(request).await?;
            if cents < 0 {
                return Err(Error::conflict("there is no negative money").with_code("NEGATIVE"));
            }
            let mut balance = balance(ctx)?;
            balance.cents += cents;
            balance.from.extend(ctx.sender().map(|sender| sender.id().to_owned()));
            ctx.storage().put("balance", &balance)?;
            taken.answer(&balance)
        } else if let Some([]) = on.get("/balance") {
            Json(balance(ctx)?).into_response()
        } else if let Some([]) = on.post("/odd") {
            Json("neither here nor there").into_response()
        } else if let Some([to]) = on.get("/pass-on/{to}") {
            ctx.tell(&to, &Give { cents: 5 })?.into_response()
        } else if let Some([to]) = on.get("/ask/{to}") {
            let what = request.query("what").or_invalid("`what` is missing")?;
            ask(&what, ctx, &to).await
        } else {
            on.otherwise()
        }
    }
}

async fn ask(what: &str, ctx: &mut Context, to: &str) -> Result<Response> {
    let till = ctx.stub::<Till>(to)?;
    match what {
        "odd" => Json(till.call(&Odd).await?).into_response(),
        "unknown" => till.call(&Unknown).await?.into_response(),
        cents => {
            let cents = cents.parse().or_invalid("`what` is a number")?;
            Json(till.call(&Give { cents }).await.context("giving")?).into_response()
        }
    }
}

fn balance(ctx: &mut Context) -> Result<Balance> {
    Ok(ctx.storage().get("balance")?.unwrap_or(Balance { cents: 0, from: Vec::new() }))
}

async fn at(engine: &Engine, id: &str, path: &str) -> Result<String> {
    let till = Tenant::local().object(Till::NAME, id).expect("a good id");
    let request = http::Request::get(path).body(Body::empty())?;
    engine.fetch(&till, None, request).await?.into_body().text().await
}

#[tokio::test]
async fn a_call_has_the_type_of_its_answer() {
    let engine = World::of(App::new().register::<Till>()).server(1).await;
    let answer = at(&engine, "a", "/ask/b?what=7").await.expect("b takes it");
    assert_eq!(answer, r#"{"cents":7,"from":[]}"#);
    assert_eq!(at(&engine, "b", "/balance").await.expect("it is there"), answer);
}

#[tokio::test]
async fn a_message_is_taken_and_its_sender_is_known() {
    let engine = World::of(App::new().register_with(|| Till)).server(1).await;
    assert_eq!(at(&engine, "a", "/pass-on/b").await.expect("it is sent"), "");
    engine.finish_background().await;
    let balance = at(&engine, "b", "/balance").await.expect("it has come");
    assert_eq!(balance, r#"{"cents":5,"from":["a"]}"#);
}

#[tokio::test]
async fn an_error_keeps_its_kind_and_code_over_a_call() {
    let engine = World::of(App::new().register::<Till>()).server(1).await;
    let error = at(&engine, "a", "/ask/b?what=-7").await.expect_err("b refuses");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "NEGATIVE"));
    assert_eq!(error.message(), "giving: there is no negative money");
    let error = at(&engine, "a", "/ask/b?what=x").await.expect_err("no number");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Invalid, "`what` is a number"));
    let error = at(&engine, "a", "/ask/b?what=unknown").await.expect_err("b knows no such thing");
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "UNKNOWN_PATH"));
}

#[tokio::test]
async fn an_answer_of_another_type_is_an_error_whose_text_stays_here() {
    let engine = World::of(App::new().register::<Till>()).server(1).await;
    let error = at(&engine, "a", "/ask/b?what=odd").await.expect_err("no balance");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Handler, "MALFORMED_RESPONSE"));
    assert!(error.message().contains("neither here nor there"), "{error}");
    assert!(!error.public_message().contains("here"), "{}", error.public_message());
}
