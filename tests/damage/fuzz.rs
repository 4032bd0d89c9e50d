//! What reads bytes that somebody else may have written, given those that are in `fuzz/corpus`, and
//! many that are nearly those.
//!
//! A fuzzer that is led by coverage (`cargo fuzz run NAME`) searches further; what it finds is kept
//! in the corpus, and stays found.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use dotdo_tests::Chance;

/// How many variations of the corpus each target gets.
const VARIATIONS: u64 = 3000;

/// Numbers at which things change.
const EDGES: [u8; 8] = [0, 1, 0x1f, 0x7f, 0x80, 0xbf, 0xfe, 0xff];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{} has the corpus of {target}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("the corpus can be read")).collect()
}

/// Something like `input`: a few bytes changed, taken out, doubled, or taken from another input.
fn vary(chance: &Chance, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = chance.pick(corpus).clone();
    for _ in 0..=chance.below(4) {
        let at = usize::try_from(chance.below(input.len() as u64 + 1))
            .expect("an input fits into memory");
        let end = (at + usize::try_from(chance.below(16)).expect("small")).min(input.len());
        match chance.below(7) {
            0 => input.truncate(at),
            1 => drop(input.drain(at..end)),
            2 => input.insert(at, *chance.pick(&EDGES)),
            3 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            4 => {
                let other = chance.pick(corpus);
                let from = at.min(other.len());
                input.splice(at..end, other[from..(from + 16).min(other.len())].iter().copied());
            }
            _ if at < input.len() => {
                input[at] = if chance.below(2) == 0 {
                    *chance.pick(&EDGES)
                } else {
                    input[at] ^ 1 << chance.below(8)
                }
            }
            _ => {}
        }
    }
    input
}

fn check(target: &str, run: fn(&[u8]), input: &[u8]) {
    if catch_unwind(|| run(input)).is_err() {
        let found = std::env::temp_dir().join(format!("dotdo-fuzz-{target}-{}", input.len()));
        fs::write(&found, input).expect("the folder for temporary files is writable");
        panic!(
            "{target} fails for the {} bytes in {}; copy them into fuzz/corpus/{target} once that is mended",
            input.len(),
            found.display()
        );
    }
}

#[test]
fn whatever_reads_others_bytes_refuses_or_understands_them() {
    for (target, run) in dotdo::fuzzing::targets() {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{target} has a corpus");
        corpus.iter().for_each(|input| check(target, run, input));
        let chance = Chance::of(42);
        for _ in 0..VARIATIONS {
            check(target, run, &vary(&chance, &corpus));
        }
    }
}
