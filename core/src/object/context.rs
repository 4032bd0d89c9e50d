//! What a handler has in its hands: its identity, its database, other objects, and work for later.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use crate::error::{Error, ErrorKind, Result};
use crate::id::ObjectId;
use crate::lease::{Claim, FencingToken};
use crate::limits::CALL_DEPTH_MAX;
use crate::object::body::{Request, Response};
use crate::object::host::Host;
use crate::object::identity::Identity;
use crate::object::outbox::{self, Delivery};
use crate::object::savepoint::savepoint;
use crate::object::sql::Sql;
use crate::object::storage::Storage;
use crate::router::At;
use crate::sqlite::Database;
use crate::trace::{span, traced};

/// Runs once the record that holds a request's changes is in the bucket.
pub(crate) type AfterCommit = Box<dyn FnOnce() + Send>;
/// Goes on after the response.
pub(crate) type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The hands of a handler. It is lent to one request at a time.
pub struct Context {
    object: ObjectId,
    host: Weak<dyn Host>,
    pub(crate) database: Database,
    pub(crate) request: RequestState,
    /// The live claim of another process on this object.
    pub(crate) elsewhere: Option<Claim>,
    /// The database is a former state: nobody waits for its turn.
    pub(crate) is_past: bool,
}

/// The part of a [`Context`] that is new with each request.
#[derive(Default)]
pub(crate) struct RequestState {
    pub(crate) chain: CallChain,
    pub(crate) after_commit: Vec<AfterCommit>,
    pub(crate) wait_until: Vec<Background>,
    /// The request's record gives the object up.
    pub(crate) releases: bool,
    pub(crate) now_ms: i64,
    /// The object that sent the message which this request is.
    pub(crate) sender: Option<ObjectId>,
    /// The handler has sent a message.
    pub(crate) sent: bool,
    /// The handler has called another object, which may keep what it did.
    pub(crate) called: Arc<AtomicBool>,
    /// Held while the handler runs; what outlives it can tell by its absence.
    pub(crate) running: Arc<Handling>,
}

/// What a running handler shares with what it has handed out.
#[derive(Debug, Default)]
pub(crate) struct Handling {
    /// Its transaction has changes of other requests that are in no record yet.
    pub(crate) shared: bool,
    /// It wanted to tell others of what it sees: it must run in a transaction of its own.
    pub(crate) alone: AtomicBool,
}

