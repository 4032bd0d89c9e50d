//! The suite: each test is a function of a host, and runs once a platform.

mod routing;

/// Runs every test of the suite on one platform.
macro_rules! contract {
    ($platform:ident, $host:expr) => {
        mod $platform {
            $crate::suite::contract!(@tests $host, routing: [an_object_is_found_by_its_path_and_counts]);
        }
    };
    (@tests $host:expr, $group:ident: [$($name:ident),* $(,)?]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::suite::$group::$name(&$host).await;
            }
        )*
    };
}
pub(crate) use contract;

contract!(http, crate::hosts::Http);
