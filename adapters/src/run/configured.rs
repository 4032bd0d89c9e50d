//! What is configured of a program's classes.

use dotdo_core::{App, Result};

use crate::config::Config;

/// The app with what was configured of its classes.
pub(super) fn configured(app: App, config: &Config) -> Result<App> {
    let app = with_analytics(app, config)?;
    match &config.default_class {
        Some(class) => app.with_default_class(class),
        None => Ok(app),
    }
}

/// The app with the tables that are rolled up by configuration.
pub(super) fn with_analytics(app: App, config: &Config) -> Result<App> {
    config.analytics.iter().try_fold(app, |app, table| {
        let (class, table) = table.split_once('.').unwrap_or((table, ""));
        app.with_analytics(class, table)
    })
}
