//! Typed calls from outside, to objects behind the real engine.

use dotdo_core::{
    App, At, Class, Context, DurableObject, Engine, Error, ErrorKind, Matcher, Message, Request,
    Response, Result, Settings, json,
};
use serde::{Deserialize, Serialize};

use super::app::serving;
use super::*;
use crate::client::{Client, ClientStub};

#[derive(Default)]
struct Till;

impl Class for Till {
    const NAME: &'static str = "Till";
}

#[derive(Serialize, Deserialize)]
struct Give {
    cents: i64,
}

impl Message for Give {
    type Class = Till;
    type Answer = Balance;
    const PATH: &'static str = "/give";
}

#[derive(Serialize, Deserialize)]
struct Look;

impl Message for Look {
    type Class = Till;
    type Answer = Balance;
    const PATH: &'static str = "/look";
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Balance {
    cents: i64,
    of: String,
}

impl DurableObject for Till {
    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let mut on = Matcher::of(&request);
        let mut balance =
            Balance { cents: ctx.storage().get("cents")?.unwrap_or(0), of: ctx.id().id().into() };
        if let Some(taken) = on.message::<Give>() {
            let Give { cents } = taken.read(request).await?;
            if cents < 0 {
                let error = Error::conflict("there is no negative money").with_code("NEGATIVE");
                return Err(error.with_details(serde_json::json!({ "cents": cents })));
            }
            balance.cents += cents;
            ctx.storage().put("cents", &balance.cents)?;
            taken.answer(&balance)
        } else if let Some(taken) = on.message::<Look>() {
            taken.answer(&balance)
        } else if let Some([]) = on.get("/") {
            json(&balance)
        } else {
            on.otherwise()
        }
    }
}

async fn server() -> (Server<Engine>, Client) {
    let app = App::new().class("Other", || Till).register::<Till>();
    let server = serving(app, Settings::default(), edge_settings()).await;
    let client = Client::new(&format!("http://{}", server.address)).expect("a URL");
    (server, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_outside_has_the_types_and_errors_of_the_class() {
    let (_server, client) = server().await;
    for id in ["ada", "..", "a/b?c#d", "%2F", "ü 漢", "x".repeat(300).as_str()] {
        let till: ClientStub<Till> = client.stub(id).expect("an id");
        let balance = till.call(&Give { cents: 7 }).await.expect("it is given");
        assert_eq!(balance, Balance { cents: 7, of: id.to_owned() });
        assert_eq!(till.ask(&Look).await.expect("it looks"), balance);
    }
    let till: ClientStub<Till> = client.stub("ada").expect("an id");
    let error = till.call(&Give { cents: -1 }).await.expect_err("it refuses");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Conflict, "NEGATIVE"));
    assert_eq!(error.message(), "there is no negative money");
    assert_eq!(error.details(), Some(&serde_json::json!({ "cents": -1 })));
    let object = client.object("Nothing", "ada").expect("good names");
    let request = http::Request::get("/").body(dotdo_core::Body::empty()).expect("a request");
    let error = object.fetch(request).await.expect_err("no such class");
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotFound, "UNKNOWN_CLASS"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_a_key_has_its_effect_once_and_a_former_state_is_read() {
    let (_server, client) = server().await;
    let till: ClientStub<Till> = client.stub("ada").expect("an id");
    for _ in 0..3 {
        let balance = till.call_once("invoice \"7\"", &Give { cents: 5 }).await.expect("given");
        assert_eq!(balance.cents, 5);
    }
    let reused = till.call_once("invoice \"7\"", &Give { cents: 6 }).await.expect_err("another");
    assert_eq!(reused.kind(), ErrorKind::KeyReused);
    assert_eq!(till.call(&Give { cents: 1 }).await.expect("given").cents, 6);
    let former = client.object("Till", "ada").expect("good names").at(At::Sequence(1));
    let request = http::Request::get("/").body(dotdo_core::Body::empty()).expect("a request");
    let response = former.fetch(request).await.expect("an answer");
    let balance: Balance = response.into_body().json().await.expect("a balance");
    assert_eq!(balance.cents, 5);
}
