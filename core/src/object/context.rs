//! The context of a handler: its identity, its database, other objects, and background work.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::lease::{Claim, FencingToken};
use crate::limits::CALL_DEPTH_MAX;
use crate::messages::{Delivery, post_message};
use crate::object::body::{Request, Response};
use crate::object::host::Host;
use crate::object::identity::Identity;
use crate::object::savepoint::savepoint;
use crate::object::sql::Sql;
use crate::object::storage::Storage;
use crate::router::At;
use crate::sqlite::Database;
use crate::trace::{span, traced};

/// Runs once the record that holds a request's changes is in the bucket.
pub(crate) type AfterCommit = Box<dyn FnOnce() + Send>;
/// Continues after the response.
pub(crate) type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The context of a handler, which serves one request at a time.
pub struct Context {
    object: ObjectId,
    host: Weak<dyn Host>,
    pub(crate) database: Database,
    pub(crate) request: RequestState,
    /// The live claim of another process on this object.
    pub(crate) foreign_claim: Option<Claim>,
    /// Whether the database is an earlier state, for which there are no turns.
    pub(crate) is_as_of: bool,
}

/// The part of a [`Context`] that is specific to a request.
#[derive(Default)]
pub(crate) struct RequestState {
    pub(crate) chain: CallChain,
    pub(crate) after_commit: Vec<AfterCommit>,
    pub(crate) wait_until: Vec<Background>,
    /// Whether the request's record releases the object.
    pub(crate) releases: bool,
    pub(crate) now_ms: i64,
    /// The object that sent this request as a message.
    pub(crate) sender: Option<ObjectId>,
    /// Whether the handler has sent a message.
    pub(crate) sent: bool,
    /// Whether the handler has called another object, whose changes may remain.
    pub(crate) called: Arc<AtomicBool>,
    /// Held while the handler runs, so that tasks that outlive it can detect its end.
    pub(crate) running: Arc<Handling>,
}

/// State that a running handler shares with values that it has handed out.
#[derive(Debug, Default)]
pub(crate) struct Handling {
    /// Whether its transaction has changes of other requests that are not in a record yet.
    pub(crate) shared: bool,
    /// Whether it called others and must therefore run in its own transaction.
    pub(crate) alone: AtomicBool,
}

/// The objects whose handlers wait for this request, outermost first; part of the request's
/// extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallChain {
    pub(crate) objects: Arc<[ObjectId]>,
    /// The innermost one that keeps its turn meanwhile: a handler on a former state has none.
    pub(crate) holder: Option<ObjectId>,
}

impl Context {
    pub(crate) fn new(object: ObjectId, host: Weak<dyn Host>, database: Database) -> Self {
        Self {
            object,
            host,
            database,
            request: RequestState::default(),
            foreign_claim: None,
            is_as_of: false,
        }
    }

    /// The identity of this object.
    pub fn id(&self) -> &ObjectId {
        &self.object
    }

