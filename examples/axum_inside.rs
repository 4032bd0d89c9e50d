//! A class that answers with an axum router: a list of things to do.
//!
//! ```sh
//! cargo run -p dotdo-examples --example axum-inside
//! curl -H 'content-type: application/json' -d '{"text": "tea"}' http://127.0.0.1:8787/do/ada/todos   # {"id":1,"text":"tea"}
//! curl http://127.0.0.1:8787/do/ada/todos                                                            # [{"id":1,"text":"tea"}]
//! curl -X DELETE http://127.0.0.1:8787/do/ada/todos/1
//! ```

use std::process::ExitCode;

use axum::extract::{Json, Path};
use axum::response::IntoResponse;
use axum::routing::{delete, get};
use axum::{Extension, Router};
use dotdo::service::{self, Lent, Undo};
use dotdo::{App, Context, DurableObject, Error, Request, Response, Result};
use serde::{Deserialize, Serialize};

/// A list of things to do, whose router is created once for each object in memory.
struct Todos {
    router: Router,
}

#[derive(Deserialize)]
struct New {
    text: String,
}

#[derive(Serialize, Deserialize)]
struct Todo {
    id: i64,
    text: String,
}

impl Todos {
    fn new() -> Self {
        let router =
            Router::new().route("/todos", get(list).post(add)).route("/todos/{id}", delete(remove));
        Self { router }
    }
}

impl DurableObject for Todos {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(&["CREATE TABLE todos (id INTEGER PRIMARY KEY, text TEXT NOT NULL)"])
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        service::answer(self.router.clone(), request, ctx).await
    }
}

/// An error of dotdo as the outcome of the request, which is rolled back.
struct Failed(Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> axum::response::Response {
        Extension(Undo(self.0)).into_response()
    }
}

async fn list(Extension(lent): Extension<Lent>) -> Result<Json<Vec<Todo>>, Failed> {
    let todos =
        lent.with(|ctx| ctx.sql().exec("SELECT id, text FROM todos ORDER BY id", ())?.rows());
    Ok(Json(todos.await??))
}

async fn add(Extension(lent): Extension<Lent>, Json(new): Json<New>) -> Result<Json<Todo>, Failed> {
    let insert = "INSERT INTO todos (text) VALUES (?) RETURNING id, text";
    let text = new.text.clone();
    let todo: Todo = lent.with(move |ctx| ctx.sql().exec(insert, (text,))?.one()).await??;
    if new.text.is_empty() {
        // The row is not kept, because the error rolls the whole request back.
        return Err(Error::invalid("expected a text, got an empty one").into());
    }
    Ok(Json(todo))
}

async fn remove(Extension(lent): Extension<Lent>, Path(id): Path<i64>) -> Result<(), Failed> {
    lent.with(move |ctx| ctx.sql().exec("DELETE FROM todos WHERE id = ?", (id,)).map(drop))
        .await??;
    Ok(())
}

/// The classes of this program.
pub(crate) fn app() -> App {
    App::new().class("Todos", Todos::new)
}

fn main() -> ExitCode {
    dotdo::run(app())
}
