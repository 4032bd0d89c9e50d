//! Which tables of a class are rolled up.

use std::sync::Arc;

use super::{App, DurableObject, Factory};
use crate::error::{Error, Result};
use crate::id::is_class_name;
use crate::object::loaded::Loaded;
use crate::sqlite::is_reserved;

impl App {
    /// Rolls up these tables of the class that was added last: each is one table for all objects of
    /// the class and a tenant, which engines read as `CLASS.TABLE`, with columns for the object
    /// (`_dotdo_object`) and the row within it (`_dotdo_row`). A change is there within a minute, once,
    /// whichever server crashes.
    ///
    /// Objects without such a table are left out. It costs writes of its own; docs/ANALYTICS.md says
    /// how many. Objects that were written before a table was named here are rolled up with their
    /// next change, or by `dotdo rollup`.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// # use dotdo::{App, Context, DurableObject, Request, Response, Result};
    /// # struct Shop;
    /// # impl DurableObject for Shop {
    /// #     async fn fetch(&mut self, _: Request, _: &mut Context) -> Result<Response> {
    /// #         Ok(Response::default())
    /// #     }
    /// # }
    /// let app = App::new().class("Shop", || Shop).analytics(["orders", "returns"]);
    /// assert!(app.has_class("Shop"));
    /// ```
    ///
    /// # Panics
    ///
    /// When there is no class yet; when a name is empty, or begins with `_dotdo_` or `sqlite_`.
    #[must_use]
    pub fn analytics<T: Into<String>>(self, tables: impl IntoIterator<Item = T>) -> Self {
        let class = self.newest.clone();
        let class =
            class.expect("expected a class before its tables: App::new().class(…).analytics(…)");
        let mut app = self;
        for table in tables {
            app =
                app.with_analytics(&class, &table.into()).unwrap_or_else(|error| panic!("{error}"));
        }
        app
    }

    /// Rolls up one more table, of a class that the program may not have: for configurations, and for
    /// programs that look after objects of others.
    ///
    /// ```
    /// # use dotdo_core as dotdo;
    /// let app = dotdo::App::new().with_analytics("Shop", "orders")?;
    /// assert!(app.with_analytics("Shop", "_dotdo_kv").is_err());
    /// # Ok::<(), dotdo::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` (code `BAD_ANALYTICS`) for what is no name of a class, or of a table of one.
    pub fn with_analytics(mut self, class: &str, table: &str) -> Result<Self> {
        let is_sqlites = table.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
        if !is_class_name(class)
            || is_reserved(class)
            || table.is_empty()
            || is_reserved(table)
            || is_sqlites
        {
            let text = format!(
                "expected a class and the name of a table of it, got {class:?} and {table:?}"
            );
            return Err(Error::invalid(text).with_code("BAD_ANALYTICS"));
        }
        let tables = self.analytics.entry(class.to_owned()).or_default();
        if !tables.iter().any(|known| known.eq_ignore_ascii_case(table)) {
            *tables = tables.iter().cloned().chain([table.to_owned()]).collect();
        }
        Ok(self)
    }

    /// The program with the class of roll-ups, whose values `make` creates.
    pub(crate) fn with_rollups<T: DurableObject>(
        mut self,
        make: impl Fn() -> T + Send + Sync + 'static,
    ) -> Self {
        let make: Factory = Arc::new(move || Box::new(Loaded::new(make())));
        self.rollup = Some(make);
        self
    }

    /// Whether anything is rolled up.
    pub(crate) fn rolls_up(&self) -> bool {
        !self.analytics.is_empty()
    }

    /// The tables of `class` that are rolled up; `None` if there are none, or the class has ended.
    pub(crate) fn rolled_up(&self, class: &str) -> Option<Arc<[String]>> {
        if self.analytics.is_empty() || self.names.has_ended(class) {
            return None;
        }
        let named = self.analytics.get(self.names.newest(class));
        named.or_else(|| self.analytics.get(class)).cloned()
    }
}
