//! The context of a handler: its identity, its database, other objects, and background work.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{ObjectId, Tenant};
use crate::lease::{Claim, FencingToken};
use crate::messages::post_message;
use crate::object::body::Request;
use crate::object::caller::Caller;
use crate::object::frames::Frames;
use crate::object::handling::Handling;
use crate::object::host::Host;
use crate::object::remote::RemoteObject;
use crate::object::rest::Continued;
use crate::object::savepoint::savepoint;
use crate::object::sql::Sql;
use crate::object::stays::Stays;
use crate::object::storage::Storage;
use crate::sqlite::Database;
use crate::sync::Mutex;

/// Runs once the record that holds a request's changes is in the bucket.
pub(crate) type AfterCommit = Box<dyn FnOnce() + Send>;
/// Continues after the response.
pub(crate) type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The context of a handler, which serves one request at a time.
/// [`DurableObject`](crate::DurableObject) has an example.
pub struct Context {
    pub(super) object: ObjectId,
    /// This object, as the caller of its own requests.
    itself: Caller,
    pub(super) host: Weak<dyn Host>,
    pub(crate) database: Database,
    pub(crate) request: RequestState,
    /// The live claim of another process on this object.
    pub(crate) foreign_claim: Option<Claim>,
    /// Whether the database is an earlier state, for which there are no turns.
    pub(crate) is_as_of: bool,
    pub(crate) stays: Stays,
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
    /// The caller; `None` while the class starts, which it does for all callers.
    pub(crate) caller: Option<Caller>,
    /// The object that sent this request as a message.
    pub(crate) sender: Option<ObjectId>,
    /// Whether the handler has sent a message.
    pub(crate) sent: bool,
    /// Whether the handler is that of an alarm.
    pub(crate) is_of_alarm: bool,
    /// What the handler of an alarm has left its turn for.
    pub(crate) rest_of_alarm: Option<Continued>,
    /// Whether the handler has set or deleted the alarm.
    pub(crate) touched_alarm: bool,
    /// Whether the handler has deleted all that the object had, so that its value begins anew.
    pub(crate) begins_anew: bool,
    /// The frames that the handler sends to sockets, once its changes are in the bucket.
    pub(crate) frames: Option<Arc<Mutex<Frames>>>,
    /// The WebSocket that the handler has accepted.
    pub(crate) accepted: Option<Uuid>,
    /// Whether the handler has called another object, whose changes may remain.
    pub(crate) called: Arc<AtomicBool>,
    /// Held while the handler runs, so that tasks that outlive it can detect its end.
    pub(crate) running: Arc<Handling>,
}

/// The objects whose handlers wait for this request, outermost first; part of the request's
/// extensions.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallChain {
    pub(crate) objects: Arc<[ObjectId]>,
    /// The innermost one that keeps its turn meanwhile: a handler on a former state has none.
    pub(crate) holder: Option<ObjectId>,
    /// The number of calls between these that keep no turn, because their handlers have left theirs.
    pub(crate) hops: usize,
}

impl RequestState {
    /// The state of a request at `now_ms`, before its handler runs. Without a verified caller it is
    /// the anonymous one of `tenant`.
    pub(crate) fn new(request: &Request, tenant: &Tenant, now_ms: i64) -> Self {
        let extensions = request.extensions();
        let caller = extensions.get::<Caller>().cloned();
        Self {
            chain: extensions.get::<CallChain>().cloned().unwrap_or_default(),
            caller: caller.or_else(|| Some(Caller::anonymous().of_tenant(tenant.clone()))),
            now_ms,
            ..Self::default()
        }
    }
}

impl Context {
    pub(crate) fn new(object: ObjectId, host: Weak<dyn Host>, database: Database) -> Self {
        Self {
            itself: Caller::of_object(&object),
            object,
            host,
            database,
            request: RequestState::default(),
            foreign_claim: None,
            is_as_of: false,
            stays: Stays::default(),
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

    /// The caller of this request, as it was authenticated: nothing that a client sends can change
    /// it.
    ///
    /// - Without authentication it is an anonymous caller of the tenant `local/local`.
    /// - For a request of another object's handler, which waits for the response, it is the caller
    ///   for whom that handler runs.
    /// - For a message ([`Context::send`]), and for requests of work that a handler leaves behind
    ///   ([`Context::wait_until`]), it is the object that sends them: the client's token may have
    ///   expired since.
    /// - While the class starts, it is the object itself, whoever's request comes first.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// fn only_the_owner(ctx: &mut dotdo::Context) -> dotdo::Result<()> {
    ///     let owner: Option<String> = ctx.storage().get("owner")?;
    ///     match (owner.as_deref(), ctx.caller().subject()) {
    ///         (Some(owner), Some(subject)) if owner == subject => Ok(()),
    ///         _ => Err(dotdo::Error::new(dotdo::ErrorKind::Forbidden, "this is not yours")),
    ///     }
    /// }
    /// ```
    pub fn caller(&self) -> &Caller {
        self.request.caller.as_ref().unwrap_or(&self.itself)
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
        let sent = self.frames_sent();
        let result = savepoint(self, |context| &mut context.database, body);
        if result.is_err() {
            self.unsend_frames(sent);
        }
        result
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
        Ok(RemoteObject::new(self, object_of(&self.host, self.object.tenant(), (class, id))?))
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
        let host = self.host()?;
        let receiver = host.object(self.object.tenant(), class, id)?;
        host.check(&receiver)?;
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
    /// `Busy` (code `OWNED_BY_OTHER_INSTANCE`) when another process holds it: `details` has `holder`,
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

    pub(super) fn host(&self) -> Result<Arc<dyn Host>> {
        self.host.upgrade().ok_or_else(stopping)
    }
}

pub(super) fn stopping() -> Error {
    Error::new(ErrorKind::Busy, "the server is stopping")
}

/// The object that a class of `tenant` calls so.
pub(super) fn object_of(
    host: &Weak<dyn Host>,
    tenant: &Tenant,
    (class, id): (&str, &str),
) -> Result<ObjectId> {
    match host.upgrade() {
        Some(host) => host.object(tenant, class, id),
        None => tenant.object(class, id),
    }
}
