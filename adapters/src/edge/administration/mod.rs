//! The routes of administration: one file for each group of them.
//!
//! Promises: nobody but an administrator of the tenant, or an operator, gets an answer; every write
//! and every file that is taken out is a line of the audit log. Must not know: how objects are
//! stored. docs/ADMINISTRATION.md is the reference.

mod access;
mod audit;
mod database;
mod list;
mod objects;
mod precondition;
mod query;
mod replace;
mod rows;
mod sql;
mod tail;
mod values;
mod write;

use dotdo_core::{
    Administered, Caller, Engine, Error, ObjectId, Response, Result, Subject, Tenant, no_object,
};
use http::{Method, request};

use self::audit::Deed;
use super::body::RequestBody;
use super::context::RequestContext;
use super::settings::Access;
use super::{Edge, Objects};

/// A request of administration that is permitted.
struct Call<'a> {
    engine: &'a Engine,
    tenant: Tenant,
    head: request::Parts,
    caller: &'a Caller,
}

impl<O: Objects> Edge<O> {
    /// Answers a request of administration.
    pub(super) async fn administer<B: RequestBody>(
        &self,
        to: Administered,
        request: http::Request<B>,
        caller: &Caller,
        context: &mut RequestContext,
    ) -> Result<Response> {
        let (head, body) = request.into_parts();
        let found = self.objects.engine().filter(|_| self.access != Access::Off);
        let engine = found.ok_or_else(|| no_object(head.uri.path()))?;
        if let Err(refusal) = access::permit(self.access, caller, &to) {
            audit::refused(&refusal, caller, &to, context);
            return Err(refusal);
        }
        let call = Call { engine, tenant: to.tenant, head, caller };
        match (&call.head.method.clone(), to.subject) {
            (&Method::GET, Subject::Classes) => list::classes(&call).await,
            (&Method::GET, Subject::Objects) => list::objects(&call).await,
            (&Method::POST, Subject::Rollup(class)) => {
                let deed = Deed::of("roll_up", (call.caller, &call.tenant), context);
                deed.end(replace::roll_up(&call, &class).await)
            }
            (method, Subject::Rollup(_)) => Err(wrong_method(method, "POST")),
            (&Method::GET, Subject::Requests) => tail::requests(&self.tail, &call),
            (_, Subject::Object(object, rest)) => {
                context.line.object = Some(object.clone());
                self.administer_object(call, (object, &rest), body, context).await
            }
            (method, _) => Err(wrong_method(method, "GET")),
        }
    }

    /// Answers a request about one object: `rest` is the path below it.
    async fn administer_object<B: RequestBody>(
        &self,
        call: Call<'_>,
        (object, rest): (ObjectId, &str),
        body: B,
        context: &mut RequestContext,
    ) -> Result<Response> {
        match (call.head.method.as_str(), rest) {
            ("GET", "") => objects::describe(&call, &object).await,
            ("GET", "snapshots") => objects::snapshots(&call, &object).await,
            ("GET", "verify") => objects::verify(&call, &object).await,
            ("GET", "database") => {
                let deed = Deed::begin("take_database", (&call, &object), context);
                deed.end(database::take(&call, &object).await)
            }
            ("POST", "rows") => self.find_rows(call, &object, body, context).await,
            ("POST", "sql") => self.run_sql(call, &object, body, context).await,
            ("PUT", "database") => {
                let deed = Deed::begin("put_database", (&call, &object), context);
                deed.end(self.put_database(call, &object, body, context).await)
            }
            ("POST", "restore") => {
                let deed = Deed::begin("restore_object", (&call, &object), context);
                deed.end(self.restore(call, &object, body, context).await)
            }
            ("POST", "snapshots") => {
                let deed = Deed::begin("create_snapshot", (&call, &object), context);
                deed.end(replace::snapshot(&call, &object).await)
            }
            ("DELETE", "") => {
                let deed = Deed::begin("delete_object", (&call, &object), context);
                deed.end(replace::delete(&call, &object).await)
            }
            (method, _) => match allowed(rest) {
                Some(allowed) => Err(wrong_method(&method.parse().unwrap_or_default(), allowed)),
                None => Err(no_object(call.head.uri.path())),
            },
        }
    }
}

/// What a path of an object answers, for an error; `None` when it answers nothing.
fn allowed(rest: &str) -> Option<&'static str> {
    match rest {
        "" => Some("GET and DELETE"),
        "snapshots" => Some("GET and POST"),
        "verify" => Some("GET"),
        "database" => Some("GET and PUT"),
        "rows" | "sql" | "restore" => Some("POST"),
        _ => None,
    }
}

fn wrong_method(method: &Method, allowed: &str) -> Error {
    Error::not_found(format!("this path answers {allowed}, not {method}")).with_code("NO_ENDPOINT")
}
