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
mod batch;
mod change;
mod conditions;
mod cursor;
mod fields;
mod input;
mod list;
mod live;
mod query;
mod records;
mod route;
mod rules;
mod schema;
mod sentence;
mod strict;
mod table;
#[cfg(test)]
mod tests;
mod things;
mod time;

use dotdo::{Body, Class, Context, DurableObject, Request, Response, Result};
use http::request::Parts;
use http::{HeaderMap, Method, header};

use self::answer::Answer;
use self::change::{Change, Origin};
use self::conditions::Conditions;
use self::fields::Collection;
use self::live::Live;
use self::query::Query;
use self::route::{Place, Route};

/// The class `DO`: things, relationships, actions and events.
#[derive(Debug, Default)]
pub struct Graph {
    /// Who reads the events of the object as they happen.
    live: Live,
}

impl Class for Graph {
    const NAME: &'static str = "DO";
}

impl DurableObject for Graph {
    async fn start(&mut self, ctx: &mut Context) -> Result<()> {
        ctx.migrate(schema::STEPS)
    }

    async fn fetch(&mut self, request: Request, ctx: &mut Context) -> Result<Response> {
        let (head, body) = request.into_parts();
        let place = match Route::of(&head.method, head.uri.path())? {
            Route::MethodNotAllowed(allowed) => {
                let method = head.method.clone();
                return Answer::MethodNotAllowed { method, allowed }.response(ctx, &head.headers);
            }
            Route::Read(place) => return self.read(ctx, &place, &head),
            Route::Write(place) => place,
        };
        if let Some(encoding) = encoding(&head.headers) {
            return Answer::Encoded(encoding).response(ctx, &head.headers);
        }
        let query = Query::of_write(&place, head.uri.query())?;
        let origin = Origin::new(&head.headers, &query);
        let conditions = Conditions::of(&head.headers)?;
        let body = if head.method == Method::DELETE {
            Default::default()
        } else {
            input::object(body).await?
        };
        let last = if self.live.has_readers() { Some(live::newest(ctx)?) } else { None };
        let change = Change { query, origin, conditions, body };
        let answer = match place {
            Place::Root => batch::run(ctx, change)?,
            place => write(ctx, &head.method, &place, change)?,
        };
        if let Some(last) = last {
            self.live.announce(ctx, last)?;
        }
        answer.response(ctx, &head.headers)
    }
}

impl Graph {
    /// Answers GET and HEAD.
    fn read(&self, ctx: &mut Context, place: &Place, head: &Parts) -> Result<Response> {
        let query = Query::of(place, head.uri.query())?;
        if let Some(begin) = query.live {
            let last = live::last(begin, &head.headers)?;
            // A HEAD has no body, and would be a reader that reads nothing.
            let body = match head.method {
                Method::HEAD => Body::empty(),
                _ => self.live.read(ctx, last)?,
            };
            return Answer::Live(body).response(ctx, &head.headers);
        }
        let conditions = Conditions::of(&head.headers)?;
        let response = read(ctx, place, &query)?.response(ctx, &head.headers)?;
        answer::unless_known(&conditions, response)
    }
}

/// The encoding of a body, if it has one.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::CONTENT_ENCODING).into_iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_lowercase());
    texts.into_iter().find(|text| !matches!(text.as_str(), "" | "identity"))
}

/// Answers GET.
fn read(ctx: &mut Context, place: &Place, query: &Query) -> Result<Answer> {
    match place {
        Place::Root => Ok(Answer::Index),
        Place::All(collection) => Ok(Answer::List(list::page(ctx, *collection, query)?)),
        Place::One(Collection::Things, id) => {
            Ok(Answer::Item(Collection::Things, things::read(ctx, id, query)?))
        }
        Place::One(collection, id) => {
            Ok(Answer::Item(*collection, records::read(ctx, *collection, id)?))
        }
    }
}

/// Answers POST, PUT, PATCH and DELETE.
fn write(ctx: &mut Context, method: &Method, place: &Place, change: Change) -> Result<Answer> {
    if matches!(place, Place::All(_)) {
        change
            .conditions
            .refuse("a new item has no tag; PUT with If-None-Match: * creates an item only once")?;
    }
    match (place, method.as_str()) {
        (Place::All(Collection::Things), _) => things::create(ctx, change),
        (Place::One(Collection::Things, id), "PUT") => things::replace(ctx, id, change),
        (Place::One(Collection::Things, id), "PATCH") => things::merge(ctx, id, change),
        (Place::One(Collection::Things, id), _) => things::delete(ctx, id, change),
        (Place::All(collection), _) => records::create(ctx, *collection, change),
        (Place::One(collection, id), "PUT") => records::replace(ctx, *collection, id, change),
        (Place::One(collection, id), "PATCH") => records::merge(ctx, *collection, id, change),
        (Place::One(collection, id), _) => records::delete(ctx, *collection, id, &change),
        (Place::Root, _) => unreachable!("a batch in a batch is refused, and others go to `batch`"),
    }
}
