//! The platforms, each a file.

mod azure;
mod cloud_run;
mod container;
mod http;
mod vercel;

pub(crate) use self::azure::{AzurePayload, AzureProxy};
pub(crate) use self::cloud_run::CloudRun;
pub(crate) use self::http::Http;
pub(crate) use self::vercel::{Instance, Vercel};
use crate::host::Host;

/// Gives every platform to the macro `$with`: a name, and its host. A platform joins the suite, the test that goes around them all, and the table of docs/ADAPTERS.md by its
/// line here.
macro_rules! platforms {
    ($with:ident) => {
        $with! {
            http: $crate::hosts::Http::named();
            azure_functions: $crate::hosts::AzureProxy;
            cloud_run: $crate::hosts::CloudRun;
            vercel: $crate::hosts::Vercel;
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
