//! Iceberg's REST catalog over all objects of the caller's tenant, for reading
//! (<https://iceberg.apache.org/rest-catalog-spec/>): a namespace for each class, one below it for
//! each object, and the tables of the object's database; in that of a class, the tables of all of its
//! objects that are rolled up.
//!
//! Promises: a table has every change that was acknowledged before the request, where this server
//! can have a snapshot made; nobody but an administrator of the tenant gets an answer; nothing is
//! changed by others' requests. Must not know: how objects and tables are stored.
//! docs/ANALYTICS.md is the reference.

mod answers;
mod names;

use dotdo_core::{
    Body, Caller, Engine, Error, ErrorKind, IcebergTables, ObjectId, ObjectQuery, Response, Result,
    Scope, no_object,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request};

use self::names::{Namespace, Path};
use super::settings::Access;
use super::{Edge, Objects};
use crate::edge::access::now_ms;
use crate::edge::error::NO_SUCH_TABLE;
use crate::edge::json::json;

/// Maximum number of objects in a list that its client does not want in pages. Each costs two
/// requests to the store.
const UNPAGED_MAX: usize = 10_000;

/// Number of objects on a page, unless the request says another.
const PAGE: usize = 1000;

/// How long before a request the state has been that is rolled up for it, in milliseconds. DuckDB
/// looks for the state of the moment when its transaction began, which is before it asks for a table.
const ROLLED_UP_BEFORE_MS: i64 = 1000;

/// A request to the catalog that is permitted.
struct Call<'a> {
    engine: &'a Engine,
    caller: &'a Caller,
    head: &'a request::Parts,
}

impl<O: Objects> Edge<O> {
    /// Answers a request to the catalog; `path` is what follows the catalog's own.
    pub(super) async fn catalog(
        &self,
        path: &str,
        head: &request::Parts,
        caller: &Caller,
    ) -> Result<Response> {
        let found = self.objects.engine().filter(|_| self.access != Access::Off);
        let engine = found.ok_or_else(|| no_object(head.uri.path()))?;
        if self.access != Access::Machine && !caller.has(Scope::Operator) {
            caller.require(Scope::Admin)?;
        }
        let path = Path::parse(caller.tenant(), path)?;
        let call = Call { engine, caller, head };
        match (&head.method, path) {
            (&Method::GET, Path::Config) => Ok(json(answers::config())),
            (&Method::GET, Path::Namespaces) => call.namespaces().await,
            (&Method::GET | &Method::HEAD, Path::Namespace(namespace)) => {
                call.namespace(&namespace).await
            }
            (&Method::GET, Path::Tables(namespace)) => call.tables(&namespace).await,
            (&Method::GET | &Method::HEAD, Path::Table(namespace, table)) => {
                call.table(&namespace, &table).await
            }
            // Clients send what they have measured unless they know that nobody wants it.
            (&Method::POST, Path::Metrics) => Ok(empty(StatusCode::NO_CONTENT)),
            (&Method::GET | &Method::HEAD, _) => Err(no_object(head.uri.path())),
            _ => {
                let text =
                    "this catalog is for reading; what is in it changes by requests to objects";
                Err(Error::new(ErrorKind::Forbidden, text).with_code("READ_ONLY"))
            }
        }
    }
}

