//! Random histories of one object, each made from a seed and nothing else.

use std::time::Duration;

use dotdo_core::{Checkpoint, CheckpointMode};
use dotdo_tests::random_sql;

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A request with these statements.
    Request(Vec<String>),
    /// The server ends, and another one takes over.
    Restart(Restart),
    /// Nothing happens for a day, and what the retention has released may go.
    Pause,
}

/// How a server ends, and how the next one works.
#[derive(Debug, Clone)]
pub(crate) struct Restart {
    /// In order, or after this many turns of its background tasks all at once.
    pub(crate) crash_after: Option<u32>,
    pub(crate) checkpoint: Checkpoint,
    /// Whether the next one can write snapshots.
    pub(crate) takes_snapshots: bool,
}

/// Numbers that look random (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end)).expect("it is below a small number")
    }
}

/// The history of this seed. It begins with a server's start.
pub(crate) fn steps(seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let choices: Vec<u32> = (0..40 + dice.below(360)).map(|_| dice.below(u32::MAX)).collect();
    let large = dice.below(16) == 0;
    let mut steps = vec![Step::Restart(restart(&mut dice))];
    if large {
        steps.push(Step::Request(vec![
            "CREATE TABLE large(k INTEGER PRIMARY KEY, a, b TEXT)".to_owned(),
            fill(0),
        ]));
    }
    for statements in random_sql::script(&choices) {
        steps.push(Step::Request(statements.iter().map(|sql| predictable(seed, sql)).collect()));
        if large && dice.below(2) == 0 {
            steps.push(Step::Request(vec![revise(&mut dice)]));
        }
        match dice.below(12) {
            0 | 1 => steps.push(Step::Restart(restart(&mut dice))),
            2 => steps.push(Step::Pause),
            _ => {}
        }
    }
    steps
}

/// Where a row has the largest rowid, SQLite chooses the next one at random. So half of the
/// histories use another large number, and half use AUTOINCREMENT, which fails then.
fn predictable(seed: u64, sql: &str) -> String {
    if seed.is_multiple_of(2) {
        return sql.replace("9223372036854775807", "9223372036854770000");
    }
    let counted = sql.replace("INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT");
    counted.replace("AUTOINCREMENT AUTOINCREMENT", "AUTOINCREMENT")
}

fn restart(dice: &mut Dice) -> Restart {
    let crash_after = (dice.below(2) == 0).then(|| dice.below(12));
    let usual = Checkpoint { interval: Duration::ZERO, ..Checkpoint::default() };
    let checkpoint = match dice.below(4) {
        0 => Checkpoint { mode: CheckpointMode::EveryRequest, ..usual },
        1 => Checkpoint { min_changes: 1, ..usual },
        2 => Checkpoint { min_changes: u64::MAX, log_records: 3, ..usual },
        _ => Checkpoint { min_changes: u64::MAX, ..usual },
    };
    let takes_snapshots = checkpoint.mode == CheckpointMode::EveryRequest || dice.below(3) > 0;
    Restart { crash_after, checkpoint, takes_snapshots }
}

/// Rows enough for files that are not written anew at each change.
fn fill(from: u32) -> String {
    let to = from + 2200;
    format!(
        "WITH RECURSIVE n(i) AS (VALUES ({from}) UNION ALL SELECT i + 1 FROM n WHERE i < {to}) INSERT OR IGNORE INTO large SELECT i, i * 1.5, 'row ' || i FROM n"
    )
}

fn revise(dice: &mut Dice) -> String {
    let (from, count) = (dice.below(2200), dice.below(30));
    match dice.below(6) {
        0 => format!("DELETE FROM large WHERE k BETWEEN {from} AND {from} + {count} * 40"),
        1 => fill(from),
        2 => format!("UPDATE large SET k = k + 10000 WHERE k BETWEEN {from} AND {from} + {count}"),
        _ => format!(
            "UPDATE large SET a = CASE k % 3 WHEN 0 THEN X'00ff' WHEN 1 THEN 'text' ELSE -0.0 END WHERE k BETWEEN {from} AND {from} + {count}"
        ),
    }
}

/// The shortest history that still fails, as far as leaving steps and statements out leads.
pub(crate) fn shrink(mut steps: Vec<Step>, mut fails: impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 1;
        while at < steps.len() {
            let mut shorter = steps.clone();
            shorter.drain(at..steps.len().min(at + size));
            if fails(&shorter) { steps = shorter } else { at += size }
        }
        size /= 2;
    }
    for at in 0..steps.len() {
        let mut index = 0;
        while let Step::Request(statements) = &steps[at] {
            if index >= statements.len() {
                break;
            }
            let mut shorter = steps.clone();
            if let Step::Request(statements) = &mut shorter[at] {
                statements.remove(index);
            }
            if fails(&shorter) { steps = shorter } else { index += 1 }
        }
    }
    steps
}
