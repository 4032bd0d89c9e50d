//! The suite: each test is a function of a [`Stage`](crate::stage::Stage), and runs once a
//! platform.

mod bodies;
mod callers;
mod errors;
mod headers;
mod life;
mod payloads;
mod routing;
mod streaming;
mod turns;

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
                    streaming: [
                        the_first_part_of_an_answer_comes_before_the_second_is_made, the_first_part_of_a_request_comes_before_the_second_is_sent,
                        bodies_are_streamed_in_both_directions_at_once, a_response_that_ends_early_is_not_complete, a_client_that_goes_away_disturbs_nobody,
                        a_websocket_is_opened_where_connections_are_held,
                    ];
                    errors: [
                        objects_say_what_is_wrong, errors_say_when_to_come_again, a_handler_that_fails_or_panics_is_a_500, the_servers_own_paths_answer,
                    ];
                    callers: [a_caller_is_whom_a_verified_token_names_and_never_whom_a_header_names];
                    turns: [
                        requests_to_several_objects_are_under_way_together, requests_to_one_object_have_their_turns, a_request_with_a_key_is_done_once,
                        an_object_is_read_as_it_was,
                    ];
                    life: [
                        what_was_answered_is_there_after_a_cold_start, a_program_that_was_frozen_knows_what_others_wrote,
                        a_handler_that_overruns_its_time_leaves_nothing, what_a_request_left_behind_is_done_though_its_program_is_frozen, a_request_that_is_under_way_when_the_program_is_to_end_is_answered,
                        a_program_that_is_to_end_releases_its_objects,
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
                        super::STAGE.test($crate::suite::$group::$name(&super::STAGE));
                    }
                )*
            }
        )*
    };
}
use tests;

crate::hosts::platforms!(contract);

/// Payloads carry text, of which the length is known: the groups above as far as that goes, and
/// what happens beyond.
mod azure_payload {
    static STAGE: std::sync::LazyLock<crate::stage::Stage> =
        std::sync::LazyLock::new(|| crate::stage::Stage::new(crate::hosts::AzurePayload));

    crate::suite::tests! {
        routing: [
            the_path_names_the_object, headers_win_over_the_path, ids_are_decoded_once, what_names_no_object_is_refused, methods_arrive_as_they_are,
            the_query_arrives_as_it_was_sent,
        ];
        headers: [names_and_values_arrive, bytes_outside_of_ascii_arrive, repeated_headers_arrive, what_answers_say_arrives, request_ids_are_kept_or_made];
        bodies: [head_has_no_body_and_the_length_of_one, statuses_without_a_body_have_none];
        payloads: [
            text_goes_both_ways_and_bytes_come_in_as_octets, long_texts_and_the_cookies_of_requests_arrive, bodies_that_the_host_treated_as_text_are_refused, responses_that_a_payload_would_alter_are_errors,
            a_client_s_own_invocation_is_a_body_like_any_other,
        ];
        streaming: [
            the_first_part_of_an_answer_comes_before_the_second_is_made, a_response_that_ends_early_is_not_complete, a_client_that_goes_away_disturbs_nobody,
        ];
        errors: [
            objects_say_what_is_wrong, errors_say_when_to_come_again, a_handler_that_fails_or_panics_is_a_500, the_servers_own_paths_answer,
        ];
        callers: [a_caller_is_whom_a_verified_token_names_and_never_whom_a_header_names];
        turns: [
            requests_to_several_objects_are_under_way_together, requests_to_one_object_have_their_turns, a_request_with_a_key_is_done_once,
            an_object_is_read_as_it_was,
        ];
        life: [
            what_was_answered_is_there_after_a_cold_start, a_program_that_was_frozen_knows_what_others_wrote, a_handler_that_overruns_its_time_leaves_nothing,
            what_a_request_left_behind_is_done_though_its_program_is_frozen, a_request_that_is_under_way_when_the_program_is_to_end_is_answered,
        ];
    }
}
