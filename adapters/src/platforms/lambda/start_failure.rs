//! Reports a failed start to the runtime API, so that Lambda shows the message instead of an exit
//! code.

use std::time::Duration;

use dotdo_core::Error;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::api::Api;
use super::{LOST, environment};

/// Timeout of the runtime API.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reports why this process does not run, if Lambda started it.
pub(crate) fn report(error: &Error) {
    let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_elsewhere =
        given("DOTDO_PLATFORM").is_some_and(|platform| platform != "auto" && platform != "lambda");
    if is_elsewhere || error.code() == LOST {
        return;
    }
    if let (Ok(address), Ok(runtime)) =
        (environment::api(given), Builder::new_current_thread().enable_all().build())
    {
        runtime.block_on(async {
            if timeout(PATIENCE, Api::new(&address).fail_start(error)).await.is_err() {
                tracing::warn!(
                    "Lambda's runtime API did not accept the report of the failed start"
                );
            }
        });
    }
}
