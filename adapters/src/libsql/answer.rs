//! What a database answers, and what its errors mean.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Databases send blobs without padding, and the specification allows it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Maximum length of an error's text, in characters.
const TEXT_MAX: usize = 300;

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No whole answer, or one that says nothing: a write may have happened.
    Unclear(String),
    /// The database refused, and will refuse again: nothing was written.
    Refused(String),
    /// A key is there already.
    Taken,
    /// There is no table yet: nothing was written, and nothing is there.
    NoTable,
    /// Others were writing all the time: nothing was written.
    Busy(String),
}

/// The answer to a pipeline: one result for each of its requests.
#[derive(Deserialize)]
pub(super) struct Answer {
    results: Vec<StreamResult>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum StreamResult {
    Ok { response: Response },
    Error { error: SqlError },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Response {
    Execute { result: Rows },
    Batch { result: Steps },
    Close,
}

/// What became of the steps of a batch; a step that was skipped has neither a result nor an error.
#[derive(Deserialize)]
struct Steps {
    step_results: Vec<Option<IgnoredAny>>,
    step_errors: Vec<Option<SqlError>>,
}

impl Steps {
    /// Whether the step before the last, which commits, has succeeded; the last one rolls back
    /// otherwise. Each step waits for the success of the one before, so the first error says why.
    fn committed(self) -> Result<(), Failure> {
        if let Some(error) = self.step_errors.into_iter().flatten().next() {
            return Err(error.meaning());
        }
        match self.step_results.as_slice() {
            [.., Some(_), None] => Ok(()),
            _ => Err(Failure::Unclear("the answer does not say that it committed".to_owned())),
        }
    }
}

/// The result of a statement.
#[derive(Debug, Deserialize)]
pub(super) struct Rows {
    pub(super) rows: Vec<Vec<Value>>,
    pub(super) affected_row_count: u64,
}

/// A value of a row.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Value {
    Null,
    Integer {
        value: String,
    },
    /// Nothing here is one.
    Float,
    Text {
        value: String,
    },
    Blob {
        base64: String,
    },
}

#[derive(Debug, Deserialize)]
struct SqlError {
    message: String,
    code: Option<String>,
}

impl Answer {
    /// The answer in `body`.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(body)
            .map_err(|_| Failure::Unclear("expected the answer of a libSQL database".to_owned()))
    }

    /// The results of statements, in their order.
    pub(super) fn each(self) -> Vec<Result<Rows, Failure>> {
        let outcome = |result| match result {
            StreamResult::Ok { response: Response::Execute { result } } => Ok(result),
            StreamResult::Ok { .. } => {
                Err(Failure::Unclear("expected the result of a statement".to_owned()))
            }
            StreamResult::Error { error } => Err(error.meaning()),
        };
        self.results.into_iter().map(outcome).collect()
    }

    /// Whether the transaction that came first was committed, and the result of the statement after
    /// it, if that has one.
    pub(super) fn committed(self) -> Result<Option<Rows>, Failure> {
        let mut results = self.results.into_iter();
        match results.next() {
            Some(StreamResult::Ok { response: Response::Batch { result } }) => {
                result.committed()?
            }
            Some(StreamResult::Error { error }) => return Err(error.meaning()),
            _ => return Err(Failure::Unclear("expected the result of a batch".to_owned())),
        }
        Ok(match results.next() {
            Some(StreamResult::Ok { response: Response::Execute { result } }) => Some(result),
            _ => None,
        })
    }

    /// The result of the statement `at` of a pipeline, if it and all before it succeeded.
    pub(super) fn statement(self, at: usize) -> Result<Rows, Failure> {
        let mut results = self.each().into_iter();
        let mut next = || results.next().unwrap_or_else(|| Err(lacking()));
        for _ in 0..at {
            next()?;
        }
        next()
    }
}

/// An answer that ends before the result that is asked for, which is not an empty one.
pub(super) fn lacking() -> Failure {
    Failure::Unclear("the answer lacks a result".to_owned())
}

impl Rows {
    /// The first value of the first row, if it is a whole number.
    pub(super) fn first_number(&self) -> Option<i64> {
        self.rows.first()?.first()?.number()
    }
}

impl Value {
    /// A whole number of this value.
    pub(super) fn number(&self) -> Option<i64> {
        let Self::Integer { value } = self else { return None };
        value.parse().ok()
    }

    /// The bytes of this value.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        let Self::Blob { base64 } = self else { return None };
        BASE64.decode(base64).ok()
    }

    /// The text of this value.
    pub(super) fn text(&self) -> Option<&str> {
        let Self::Text { value } = self else { return None };
        Some(value)
    }
}

impl SqlError {
    /// Whether the write lock was not to be had. SQLite says so when a statement that writes begins,
    /// and for a commit that it then rolls back.
    fn is_of_others(&self) -> bool {
        self.code.as_deref() == Some("SQLITE_BUSY")
    }

    fn is_of_missing_table(&self) -> bool {
        self.message.contains("no such table: dotdo_objects")
    }

    fn meaning(self) -> Failure {
        if self.is_of_missing_table() {
            return Failure::NoTable;
        }
        let is_of_others = self.is_of_others();
        let code = self.code.unwrap_or_default();
        let text = short(&format!("{}: {}", code, self.message));
        if is_of_others {
            return Failure::Busy(text);
        }
        match code.as_str() {
            "SQLITE_CONSTRAINT" | "SQLITE_CONSTRAINT_PRIMARYKEY" | "SQLITE_CONSTRAINT_UNIQUE" => {
                Failure::Taken
            }
            "ARGS_INVALID"
            | "ARGS_BOTH_POSITIONAL_AND_NAMED"
            | "AUTH_EXPIRED"
            | "BLOCKED"
            | "SQLITE_AUTH"
            | "SQLITE_FULL"
            | "SQLITE_MISMATCH"
            | "SQLITE_PERM"
            | "SQLITE_READONLY"
            | "SQLITE_TOOBIG"
            | "SQL_INPUT_ERROR"
            | "SQL_PARSE_ERROR" => Failure::Refused(text),
            _ => Failure::Unclear(text),
        }
    }
}

