//! The suite: each test is a function of a [`Stage`](crate::stage::Stage), and runs once a platform.

mod bodies;
mod headers;
mod routing;

/// A module of tests for every platform, in which each group of tests is a module.
macro_rules! contract {
    ($($platform:ident: $host:expr;)*) => {
        $(
            mod $platform {
                static STAGE: std::sync::LazyLock<$crate::stage::Stage> = std::sync::LazyLock::new(|| $crate::stage::Stage::new($host));

                $crate::suite::tests! {
                    routing: [
                        the_path_names_the_object, headers_win_over_the_path, ids_are_decoded_once, what_names_no_object_is_refused, methods_arrive_as_they_are,
                        the_query_arrives_as_it_was_sent,
                    ];
                    headers: [
                        names_and_values_arrive, bytes_outside_of_ascii_arrive, repeated_headers_arrive, cookies_arrive, what_answers_say_arrives,
                        request_ids_are_kept_or_made,
                    ];
                    bodies: [
                        every_byte_arrives, empty_bodies_are_empty, head_has_no_body_and_the_length_of_one, statuses_without_a_body_have_none, large_requests_arrive,
                        large_answers_arrive, a_body_that_is_too_large_is_refused,
                    ];
                }
            }
        )*
    };
}

/// The tests of one platform.
macro_rules! tests {
    ($($group:ident: [$($name:ident),* $(,)?];)*) => {
        $(
            mod $group {
                $(
                    #[test]
                    fn $name() {
                        $crate::stage::Stage::run($crate::suite::$group::$name(&super::STAGE));
                    }
                )*
            }
        )*
    };
}
use tests;

crate::hosts::platforms!(contract);
