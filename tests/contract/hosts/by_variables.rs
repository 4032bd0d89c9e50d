//! Platforms that start a program, tell it where it is by variables, and send it HTTP. Their wire
//! is that of `http`, whose suite stands for them; they go around with the others.

use async_trait::async_trait;
use dotdo_tests::Setup;

use super::Http;
use crate::host::{Abilities, Host, Hosted};

/// A platform, by the variables that it sets.
pub(crate) struct ByVariables(&'static [(&'static str, &'static str)]);

/// Those platforms, with their names.
pub(crate) const BY_VARIABLES: [(&str, ByVariables); 4] = [
    (
        "fly",
        ByVariables(&[
            ("FLY_MACHINE_ID", "e784079b295268"),
            ("FLY_APP_NAME", "objects"),
            ("FLY_PRIVATE_IP", "fdaa::3"),
        ]),
    ),
    (
        "railway",
        ByVariables(&[
            ("RAILWAY_PROJECT_ID", "p"),
            ("RAILWAY_ENVIRONMENT_ID", "e"),
            ("RAILWAY_PRIVATE_DOMAIN", "objects.railway.internal"),
        ]),
    ),
    (
        "render",
        ByVariables(&[("RENDER", "true"), ("RENDER_DISCOVERY_SERVICE", "objects-discovery")]),
    ),
    ("kubernetes", ByVariables(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("POD_IP", "10.1.0.7")])),
];

#[async_trait]
impl Host for ByVariables {
    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }

    async fn start(&self, setup: &Setup) -> Box<dyn Hosted> {
        let setup =
            self.0.iter().fold(setup.clone(), |setup, (name, value)| setup.env(*name, *value));
        Http::started().start(&setup).await
    }
}
