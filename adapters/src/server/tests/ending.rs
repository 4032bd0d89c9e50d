//! The end of a tenant: who may ask for it, and what remains of the others.

use dotdo_core::{App, Context, DurableObject, Engine, Request, Response, Result, Settings};

use super::app::serving;
use super::client::Answer;
use super::spelled::spelled;
use super::*;

/// Counts its requests.
struct Counter;

impl DurableObject for Counter {
    async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
        let count: u64 = ctx.storage().get("count")?.unwrap_or(0) + 1;
        ctx.storage().put("count", &count)?;
        Ok(Response::new(count.to_string().into()))
    }
}

async fn server() -> Server<Engine> {
    let edge = EdgeSettings { auth: spelled(), ..edge_settings() };
    serving(App::new().class("Counter", || Counter), Settings::default(), edge).await
}

/// A request of `subject~org~scopes`.
async fn ask(server: &Server<Engine>, who: &str, method: &str, target: &str) -> Answer {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nauthorization: Bearer {who}\r\n\r\n"
    );
    server.ask(&head).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_administrator_or_an_operator_ends_a_tenant() {
    let server = server().await;
    for org in ["acme", "other"] {
        let user = format!("alice~{org}~rw");
        assert_eq!(ask(&server, &user, "POST", "/do/a").await.text(), "1");
    }
    for (who, target) in [
        ("alice~acme~rwh", "/tenant"),
        ("alice~acme~rwha", "/tenants/other/shop"),
        ("alice~acme~rwh", "/tenants/acme/shop"),
    ] {
        let answer = ask(&server, who, "DELETE", target).await;
        let code = answer.json()["code"].clone();
        assert_eq!((answer.status, code), (403, "MISSING_SCOPE".into()), "{who} {target}");
    }
    let anonymous = server.ask("DELETE /tenant HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(anonymous.status, 401);
    let local = ask(&server, "root~local~o", "DELETE", "/tenant").await;
    assert_eq!((local.status, &local.json()["code"]), (400, &"BAD_TENANT".into()));
    for org in ["acme", "other"] {
        let user = format!("alice~{org}~rw");
        assert_eq!(ask(&server, &user, "POST", "/do/a").await.text(), "2", "nothing has ended");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_deleted_ends_at_once_and_nobody_else_notices() {
    let server = server().await;
    for (org, who, target) in [
        ("acme", "boss~acme~a", "/tenant"),
        ("beta", "root~local~o", "/tenants/beta/shop"),
        ("gamma", "boss~gamma~a", "/tenants/gamma/shop"),
    ] {
        let user = format!("alice~{org}~rw");
        assert_eq!(ask(&server, &user, "POST", "/do/a").await.status, 200);
        for _ in 0..2 {
            let answer = ask(&server, who, "DELETE", target).await;
            let body = answer.json();
            assert_eq!(answer.status, 202, "{body}");
            let wait = body["deletableInSeconds"].as_u64().expect("a time");
            assert_eq!(answer.headers["retry-after"], wait.to_string());
            let expected = serde_json::json!({
                "tenant": { "org": org, "name": "shop" }, "state": "closed", "deletableInSeconds": wait
            });
            assert_eq!(body, expected);
        }
        for method in ["GET", "POST"] {
            let answer = ask(&server, &user, method, "/do/a").await;
            let code = answer.json()["code"].clone();
            assert_eq!((answer.status, code), (410, "TENANT_CLOSED".into()), "{org} {method}");
        }
        let other = ask(&server, "alice~other~rw", "POST", "/do/a").await;
        assert_eq!(other.status, 200, "{other:?}");
    }
}
