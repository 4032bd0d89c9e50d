//! The platforms, each a file.

mod azure;
mod by_variables;
mod cloud_run;
mod container;
mod http;
mod lambda;
mod vercel;

pub(crate) use self::azure::{AzurePayload, AzureProxy};
pub(crate) use self::by_variables::BY_VARIABLES;
pub(crate) use self::cloud_run::CloudRun;
pub(crate) use self::http::Http;
pub(crate) use self::lambda::{Clock, Front, Lambda};
pub(crate) use self::vercel::{Instance, Vercel};
use crate::host::Host;

/// Gives every platform to the macro `$with`: a name, and its host. A platform joins the suite, the
/// test that goes around them all, and the table of docs/ADAPTERS.md by its line here.
macro_rules! platforms {
    ($with:ident) => {
        $with! {
            http: $crate::hosts::Http::named();
            azure_functions: $crate::hosts::AzureProxy;
            cloud_run: $crate::hosts::CloudRun;
            vercel: $crate::hosts::Vercel;
            lambda_rest_api: $crate::hosts::Lambda($crate::hosts::Front::RestApi);
            lambda_http_api: $crate::hosts::Lambda($crate::hosts::Front::HttpApi);
            lambda_function_url: $crate::hosts::Lambda($crate::hosts::Front::FunctionUrl);
            lambda_load_balancer: $crate::hosts::Lambda($crate::hosts::Front::LoadBalancer);
        }
    };
}
pub(crate) use platforms;

macro_rules! list {
    ($($name:ident: $host:expr;)*) => {
        /// Every platform, with its name.
        pub(crate) fn all() -> Vec<(&'static str, Box<dyn Host>)> {
            vec![$((stringify!($name), Box::new($host))),*]
        }
    };
}

platforms!(list);

/// Those that go around: every platform whose programs the tests start, also where it has a suite
/// of its own or shares that of `http`.
pub(crate) fn around() -> Vec<(&'static str, Box<dyn Host>)> {
    let mut hosts: Vec<_> =
        all().into_iter().filter(|(_, host)| host.abilities().is_ours).collect();
    hosts.push(("azure_payload", Box::new(AzurePayload)));
    hosts.extend(
        BY_VARIABLES.into_iter().map(|(name, host)| (name, Box::new(host) as Box<dyn Host>)),
    );
    hosts
}