    /// The object's SQLite database. Each request is one transaction.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn dear(ctx: &mut dotdo::Context) -> dotdo::Result<Vec<(String, i64)>> {
    ///     ctx.sql().exec("SELECT sku, cents FROM lines WHERE cents > ?", (1000,))?.rows()
    /// }
    /// ```
    pub fn sql(&mut self) -> Sql<'_> {
        Sql::new(&mut self.database)
    }

    /// The object's key-value store, which is a table in its database.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn count(ctx: &mut dotdo::Context) -> dotdo::Result<u64> {
    ///     let count = ctx.storage().get("count")?.unwrap_or(0) + 1;
    ///     ctx.storage().put("count", &count)?;
    ///     Ok(count)
    /// }
    /// ```
    pub fn storage(&mut self) -> Storage<'_> {
        Storage::new(&mut self.database)
    }

    /// The object that sent this request with [`Context::send`]; `None` for a request of a client,
    /// or of an object that waits for the response. It can't be forged.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn check(ctx: &dotdo::Context) -> dotdo::Result<()> {
    ///     match ctx.sender() {
    ///         Some(sender) if sender.class() == "Account" => Ok(()),
    ///         _ => Err(dotdo::Error::not_found("money comes from accounts")),
    ///     }
    /// }
    /// ```
    pub fn sender(&self) -> Option<&ObjectId> {
        self.request.sender.as_ref()
    }

    /// The time at which the request got its turn, in milliseconds since 1970 by the server's
    /// clock.
    pub fn now_ms(&self) -> i64 {
        self.request.now_ms
    }

    /// Runs `body` in a savepoint: if it returns an error, its changes are rolled back and the
    /// request continues.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn import(ctx: &mut dotdo::Context, lines: &[String]) -> usize {
    ///     let import = |line: &String| {
    ///         ctx.transaction(|ctx| ctx.sql().exec(line, ()).map(drop)).is_ok()
    ///     };
    ///     lines.iter().map(import).filter(|imported| *imported).count()
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of `body`, or of the savepoint around it.
    pub fn transaction<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        savepoint(self, |context| &mut context.database, body)
    }

    /// The object `id` of `class`, for calls to it.
    ///
    /// A call is not part of the transaction: if the handler fails later, the other object's
    /// changes remain. Make such calls idempotent, or, if you need no response, use
    /// [`Context::send`].
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// async fn ask(ctx: &dotdo::Context) -> dotdo::Result<String> {
    ///     let request = http::Request::get("/balance").body(dotdo::Body::empty())?;
    ///     ctx.object("Account", "bob")?.fetch(request).await?.into_body().text().await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` when the class or the id is invalid.
    pub fn object(&self, class: &str, id: &str) -> Result<RemoteObject> {
        let target = ObjectId::new(class, id)?;
        let CallChain { objects, holder } = &self.request.chain;
        let objects = objects.iter().chain([&self.object]).cloned().collect();
        let holder = if self.is_as_of { holder.clone() } else { Some(self.object.clone()) };
        Ok(RemoteObject {
            target,
            caller: self.object.clone(),
            chain: CallChain { objects, holder },
            called: self.request.called.clone(),
            handler: Arc::downgrade(&self.request.running),
            host: self.host.clone(),
            at: None,
        })
    }

    /// Sends `request` to the object `id` of `class` as a message: once this request's changes are
    /// in the bucket, and not at all if it fails.
    ///
    /// The message is stored with those changes (in the table `_dotdo_outbox`) and delivered after
    /// the response by the server that then owns this object, until the receiver's handler has
    /// returned a response with any status. The receiver accepts it exactly once, and accepts the
    /// messages of one sender in the order in which they were sent. If the receiver's handler
    /// fails, the message is retried, eventually once a minute, and later ones to the same receiver
    /// wait. The handler finds the sender in [`Context::sender`].
    ///
    /// It inserts a row, so read SQL's `last_insert_rowid()` of your own row before.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn pay(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     let body = serde_json::json!({ "cents": 5 });
    ///     ctx.send("Account", "bob", http::Request::post("/receive").body(body.into())?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotFound` when the class does not exist; `Invalid` when the id is invalid or the body is a
    /// stream; `TooLarge` when the message is larger than 1 MiB.
    pub fn send(&mut self, class: &str, id: &str, request: Request) -> Result<()> {
        let receiver = ObjectId::new(class, id)?;
        self.host()?.check(&receiver)?;
        post_message(&mut self.database, &receiver, request, self.request.now_ms)?;
        if !std::mem::replace(&mut self.request.sent, true) {
            let (host, sender) = (self.host.clone(), self.object.clone());
            self.after_commit(move || {
                host.upgrade().into_iter().for_each(|host| host.deliver(&sender))
            });
        }
        Ok(())
    }

    /// Ensures that this process holds the object for the duration of a lease: other processes that
    /// try to write get an error meanwhile, or forward their requests here. Every record of this
    /// process renews the lease. Costs a record, unless the object is already held.
    ///
    /// Writes need no token, because they are fenced anyway. The token is for work that spans
    /// several requests, and for other systems that need a number that grows with every owner.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// async fn epoch(ctx: &mut dotdo::Context) -> dotdo::Result<u64> {
    ///     let token = ctx.acquire_fencing_token().await?;
    ///     ctx.release_fencing_token(token)?;
    ///     Ok(token.epoch)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// `Busy` (code `OWNED_ELSEWHERE`) when another process holds it: `details` has `holder`,
    /// `address` and `until`. `Fenced` when another process was faster; errors of the store.
    pub async fn acquire_fencing_token(&mut self) -> Result<FencingToken> {
        self.host()?.acquire_token(&self.object, self.foreign_claim.as_ref()).await
    }

    /// Releases the object with this request's record, so that the next owner does not wait. Does
    /// nothing if the request fails.
    ///
    /// # Errors
    ///
    /// `Fenced` (code `TOKEN_EXPIRED`) when the token has expired.
    pub fn release_fencing_token(&mut self, token: FencingToken) -> Result<()> {
        self.host()?.check_token(&self.object, token)?;
        self.request.releases = true;
        Ok(())
    }

    /// Runs `work` once everything that this request changed is in the bucket; not at all if the
    /// request fails. Best effort: a crash in between loses it.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn tell(ctx: &mut dotdo::Context, bell: std::sync::mpsc::Sender<String>) {
    ///     let id = ctx.id().id().to_owned();
    ///     ctx.after_commit(move || _ = bell.send(id));
    /// }
    /// ```
    pub fn after_commit(&mut self, work: impl FnOnce() + Send + 'static) {
        self.request.after_commit.push(Box::new(work));
    }

    /// Runs `work` after the response, once everything that this request changed is in the bucket;
    /// not at all if the request fails. A shutdown waits for it.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn warm_up(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     let other = ctx.object("Cache", "all")?;
    ///     let request = http::Request::get("/").body(dotdo::Body::empty())?;
    ///     // Nobody waits for it.
    ///     ctx.wait_until(async move { _ = other.fetch(request).await });
    ///     Ok(())
    /// }
    /// ```
    pub fn wait_until(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.request.wait_until.push(Box::pin(work));
    }

    fn host(&self) -> Result<Arc<dyn Host>> {
        self.host.upgrade().ok_or_else(stopping)
    }
}