/// The objects whose handlers wait for this request, outermost first; travels in the request's
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
            elsewhere: None,
            is_past: false,
        }
    }

    /// Which object this is.
    pub fn id(&self) -> &ObjectId {
        &self.object
    }

    /// The object's SQLite database. All of a request is one transaction.
    pub fn sql(&mut self) -> Sql<'_> {
        Sql::new(&mut self.database)
    }

    /// Keys and values, kept in a table of the same database.
    pub fn storage(&mut self) -> Storage<'_> {
        Storage::new(&mut self.database)
    }

    /// The object that sent this request by [`Context::send`]; `None` when it is a request of a
    /// client, or of an object that waits for the answer. Nobody else can pretend to be it.
    pub fn sender(&self) -> Option<&ObjectId> {
        self.request.sender.as_ref()
    }

    /// When the request got its turn, in milliseconds since 1970, by the server's clock.
    pub fn now_ms(&self) -> i64 {
        self.request.now_ms
    }

    /// Runs `body`; when it returns an error, what it changed is undone and the request goes on.
    ///
    /// # Errors
    ///
    /// The error of `body`, or of the savepoint around it.
    pub fn transaction<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        savepoint(self, |context| &mut context.database, body)
    }

    /// The object `id` of `class`, to send it requests.
    ///
    /// A call leaves this object although the handler may still fail: the other object keeps what
    /// it did. Make such calls repeatable, or, when no answer is needed, use [`Context::send`].
    ///
    /// # Errors
    ///
    /// `Invalid` when the class or id is not one.
    pub fn object(&self, class: &str, id: &str) -> Result<RemoteObject> {
        let target = ObjectId::new(class, id)?;
        let CallChain { objects, holder } = &self.request.chain;
        let objects = objects.iter().chain([&self.object]).cloned().collect();
        let holder = if self.is_past { holder.clone() } else { Some(self.object.clone()) };
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
    /// The message is stored with those changes (in the table `_dotdo_outbox`) and delivered behind
    /// the response, by whichever server has this object then, until the receiver's handler has
    /// returned a response, whatever its status. The receiver takes it exactly once, and takes the
    /// messages of one sender in the order in which they were sent. A message that its receiver's
    /// handler fails on is tried again, at last once a minute, and those after it to the same
    /// receiver wait. The handler finds out who sent it by [`Context::sender`].
    ///
    /// It inserts a row: what SQL's `last_insert_rowid()` says of a row of yours must be read
    /// before.
    ///
    /// # Errors
    ///
    /// `NotFound` when no class has that name; `Invalid` when the id is not one or the body is a
    /// stream; `TooLarge` when the message is longer than 1 MiB.
    pub fn send(&mut self, class: &str, id: &str, request: Request) -> Result<()> {
        let receiver = ObjectId::new(class, id)?;
        self.host()?.check(&receiver)?;
        outbox::post(&mut self.database, &receiver, request, self.request.now_ms)?;
        if !std::mem::replace(&mut self.request.sent, true) {
            let (host, sender) = (self.host.clone(), self.object.clone());
            self.after_commit(move || {
                host.upgrade().into_iter().for_each(|host| host.deliver(&sender))
            });
        }
        Ok(())
    }

    /// Makes sure that this process holds the object, for the length of a lease from now on: other
    /// processes that try to write it get an error meanwhile, or send their requests here. Every
    /// record of this process renews it. Costs a record, unless the object is held already.
    ///
    /// Writes need no token, they are fenced anyway. It is for work that takes several requests,
    /// and for other systems that want a number that grows with every owner.
    ///
    /// # Errors
    ///
    /// `Busy` (code `OWNED_ELSEWHERE`) when another process holds it: `details` has `holder`,
    /// `address` and `until`. `Fenced` when another was faster; what the store fails with.
    pub async fn acquire_fencing_token(&mut self) -> Result<FencingToken> {
        self.host()?.acquire_token(&self.object, self.elsewhere.as_ref()).await
    }

    /// Gives the object up with this request's record: the next owner waits for nothing. Does
    /// nothing when the request fails.
    ///
    /// # Errors
    ///
    /// `Fenced` (code `TOKEN_OVER`) when the token is not this process's any more.
    pub fn release_fencing_token(&mut self, token: FencingToken) -> Result<()> {
        self.host()?.check_token(&self.object, token)?;
        self.request.releases = true;
        Ok(())
    }

    /// Runs `work` once everything this request changed is in the bucket; not at all if the request
    /// fails. Best effort: a crash in between loses it.
    pub fn after_commit(&mut self, work: impl FnOnce() + Send + 'static) {
        self.request.after_commit.push(Box::new(work));
    }

    /// Goes on with `work` after the response, once everything this request changed is in the
    /// bucket; not at all if the request fails. A graceful shutdown waits for it.
    pub fn wait_until(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.request.wait_until.push(Box::pin(work));
    }

    fn host(&self) -> Result<Arc<dyn Host>> {
        self.host.upgrade().ok_or_else(stopping)
    }
}

/// Another object.
#[derive(Clone)]
pub struct RemoteObject {
    target: ObjectId,
    caller: ObjectId,
    chain: CallChain,
    called: Arc<AtomicBool>,
    /// The handler that got this value; once it has ended, nobody in the chain waits any more.
    handler: Weak<Handling>,
    host: Weak<dyn Host>,
    at: Option<At>,
}

impl RemoteObject {
    /// Which object this is.
    pub fn id(&self) -> &ObjectId {
        &self.target
    }

    /// The object as it was: requests run on its former state and can't change it.
    #[must_use]
    pub fn at(mut self, at: At) -> Self {
        self.at = Some(at);
        self
    }

    /// Sends `request` and waits for the response, which is durable when it comes.
    ///
    /// # Errors
    ///
    /// `Invalid` when the target waits for this very call (code `CALL_CYCLE`) or the chain of calls
    /// is too long; `Busy` (code `CALL_DEADLOCK`) when the target waits, in another request, for an
    /// object that waits for this call; otherwise what the target's handler or the store failed
    /// with.
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
            // What the handler tells the other object may rest on what earlier requests have
            // changed here.
            host.durable(&self.caller).await?;
        }
        // A former state is nobody's to wait for.
        let holder = chain.holder.as_ref().filter(|_| self.at.is_none());
        let calling = holder
            .map(|holder| host.begin_call(holder, &self.target, self.handler.clone()))
            .transpose()?;
        self.called.store(true, Ordering::Relaxed);
        let extensions = request.extensions_mut();
        extensions.insert(chain);
        // A message that was passed on is a request like any other, and what a client sent is this
        // object's when it passes it on.
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