impl Call<'_> {
    /// The namespaces below the one that the query names.
    async fn namespaces(&self) -> Result<Response> {
        let query = names::query(&self.head.uri);
        let class = match query.parent.as_deref() {
            None => {
                let classes = self.classes().await?;
                let namespaces = classes.into_iter().map(|class| vec![class]).collect();
                return Ok(json(answers::namespaces(namespaces, None)));
            }
            Some(parent) => match Namespace::parse(self.caller.tenant(), parent)? {
                Namespace::Class(class) => class,
                Namespace::Object(object) => {
                    self.object(&object).await?;
                    return Ok(json(answers::namespaces(Vec::new(), None)));
                }
            },
        };
        self.known(&class).await?;
        let is_paged = query.page_token.is_some() || query.page_size.is_some();
        let mut wanted = ObjectQuery {
            class: Some(class),
            after: query.page_token.filter(|token| !token.is_empty()),
            limit: query.page_size.unwrap_or(PAGE).min(PAGE),
            ..ObjectQuery::default()
        };
        let mut namespaces = Vec::new();
        loop {
            let tenant = self.caller.tenant();
            let page = self.engine.inspection().objects(tenant, &wanted).await?;
            namespaces.extend(page.items.into_iter().map(|item| vec![item.class, item.id]));
            match page.next {
                Some(_) if !is_paged && namespaces.len() >= UNPAGED_MAX => {
                    let text = format!(
                        "this class has more than {UNPAGED_MAX} objects; list them in pages, with pageSize and pageToken"
                    );
                    return Err(Error::invalid(text));
                }
                Some(next) if !is_paged => wanted.after = Some(next),
                next => return Ok(json(answers::namespaces(namespaces, next))),
            }
        }
    }

    /// Whether a namespace is there.
    async fn namespace(&self, namespace: &Namespace) -> Result<Response> {
        match namespace {
            Namespace::Class(class) => self.known(class).await?,
            Namespace::Object(object) => _ = self.object(object).await?,
        }
        self.or_head(answers::namespace(namespace))
    }

    async fn tables(&self, namespace: &Namespace) -> Result<Response> {
        let tables = match namespace {
            Namespace::Class(class) => {
                self.known(class).await?;
                self.rolled_up(class).await?
            }
            Namespace::Object(object) => Some(self.newest(object).await?),
        };
        Ok(json(answers::tables(namespace, tables.iter().flat_map(IcebergTables::names))))
    }

    async fn table(&self, namespace: &Namespace, table: &str) -> Result<Response> {
        let refs_only = names::query(&self.head.uri).refs_only;
        let (tables, latest_ms) = match namespace {
            Namespace::Class(class) => {
                let latest_ms = now_ms() - ROLLED_UP_BEFORE_MS;
                (self.rolled_up(class).await?, Some(latest_ms))
            }
            Namespace::Object(object) => (Some(self.newest(object).await?), None),
        };
        let found = match &tables {
            Some(tables) => tables.metadata(table)?,
            None => None,
        };
        let found = found.ok_or_else(|| {
            let text = match namespace {
                Namespace::Class(class) => format!(
                    "no table {table:?} of the class {class} is rolled up; name an object of it (CLASS.ID), or the table in the setting `analytics`"
                ),
                Namespace::Object(object) => format!("{object} has no table {table:?}"),
            };
            Error::new(ErrorKind::NotFound, text).with_code(NO_SUCH_TABLE)
        })?;
        let tag = answers::tag(&found);
        if is_known(&self.head.headers, &tag) {
            return Ok(tagged(empty(StatusCode::NOT_MODIFIED), tag));
        }
        let answer = answers::table(&found, refs_only, latest_ms)?;
        Ok(tagged(self.or_head(answer)?, tag))
    }

    /// The answer, or only that there is one, for HEAD.
    fn or_head(&self, answer: serde_json::Value) -> Result<Response> {
        let is_head = self.head.method == Method::HEAD;
        Ok(if is_head { empty(StatusCode::NO_CONTENT) } else { json(answer) })
    }

    /// The names of the classes that have objects.
    async fn classes(&self) -> Result<Vec<String>> {
        let classes = self.engine.inspection().classes(self.caller.tenant()).await?;
        Ok(classes.into_iter().map(|item| item.class).collect())
    }

    /// # Errors
    ///
    /// `NotFound` for a class that has no objects.
    async fn known(&self, class: &str) -> Result<()> {
        if self.classes().await?.iter().any(|known| known == class) {
            return Ok(());
        }
        Err(Error::not_found(format!("there is no object of a class {class:?}")))
    }

    /// The object's tables, as the newest snapshot has them.
    async fn object(&self, object: &ObjectId) -> Result<IcebergTables> {
        self.engine.inspection().iceberg_tables(object).await
    }

    /// The object's tables with every acknowledged change: if the newest snapshot lacks some, one is
    /// made first. Where another server owns the object, which makes its own within a minute, they
    /// are as of the newest snapshot.
    async fn newest(&self, object: &ObjectId) -> Result<IcebergTables> {
        let found = self.object(object).await?;
        if found.are_newest {
            return Ok(found);
        }
        match self.engine.administration().snapshot_now(object).await {
            Ok(_) => self.object(object).await,
            Err(error) if error.code() == OWNED_BY_OTHER => Ok(found),
            Err(error) => Err(error),
        }
    }
}

impl Call<'_> {
    /// The tables of all objects of a class; `None` when nothing of it is rolled up yet.
    async fn rolled_up(&self, class: &str) -> Result<Option<IcebergTables>> {
        let administration = self.engine.administration();
        let rollup = administration.rollup_of(self.caller.tenant(), class).await?;
        let Some(rollup) = rollup else { return Ok(None) };
        match self.newest(&rollup).await {
            Err(error) if error.code() == NO_SUCH_OBJECT => Ok(None),
            tables => tables.map(Some),
        }
    }
}

/// The code of the error of an object that does not exist.
const NO_SUCH_OBJECT: &str = "NO_SUCH_OBJECT";

/// The code of the error of an object that another server owns.
const OWNED_BY_OTHER: &str = "OWNED_BY_OTHER_INSTANCE";

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Whether the client has what has this tag.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|known| known == tag)
}

fn tagged(mut response: Response, tag: HeaderValue) -> Response {
    response.headers_mut().insert(header::ETAG, tag);
    response
}
