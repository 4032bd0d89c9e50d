//! Random histories come back.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::run::{Followed, run};
use crate::steps::{Step, shrink, steps};

/// How many histories run unless DOTDO_TEST_CASES says otherwise.
const CASES: u64 = 2000;

/// DOTDO_TEST_SEED runs the history of one seed only; DOTDO_TEST_CASES says how many run.
#[test]
fn whatever_was_written_comes_back_exactly() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")))
    };
    let seeds = match number("DOTDO_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DOTDO_TEST_CASES").unwrap_or(CASES),
    };
    let (next, in_part) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    if check(seed) == Followed::InPart {
                        in_part.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let in_part = in_part.into_inner();
    assert!(
        in_part <= 1 + (seeds.end - seeds.start) / 20,
        "{in_part} histories were not followed to their end"
    );
}

fn check(seed: u64) -> Followed {
    let whole = steps(seed);
    let first = match run(&whole) {
        Ok(followed) => return followed,
        Err(first) => first,
    };
    let shortest = shrink(whole, |steps| run(steps).is_err());
    let last = run(&shortest).err().unwrap_or_default();
    panic!(
        "seed {seed} (set DOTDO_TEST_SEED to run it alone): {first}\n\nthe shortest history that fails:\n{}\n\n{last}",
        write(&shortest)
    );
}

fn write(steps: &[Step]) -> String {
    let lines = steps.iter().map(|step| match step {
        Step::Request(statements) => format!("-- request\n{};", statements.join(";\n")),
        other => format!("-- {other:?}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}
