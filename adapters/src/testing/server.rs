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
/// Several servers can share a store ([`TestServer::another`]). They don't forward requests to each
/// other: a request for an object that another server owns waits for the end of its lease.
///
/// ```
/// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
/// # struct Counter;
/// # impl DurableObject for Counter {
/// #     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
/// #         let count = ctx.storage().get::<u64>("count")?.unwrap_or(0) + 1;
/// #         ctx.storage().put("count", &count)?;
/// #         dotdo::json(&count)
/// #     }
/// # }
/// use std::time::Duration;
///
/// use dotdo::testing::TestServer;
///
/// # dotdo::testing::run(async {
/// let first = TestServer::start(App::new().class("Counter", || Counter)).await;
/// let mut second = first.another().await;
/// assert_eq!(first.post("/do/visits").await.json::<u64>(), 1);
/// first.advance(Duration::from_secs(3600)).await;
/// assert_eq!(second.post("/do/visits").await.json::<u64>(), 2);
/// second.restart().await;
/// assert_eq!(second.post("/do/visits").await.json::<u64>(), 3);
/// # });
/// ```
pub struct TestServer {
    app: App,
    settings: Settings,
    shared: Arc<Shared>,
    process: Arc<Process>,
}

/// The options with which a [`TestServer`] is started.
///
/// ```
/// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
/// # struct Counter;
/// # impl DurableObject for Counter {
/// #     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
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
    /// Uses these settings of the engine.
    #[must_use]
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Runs as a function that owns objects per request, and not as a server with leases.
    #[must_use]
    pub fn per_request(mut self) -> Self {
        self.settings.ownership = Ownership::PerRequest;
        self
    }

    /// Uses the store of another server.
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

    /// The options to start a server with `app`.
    pub fn builder(app: App) -> TestServerBuilder {
        TestServerBuilder { app, settings: Settings::default(), beside: None }
    }

    /// Starts a second server like this one on the same store.
    pub async fn another(&self) -> Self {
        let builder = Self::builder(self.app.clone()).settings(self.settings.clone());
        builder.beside(self).start().await
    }

    /// A GET request. The path is that of a client: `/do/{id}/…` or `/do/{class}/{id}/…`.
    pub fn get(&self, path: &str) -> TestRequest {
        self.request(Method::GET, path)
    }

    /// A POST request.
    pub fn post(&self, path: &str) -> TestRequest {
        self.request(Method::POST, path)
    }

    /// A PUT request.
    pub fn put(&self, path: &str) -> TestRequest {
        self.request(Method::PUT, path)
    }

    /// A DELETE request.
    pub fn delete(&self, path: &str) -> TestRequest {
        self.request(Method::DELETE, path)
    }

    /// A request with any method.
    pub fn request(&self, method: Method, path: &str) -> TestRequest {
        TestRequest::new(self.process.clone(), method, path)
    }

    /// Loses everything in memory, like `kill -9`, and starts again on the same store: nothing is
    /// written and no lease is released. Running requests are not answered.
    ///
    /// The next request to an object that the crashed server owned waits for the end of its lease,
    /// which takes no real time.
    pub async fn crash(&mut self) {
        self.process.access.cut();
        self.process = self.shared.process(&self.app, &self.settings).await;
    }

    /// Crashes when the server has sent this many more requests to the store: the last one arrives,
    /// and its response does not. After that, [`crash`](TestServer::crash) starts it again.
    ///
    /// With every number of requests in turn, a test shows that an operation is atomic wherever the
    /// crash happens.
    pub fn crash_after(&self, requests: u64) {
        self.process.access.cut_after(requests);
    }

    /// Crashes as [`crash`](TestServer::crash) does, and starts another program on the same store.
    pub async fn crash_into(&mut self, app: App) {
        self.app = app;
        self.crash().await;
    }

    /// Shuts down, as after SIGTERM, and starts again on the same store: due snapshots are written
    /// and every object is released.
    pub async fn restart(&mut self) {
        self.process.stop().await;
        self.process = self.shared.process(&self.app, &self.settings).await;
    }

    /// Restarts as [`restart`](TestServer::restart) does, with another program on the same store.
    pub async fn restart_into(&mut self, app: App) {
        self.app = app;
        self.restart().await;
    }

    /// Crashes, like `kill -9`, without a restart.
    pub fn kill(self) {
        self.process.access.cut();
    }

    /// Shuts down without a restart.
    pub async fn stop(self) {
        self.process.stop().await;
    }

    /// Advances the clock, and runs everything that is due meanwhile.
    pub async fn advance(&self, duration: Duration) {
        self.shared.clock.sleep(duration).await;
    }

    /// Milliseconds since 1970 by the servers' and the store's clock.
    pub fn now_ms(&self) -> i64 {
        self.shared.clock.wall_ms()
    }

    /// Waits until the background work of answered requests is done: work of
    /// [`Context::wait_until`](crate::Context::wait_until), snapshots, and the delivery of all
    /// messages in all objects of the store. The clock advances where a delivery is retried.
    ///
    /// # Panics
    ///
    /// When a message is not delivered within ten minutes of simulated time; names its sender.
    pub async fn settled(&self) {
        settled::wait(&self.shared, self.process.edge.objects()).await;
    }

    /// The rows of `sql` in the object `id` of `class`, as its next owner would find them: read
    /// from the store by a restore, not from memory and not through the class.
    ///
    /// ```
    /// # use dotdo::testing::TestServer;
    /// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
    /// # struct Counter;
    /// # impl DurableObject for Counter {
    /// #     async fn start(&mut self, ctx: &mut Context) -> Result<()> {
    /// #         ctx.migrate(&["CREATE TABLE clicks (at_ms, who)"])
    /// #     }
    /// #     async fn fetch(&mut self, _: Request, ctx: &mut Context) -> Result<Response> {
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
        rows::read(&self.shared, class, id, sql)
            .await
            .unwrap_or_else(|error| panic!("{sql:?} of {class} {id:?}: {error:?}"))
    }

    /// The store, which records its requests and can make them fail or wait.
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
