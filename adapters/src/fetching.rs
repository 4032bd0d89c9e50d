//! What requests of classes may reach: the settings about them, for who runs classes of another
//! language.

use dotdo_core::Result;

use crate::config::{Sources, resolve};

/// The setting about the worker in JavaScript that is served.
///
/// ```
/// use dotdo::commands::WorkerSettings;
///
/// let settings = WorkerSettings::resolve()?;
/// assert_eq!(settings.worker, None);
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerSettings {
    /// The file or folder of it, if one is set.
    pub worker: Option<String>,
}

impl WorkerSettings {
    /// The setting of the environment and the files.
    ///
    /// # Errors
    ///
    /// `Invalid` when any setting is wrong, as when a server starts.
    pub fn resolve() -> Result<Self> {
        Ok(Self { worker: resolve(&Sources::gather(Vec::new())?)?.config.worker })
    }
}

/// The settings about requests of classes to other servers.
///
/// ```
/// use dotdo::commands::FetchSettings;
///
/// let settings = FetchSettings::resolve()?;
/// assert!(!settings.private_networks);
/// # Ok::<(), dotdo::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchSettings {
    /// Whether they reach addresses that are not public.
    pub private_networks: bool,
}

impl FetchSettings {
    /// The settings of the environment and the files.
    ///
    /// # Errors
    ///
    /// `Invalid` when any setting is wrong, as when a server starts.
    pub fn resolve() -> Result<Self> {
        let config = resolve(&Sources::gather(Vec::new())?)?.config;
        Ok(Self { private_networks: config.fetch_private_networks })
    }
}
