//! The platforms, each a file.

mod http;

pub(crate) use self::http::Http;

/// Gives every platform to the macro `$with`: a name, and its host. A platform joins the suite, the test that goes around them all, and the table of docs/ADAPTERS.md by its
/// line here.
macro_rules! platforms {
    ($with:ident) => {
        $with! {
            http: $crate::hosts::Http;
        }
    };
}
pub(crate) use platforms;
