//! A server in process that can crash.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dotdo_core::testing::TestStore;
use dotdo_core::{App, Clock, Ownership, Settings};
use http::Method;
use serde::de::DeserializeOwned;

use super::clock::pause;
use super::process::{Process, Shared};
use super::request::TestRequest;
use super::{rows, settled};

/// A server in process, on a store in memory, that answers requests as a real one on a port would:
/// with its routes, its errors, its limits and its engine.
///
/// Several servers can share a store ([`TestServer::another`]). They don't forward requests to one
/// another: one for an object that another server owns waits for the end of its lease.
pub struct TestServer {
    app: App,
    settings: Settings,
    shared: Arc<Shared>,
    process: Arc<Process>,
}

/// What a [`TestServer`] is started with.
///
/// ```
/// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
/// # struct Counter;
/// # impl DurableObject for Counter {
/// #     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
/// #         ctx.sql().exec("CREATE TABLE IF NOT EXISTS n (value)", ())?;
/// #         dotdo::json(&ctx.now_ms())
/// #     }
/// # }
/// use dotdo::testing::TestServer;
///
/// # dotdo::testing::run(async {
/// let app = App::new().class("Counter", || Counter);
/// let server = TestServer::builder(app).per_request().start().await;
/// server.get("/do/visits").await.ok();
/// # });
/// ```
pub struct TestServerBuilder {
    app: App,
    settings: Settings,
    beside: Option<Arc<Shared>>,
}

impl TestServerBuilder {
    /// With other settings of the engine than the default ones.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// As a function that owns objects for one request at a time, instead of a server with leases.
    #[must_use]
    pub fn per_request(mut self) -> Self {
        self.settings.ownership = Ownership::PerRequest;
        self
    }

    /// On the store of another server.
    #[must_use]
    pub fn beside(mut self, other: &TestServer) -> Self {
        self.beside = Some(other.shared.clone());
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// When the settings contradict each other, or in a runtime of several threads.
    pub async fn start(self) -> TestServer {
        let Self { app, settings, beside } = self;
        let shared = match beside {
            Some(shared) => shared,
            None => {
                pause();
                Arc::new(Shared::new())
            }
        };
        let process = shared.process(&app, &settings).await;
        TestServer { app, settings, shared, process }
    }
}

impl TestServer {
    /// Starts a server with `app` on an empty store, with the default settings.
    ///
    /// # Panics
    ///
    /// In a runtime of several threads.
    pub async fn start(app: App) -> Self {
        Self::builder(app).start().await
    }

    /// What a server with `app` is started with.
    pub fn builder(app: App) -> TestServerBuilder {
        TestServerBuilder { app, settings: Settings::default(), beside: None }
    }

    /// Starts a second server like this one on the same store.
    pub async fn another(&self) -> Self {
        let builder = Self::builder(self.app.clone()).settings(self.settings.clone());
        builder.beside(self).start().await
    }

    /// A GET. The path is what a client would ask for: `/do/{id}/…` or `/do/{class}/{id}/…`.
    pub fn get(&self, path: &str) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// A POST.
    pub fn post(&self, path: &str) -> TestRequest {
        self.request(Method::POST, path)
    }

    /// A PUT.
    pub fn put(&self, path: &str) -> TestRequest {
        self.request(Method::PUT, path)
    }

    /// A DELETE.
    pub fn delete(&self, path: &str) -> TestRequest {
        self.request(Method::DELETE, path)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, path: &str) -> TestRequest {
        TestRequest::new(self.process.clone(), method, path)
    }

    /// Loses everything in memory as `kill -9` does, and starts again on the same store: nothing
    /// is written and no lease released. Requests under way are not answered.
    ///
    /// The next request to an object that the crashed server owned waits for its lease, which
    /// takes no time.
    pub async fn crash(&mut self) {
        self.process.access.cut();
        self.process = self.shared.process(&self.app, &self.settings).await;
    }

    /// Crashes when the server has sent so many more requests to the store: the last one arrives,
    /// and its answer does not. Then [`crash`](TestServer::crash) starts it again.
    ///
    /// With every number of requests in turn, a test shows that an operation is whole wherever the
    /// power goes.
    pub fn crash_after(&self, requests: u64) {
        self.process.access.cut_after(requests);
    }

