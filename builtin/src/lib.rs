//! The built-in class: a small graph database in every object, with JSON over HTTP.
//!
//! It offers durable objects without writing code, and uses only the public interface of `dotdo`,
//! so it is also the largest example.
//!
//! Promises: things keep all their versions, and a version's number is its SQLite rowid; a changed
//! thing, its action and its event are written together or not at all; events are numbered without
//! a gap; reads leave an object empty; no text from a client becomes part of a statement. Must not
//! know: the bucket, the server, the engine.

mod answer;
mod change;
mod cursor;
mod fields;
mod input;
mod list;
mod query;
mod records;
mod route;
mod rules;
mod schema;
mod sentence;
mod table;
#[cfg(test)]
mod tests;
mod things;
mod time;

use dotdo::{Class, Context, DurableObject, Request, Response, Result};
use http::Method;

use self::answer::Answer;
use self::change::{Change, Origin};
use self::fields::Collection;
use self::query::Query;
use self::route::{Place, Route};

/// The class `DO`: things, relationships, actions and events.
#[derive(Debug, Clone, Copy, Default)]
pub struct Graph;

impl Class for Graph {
    const NAME: &'static str = "DO";
}

impl DurableObject for Graph {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(schema::STEPS)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let (head, body) = request.into_parts();
        let answer = match Route::of(&head.method, head.uri.path())? {
            Route::MethodNotAllowed(allowed) => {
                Answer::MethodNotAllowed { method: head.method.clone(), allowed }
            }
            Route::Read(place) => read(ctx, &place, &Query::of(&place, head.uri.query())?)?,
            Route::Write(place) => {
                let query = Query::of_write(&place, head.uri.query())?;
                let origin = Origin::new(&head.headers, &query);
                let body = if head.method == Method::DELETE {
                    Default::default()
                } else {
                    input::object(body).await?
                };
                write(ctx, &head.method, &place, Change { query, origin, body })?
            }
        };
        answer.response(ctx, &head.headers)
    }
}

/// Answers GET.
fn read(ctx: &mut Context, place: &Place, query: &Query) -> Result<Answer> {
    match place {
        Place::Root => Ok(Answer::Index),
        Place::All(collection) => Ok(Answer::List(list::page(ctx, *collection, query)?)),
        Place::One(Collection::Things, id) => Ok(Answer::Item(things::read(ctx, id, query)?)),
        Place::One(collection, id) => Ok(Answer::Item(records::read(ctx, *collection, id)?)),
    }
}

/// Answers POST, PUT, PATCH and DELETE.
fn write(ctx: &mut Context, method: &Method, place: &Place, change: Change) -> Result<Answer> {
    match (place, method.as_str()) {
        (Place::All(Collection::Things), _) => things::create(ctx, change),
        (Place::One(Collection::Things, id), "PUT") => things::replace(ctx, id, change),
        (Place::One(Collection::Things, id), "PATCH") => things::merge(ctx, id, change),
        (Place::One(Collection::Things, id), _) => things::delete(ctx, id, change),
        (Place::All(collection), _) => records::create(ctx, *collection, change),
        (Place::One(collection, id), "PUT") => records::replace(ctx, *collection, id, change),
        (Place::One(collection, id), "PATCH") => records::merge(ctx, *collection, id, change),
        (Place::One(collection, id), _) => records::delete(ctx, *collection, id),
        (Place::Root, _) => unreachable!("the route allows GET alone for the root"),
    }
}
