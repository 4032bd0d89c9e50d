//! The protocol holds in every configuration, and every configuration reaches what it is there for.

use dotdo_model::{
    Report, Setup, appends, both_kinds, clocks, contention, deletion, deletion_beside_server,
    explore, keyed, leases, progress, progress_of_three, replacements, snapshots,
};

use crate::bounds;

/// Explores every state and checks that none is wrong.
fn holds(setup: &Setup) {
    let setup = bounds::enlarged(setup);
    let report: Report = explore(&setup);
    println!("{report}");
    assert!(report.broken.is_empty() && report.unreachable.is_empty(), "{report}");
    assert!(
        setup.steps.is_none_or(|most| report.depth < usize::from(most)),
        "the bound on the steps cuts histories off: {report}"
    );
}

#[test]
fn functions_fill_slots_whatever_the_store_answers() {
    holds(&appends());
}

#[test]
fn servers_answer_from_memory_and_take_over() {
    holds(&leases());
}

#[test]
fn clocks_that_stop_or_jump_do_no_harm() {
    holds(&clocks());
}

#[test]
fn both_kinds_share_an_object() {
    holds(&both_kinds());
}

#[test]
fn functions_take_turns_with_short_leases() {
    holds(&contention());
}

#[test]
fn a_request_with_a_key_happens_once() {
    holds(&keyed());
}

#[test]
fn slots_that_are_freed_are_not_won_again() {
    holds(&deletion());
}

#[test]
fn servers_find_out_about_freed_slots_too() {
    holds(&deletion_beside_server());
}

#[test]
fn snapshots_keep_the_files_that_they_share() {
    holds(&snapshots());
}

#[test]
fn a_state_is_replaced_as_a_whole_or_not_at_all() {
    holds(&replacements());
}

#[test]
fn all_work_ends_with_answers() {
    holds(&progress());
    holds(&progress_of_three());
}

#[test]
fn an_exploration_gives_the_same_numbers_again() {
    let numbers = |report: Report| (report.states, report.steps, report.depth);
    assert_eq!(numbers(explore(&progress())), numbers(explore(&progress())));
}
