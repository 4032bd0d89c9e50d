//! Google Cloud Run: a container that is told its port, and sent HTTP/1.1 there; SIGTERM, and ten
//! seconds.

use async_trait::async_trait;
use dotdo_tests::Setup;

use super::Http;
use crate::host::{Abilities, Host, Hosted};

/// The container's contract of Cloud Run.
pub(crate) struct CloudRun;

#[async_trait]
impl Host for CloudRun {
    fn abilities(&self) -> Abilities {
        Abilities { streams_requests: false, ..Abilities::ALL }
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        // The test's own address and port stay: a real one listens on all addresses, and on 8080.
        let told = [
            ("K_SERVICE", "objects"),
            ("K_REVISION", "objects-00001-abc"),
            ("K_CONFIGURATION", "objects"),
        ];
        Http::started()
            .start(
                &told.iter().fold(setup.clone(), |setup, (name, value)| setup.env(*name, *value)),
            )
            .await
    }
}