    /// [`crash`](TestServer::crash), and starts another program on the same store.
    pub async fn crash_into(&mut self, app: App) {
        self.app = app;
        self.crash().await;
    }

    /// Ends in order, as after SIGTERM, and starts again on the same store: what is due is written
    /// and every object is released.
    pub async fn restart(&mut self) {
        self.process.stop().await;
        self.process = self.shared.process(&self.app, &self.settings).await;
    }

    /// [`restart`](TestServer::restart), with another program on the same store.
    pub async fn restart_into(&mut self, app: App) {
        self.app = app;
        self.restart().await;
    }

    /// Ends as `kill -9` does, for good.
    pub fn kill(self) {
        self.process.access.cut();
    }

    /// Ends in order, for good.
    pub async fn stop(self) {
        self.process.stop().await;
    }

    /// Lets time pass, with all that is due meanwhile.
    pub async fn advance(&self, duration: Duration) {
        self.shared.clock.sleep(duration).await;
    }

    /// Milliseconds since 1970 by the servers' and the store's clock.
    pub fn now_ms(&self) -> i64 {
        self.shared.clock.wall_ms()
    }

    /// Waits until nothing is under way that answered requests have left behind: work of
    /// [`Context::wait_until`](crate::Context::wait_until), snapshots, and messages, until none is
    /// left in any object of the store. Lets time pass where a delivery is tried again.
    ///
    /// # Panics
    ///
    /// When a message is not delivered within ten minutes, with whose it is.
    pub async fn settled(&self) {
        settled::wait(&self.shared, self.process.edge.objects()).await;
    }

    /// The rows of `sql` in the object `id` of `class`, as its next owner would find them: read
    /// from the store by a restore, not from memory and not by the class.
    ///
    /// ```
    /// # use dotdo::testing::TestServer;
    /// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
    /// # struct Counter;
    /// # impl DurableObject for Counter {
    /// #     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
    /// #         ctx.sql().exec("CREATE TABLE IF NOT EXISTS clicks (at_ms, who)", ())?;
    /// #         let now_ms = ctx.now_ms();
    /// #         ctx.sql().exec("INSERT INTO clicks VALUES (?, 'ada')", (now_ms,))?;
    /// #         dotdo::json(&1)
    /// #     }
    /// # }
    /// # dotdo::testing::run(async {
    /// # let server = TestServer::start(App::new().class("Counter", || Counter)).await;
    /// server.post("/do/visits").await.ok();
    /// let rows: Vec<(i64, String)> =
    ///     server.rows("Counter", "visits", "SELECT at_ms, who FROM clicks").await;
    /// assert_eq!(rows, [(server.now_ms(), "ada".to_owned())]);
    /// # });
    /// ```
    ///
    /// # Panics
    ///
    /// When the store has nothing of the object, it can't be restored, or the statement fails.
    pub async fn rows<T>(&self, class: &str, id: &str, sql: &str) -> Vec<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        rows::read(&self.shared, (class, id), sql)
            .await
            .unwrap_or_else(|error| panic!("{sql:?} of {class} {id:?}: {error:?}"))
    }

    /// The store: what was asked of it, and what makes its requests fail or wait.
    ///
    /// ```
    /// # use dotdo::testing::{Fault, Operation, TestServer};
    /// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
    /// # struct Counter;
    /// # impl DurableObject for Counter {
    /// #     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
    /// #         let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
    /// #         ctx.storage().put("count", &count)?;
    /// #         dotdo::json(&count)
    /// #     }
    /// # }
    /// # dotdo::testing::run(async {
    /// # let server = TestServer::start(App::new().class("Counter", || Counter)).await;
    /// server.post("/do/visits").await.ok();
    /// let before = server.store().creates_of("/log/");
    /// server.post("/do/visits").await.ok();
    /// assert_eq!(server.store().creates_of("/log/") - before, 1, "a write is one record");
    ///
    /// server.store().faults().outage();
    /// assert_eq!(server.post("/do/visits").await.status(), 503);
    /// server.store().faults().heal();
    /// # });
    /// ```
    pub fn store(&self) -> &TestStore {
        &self.shared.store
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("settings", &self.settings).finish_non_exhaustive()
    }
}