/// Fuzz target: the answer of a database.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    let parse = || Answer::parse(data).ok();
    let (Some(whole), Some(last), Some(transaction)) = (parse(), parse(), parse()) else { return };
    let each = whole.each();
    let committed = transaction.committed();
    assert!(committed.is_err() || each.first().is_some_and(Result::is_err), "a batch has no rows");
    let all = each.iter().all(Result::is_ok);
    let found = last.statement(each.len().saturating_sub(1));
    assert_eq!(found.is_ok(), all && !each.is_empty(), "the last after the success of all");
    for value in each.iter().flatten().flat_map(|rows| &rows.rows).flatten() {
        let kinds = [value.number().is_some(), value.bytes().is_some(), value.text().is_some()];
        assert!(kinds.into_iter().filter(|is| *is).count() <= 1, "one value of two kinds");
    }
}

/// The text of a server, without line ends, and cut.
pub(super) fn short(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str) -> Result<Answer, Failure> {
        Answer::parse(json.as_bytes())
    }

    /// A transaction of three steps with these results and errors, and a statement after it.
    fn transaction(results: &str, errors: &str) -> Result<Option<Rows>, Failure> {
        answer(&format!(
            r#"{{"results":[{{"type":"ok","response":{{"type":"batch","result":{{"step_results":[{results}],"step_errors":[{errors}]}}}}}},{{"type":"ok","response":{{"type":"execute","result":{{"cols":[],"rows":[],"affected_row_count":0}}}}}}]}}"#
        ))?
        .committed()
    }

    #[test]
    fn the_first_error_of_a_transaction_counts() {
        let error = |code: &str, message: &str| {
            let first = format!(r#"{{"message":"{message}","code":"{code}"}}"#);
            let rollback = r#"{"message":"no transaction is active","code":"SQLITE_UNKNOWN"}"#;
            transaction("null,null,null", &format!("{first},null,{rollback}")).err()
        };
        let taken = error("SQLITE_CONSTRAINT", "UNIQUE constraint failed");
        assert_eq!(taken, Some(Failure::Taken));
        let missing = error("SQLITE_UNKNOWN", "SQLite error: no such table: dotdo_objects");
        assert_eq!(missing, Some(Failure::NoTable));
        let full = error("SQLITE_FULL", "database or disk is full");
        assert!(matches!(full, Some(Failure::Refused(_))));
        let busy = error("SQLITE_BUSY", "database is locked");
        assert!(matches!(busy, Some(Failure::Busy(_))));
        let locked = error("SQLITE_LOCKED", "database table is locked");
        assert!(matches!(locked, Some(Failure::Unclear(_))), "nobody promises what it means");
    }

    #[test]
    fn only_a_commit_that_succeeded_is_one() {
        assert!(matches!(transaction("{},{},null", "null,null,null"), Ok(Some(_))));
        for results in ["", "{}", "{},null,null", "{},{},{}", "null,null,null"] {
            let outcome = transaction(results, "null,null,null");
            assert!(matches!(outcome, Err(Failure::Unclear(_))), "{results}: {outcome:?}");
        }
    }

    #[test]
    fn each_statement_has_an_outcome_of_its_own() {
        let rows = r#"{"type":"ok","response":{"type":"execute","result":{"cols":[],"rows":[],"affected_row_count":1}}}"#;
        let busy = r#"{"type":"error","error":{"message":"locked","code":"SQLITE_BUSY"}}"#;
        let json = format!(r#"{{"results":[{rows},{busy},{rows}]}}"#);
        let each = answer(&json).expect("an answer").each();
        assert!(matches!(each.as_slice(), [Ok(_), Err(Failure::Busy(_)), Ok(_)]), "{each:?}");
    }

    #[test]
    fn an_answer_that_ends_early_is_no_empty_result() {
        let begun = r#"{"type":"ok","response":{"type":"execute","result":{"cols":[],"rows":[],"affected_row_count":0}}}"#;
        let close = r#"{"type":"ok","response":{"type":"close"}}"#;
        for results in [begun.to_owned(), format!("{begun},{close}"), format!("{close},{begun}")] {
            let answer = answer(&format!(r#"{{"results":[{results}]}}"#)).expect("an answer");
            let outcome = answer.statement(1);
            assert!(matches!(outcome, Err(Failure::Unclear(_))), "{results}: {outcome:?}");
        }
    }

    #[test]
    fn what_is_no_answer_is_unclear() {
        for rubbish in [
            "",
            "{}",
            "<html>",
            r#"{"results":[]}"#,
            r#"{"results":[{"type":"ok","response":{"type":"close"}}]}"#,
        ] {
            let outcome = answer(rubbish).and_then(|answer| answer.statement(0));
            assert!(matches!(outcome, Err(Failure::Unclear(_))), "{rubbish}");
            let outcome = answer(rubbish).and_then(Answer::committed);
            assert!(matches!(outcome, Err(Failure::Unclear(_))), "{rubbish}");
        }
    }

    #[test]
    fn a_blob_needs_no_padding() {
        for base64 in ["AP8", "AP8="] {
            assert_eq!(Value::Blob { base64: base64.to_owned() }.bytes(), Some(vec![0, 255]));
        }
        assert_eq!(Value::Null.bytes(), None);
    }
}
