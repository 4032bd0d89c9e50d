//! What can be true of a history, and what can't.

use super::*;

/// What was asked, when it began and ended, and what came of it.
type Entry = (Ask, u64, u64, Outcome);

/// Operations on one object.
fn history(operations: &[Entry]) -> History {
    let mut history = History::default();
    for (ask, began, ended, outcome) in operations {
        let antics = Antics::default();
        let request = Request { number: 0, object: 0, ask: *ask, keyed: true, antics };
        let request = history.begin(request, *began);
        history.end(request.number, *ended, outcome.clone());
    }
    history
}

fn list(values: &[i64]) -> Outcome {
    Outcome::List(values.to_vec())
}

#[test]
fn what_can_be_true_is_accepted() {
    let operations = [
        (Ask::Append(1), 1, 4, list(&[1])),
        (Ask::Append(2), 2, 6, list(&[1, 2])),
        (Ask::Read, 3, 5, list(&[])),
        (Ask::Append(3), 7, 8, Outcome::Unknown),
        (Ask::Append(4), 7, 8, Outcome::Nothing("BUSY")),
        (Ask::Read, 9, 10, list(&[1, 2])),
    ];
    assert_eq!(history(&operations).check(&[vec![1, 2, 3]]), Ok(()));
    assert_eq!(history(&operations).check(&[vec![1, 2]]), Ok(()));
}

#[test]
fn what_cannot_be_true_is_found() {
    let cases: [(&[Entry], Vec<i64>, &str); 7] = [
        (&[(Ask::Append(1), 1, 2, list(&[1]))], vec![], "saw [1]"),
        (&[(Ask::Append(1), 1, 2, Outcome::Unknown)], vec![1, 1], "twice"),
        (&[(Ask::Append(1), 1, 2, Outcome::Nothing("FENCED"))], vec![1], "nothing remains"),
        (&[(Ask::Append(1), 1, 2, list(&[1])), (Ask::Read, 3, 4, list(&[]))], vec![1], "had ended"),
        (
            &[(Ask::Append(1), 1, 2, Outcome::Unknown), (Ask::Read, 3, 4, list(&[1]))],
            vec![],
            "saw [1]",
        ),
        (
            &[(Ask::Append(1), 3, 4, list(&[1])), (Ask::Append(2), 1, 2, list(&[1, 2]))],
            vec![1, 2],
            "had ended",
        ),
        (&[], vec![7], "nobody wrote"),
    ];
    for (operations, finally, expected) in cases {
        let found = history(operations).check(&[finally]).expect_err(expected);
        assert!(found.contains(expected), "{found}");
    }
}
