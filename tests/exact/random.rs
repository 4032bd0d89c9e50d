//! Random histories come back.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::run::run;
use crate::steps::{Step, shrink, steps};

/// How many histories run unless DOTDO_TEST_CASES says otherwise.
const CASES: u64 = 2000;

/// DOTDO_TEST_SEED runs the history of one seed only; DOTDO_TEST_CASES says how many run.
#[test]
fn whatever_was_written_comes_back_exactly() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number")));
    let seeds = match number("DOTDO_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("DOTDO_TEST_CASES").unwrap_or(CASES),
    };
    let next = AtomicU64::new(seeds.start);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    check(seed);
                }
            });
        }
    });
}

fn check(seed: u64) {
    let whole = steps(seed);
    let Err(first) = run(&whole) else { return };
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