/// Another object.
///
/// ```
/// # use dotdo_core as dotdo;
/// async fn balance_then(ctx: &dotdo::Context, at: dotdo::At) -> dotdo::Result<String> {
///     let account = ctx.object("Account", "bob")?.at(at);
///     let request = http::Request::get("/balance").body(dotdo::Body::empty())?;
///     account.fetch(request).await?.into_body().text().await
/// }
/// ```
#[derive(Clone)]
pub struct RemoteObject {
    target: ObjectId,
    caller: ObjectId,
    chain: CallChain,
    called: Arc<AtomicBool>,
    /// The handler that got this value; once it has ended, the chain no longer waits.
    handler: Weak<Handling>,
    host: Weak<dyn Host>,
    at: Option<At>,
}

impl RemoteObject {
    /// The identity of this object.
    pub fn id(&self) -> &ObjectId {
        &self.target
    }

    /// The object at an earlier time: requests run on that state and can't change it.
    #[must_use]
    pub fn at(mut self, at: At) -> Self {
        self.at = Some(at);
        self
    }

    /// Sends `request` and waits for the response, which is durable when it arrives.
    ///
    /// # Errors
    ///
    /// `Invalid` when the target waits for this very call (code `CALL_CYCLE`) or the chain of calls
    /// is too long; `Busy` (code `CALL_DEADLOCK`) when the target waits, in another request, for an
    /// object that waits for this call; otherwise errors of the target's handler or the store.
    pub async fn fetch(&self, mut request: Request) -> Result<Response> {
        let chain = match self.handler.upgrade() {
            Some(handler) if handler.shared => {
                handler.alone.store(true, Ordering::Relaxed);
                return Err(Error::new(
                    ErrorKind::Busy,
                    "a request that shares a transaction can't call objects; it is run again alone",
                ));
            }
            Some(_) => self.chain.clone(),
            None => CallChain::default(),
        };
        if chain.objects.contains(&self.target) && self.at.is_none() {
            let text = format!(
                "the call would deadlock, because {} waits for this call; use ctx.send instead",
                self.target
            );
            return Err(Error::invalid(text).with_code("CALL_CYCLE"));
        }
        if chain.objects.len() > CALL_DEPTH_MAX {
            return Err(Error::invalid(format!(
                "expected at most {CALL_DEPTH_MAX} nested calls between objects, got more"
            ))
            .with_code("CALL_DEPTH"));
        }
        let host = self.host.upgrade().ok_or_else(stopping)?;
        if !chain.objects.is_empty() {
            // The request may depend on changes of earlier requests here.
            host.durable(&self.caller).await?;
        }
        // An earlier state has no turn to wait for.
        let holder = chain.holder.as_ref().filter(|_| self.at.is_none());
        let calling = holder
            .map(|holder| host.begin_call(holder, &self.target, self.handler.clone()))
            .transpose()?;
        self.called.store(true, Ordering::Relaxed);
        let extensions = request.extensions_mut();
        extensions.insert(chain);
        // A forwarded message is an ordinary request, and a forwarded client's request becomes this
        // object's.
        extensions.remove::<Delivery>();
        let identity = Identity::of_call(&self.caller, extensions.get());
        extensions.insert(identity);
        let span = span!("call", dotdo.class = self.target.class());
        let answer = traced(span, host.fetch(&self.target, self.at, request)).await;
        drop(calling);
        answer
    }
}

fn stopping() -> Error {
    Error::new(ErrorKind::Busy, "the server is stopping")
}
