//! Administration of real servers, and of a folder without a server: the same routes, the same
//! answers.

mod access;
mod look;

use dotdo::commands::administration;
use dotdo::service::{ObjectService, ServiceHandle};
use dotdo::{Body, ServeOptions};
use dotdo_tests::Server;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::world::World;

/// Statements for the object of the class `Sql`.
async fn run(server: &Server, who: Option<&str>, id: &str, statements: &[&str]) {
    let body: Vec<Vec<&str>> = statements.iter().map(|sql| vec![*sql]).collect();
    let request = asked(server, who, Method::POST, &format!("/do/Sql/{id}")).json(&body);
    let answer = request.send().await.expect("the server answers");
    let status = answer.status();
    assert_eq!(status, StatusCode::OK, "{}", answer.text().await.expect("text"));
}

fn asked(server: &Server, who: Option<&str>, method: Method, path: &str) -> RequestBuilder {
    let request = Client::new().request(method, server.url(path));
    match who {
        Some(who) => request.bearer_auth(who),
        None => request,
    }
}

/// An answer: its status, and its body, which is JSON.
type Answer = (StatusCode, Value);

async fn answer(request: RequestBuilder) -> Answer {
    let answer = request.send().await.expect("the server answers");
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}")))
}

/// The routes without a server.
struct Mounted {
    service: TowerToHyperService<ObjectService>,
    handle: ServiceHandle,
}

impl Mounted {
    async fn on(world: &World) -> Self {
        let storage = Some(world.storage().to_owned());
        let options = ServeOptions { storage, ..ServeOptions::default() };
        let (service, handle) = administration(options).await.expect("the folder can be used");
        Self { service: TowerToHyperService::new(service), handle }
    }

    async fn bytes(&self, method: Method, path: &str, body: Body) -> (StatusCode, Vec<u8>) {
        let request = http::Request::builder().method(method).uri(path).body(body);
        let response = self.service.call(request.expect("a request")).await.expect("an answer");
        let status = response.status();
        (status, response.into_body().bytes().await.expect("a body").to_vec())
    }

    async fn answer(&self, method: Method, path: &str, body: Body) -> Answer {
        let (status, bytes) = self.bytes(method, path, body).await;
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }
}

/// The lines of a response.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

fn statement(sql: &str) -> Value {
    json!({ "sql": sql })
}
