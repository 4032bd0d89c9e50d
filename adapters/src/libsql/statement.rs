//! Statements and the pipelines that carry them, in the JSON of Hrana over HTTP, version 2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// The statements of one HTTP request.
#[derive(Serialize)]
pub(super) struct Pipeline {
    requests: Vec<Request>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Request {
    Execute {
        stmt: Statement,
    },
    Batch {
        batch: Batch,
    },
    /// Ends the stream, whatever state it is in.
    Close,
}

#[derive(Serialize)]
struct Batch {
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
    stmt: Statement,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Condition {
    Ok { step: usize },
    Not { cond: Box<Condition> },
}

/// A statement with its arguments.
#[derive(Clone, Serialize)]
pub(super) struct Statement {
    sql: &'static str,
    args: Vec<Argument>,
}

/// The value of a parameter.
#[derive(Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Argument {
    Integer { value: String },
    Text { value: String },
    Blob { base64: String },
}

impl From<u64> for Argument {
    fn from(value: u64) -> Self {
        // SQLite's integers end at 2^63 - 1; nothing here has so many bytes.
        Self::Integer { value: value.min(i64::MAX.unsigned_abs()).to_string() }
    }
}

impl From<i64> for Argument {
    fn from(value: i64) -> Self {
        Self::Integer { value: value.to_string() }
    }
}

impl From<&str> for Argument {
    fn from(value: &str) -> Self {
        Self::Text { value: value.to_owned() }
    }
}

impl From<&[u8]> for Argument {
    fn from(value: &[u8]) -> Self {
        Self::Blob { base64: STANDARD.encode(value) }
    }
}

impl Statement {
    pub(super) fn new(sql: &'static str, args: impl IntoIterator<Item = Argument>) -> Self {
        Self { sql, args: args.into_iter().collect() }
    }

    /// About how many bytes it is when it is sent.
    pub(super) fn bytes(&self) -> usize {
        let args = self.args.iter().map(|arg| match arg {
            Argument::Integer { value } | Argument::Text { value } => value.len(),
            Argument::Blob { base64 } => base64.len(),
        });
        self.sql.len() + args.sum::<usize>()
    }

    fn plain(sql: &'static str) -> Self {
        Self::new(sql, [])
    }
}

impl Pipeline {
    /// Statements that are executed one after the other, each by itself.
    fn each(statements: impl IntoIterator<Item = Statement>) -> Self {
        let execute = |stmt| Request::Execute { stmt };
        Self { requests: statements.into_iter().map(execute).chain([Request::Close]).collect() }
    }

    /// Writes that the primary executes one after the other, each by itself, and a statement after
    /// them.
    pub(super) fn group(writes: impl IntoIterator<Item = Statement>, after: Statement) -> Self {
        Self::each(writes.into_iter().chain([after]))
    }

    /// A read that the primary answers. A replica answers single reads and batches of reads itself,
    /// from what it has; a transaction that is still open after a request it leaves to the primary.
    pub(super) fn read(statement: Statement) -> Self {
        Self::each([Statement::plain("BEGIN"), statement, Statement::plain("COMMIT")])
    }

    /// Statements in one transaction, which is rolled back at the first error, and a statement after
    /// it.
    pub(super) fn transaction(statements: Vec<Statement>, after: Statement) -> Self {
        let whole = [Statement::plain("BEGIN IMMEDIATE")].into_iter().chain(statements);
        let whole = whole.chain([Statement::plain("COMMIT")]);
        let mut steps: Vec<Step> = whole
            .enumerate()
            .map(|(at, stmt)| Step {
                condition: at.checked_sub(1).map(|step| Condition::Ok { step }),
                stmt,
            })
            .collect();
        let committed = Condition::Ok { step: steps.len() - 1 };
        let condition = Some(Condition::Not { cond: Box::new(committed) });
        steps.push(Step { condition, stmt: Statement::plain("ROLLBACK") });
        let batch = Request::Batch { batch: Batch { steps } };
        Self { requests: vec![batch, Request::Execute { stmt: after }, Request::Close] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_goes_on_only_after_success() {
        let put = Statement::new("PUT", [Argument::from("k"), Argument::from(&b"\0\xff"[..])]);
        let json = serde_json::to_value(Pipeline::transaction(vec![put], Statement::plain("NOW")));
        let expected = serde_json::json!({ "requests": [
            { "type": "batch", "batch": { "steps": [
                { "stmt": { "sql": "BEGIN IMMEDIATE", "args": [] } },
                { "condition": { "type": "ok", "step": 0 }, "stmt": { "sql": "PUT", "args": [
                    { "type": "text", "value": "k" }, { "type": "blob", "base64": "AP8=" }
                ] } },
                { "condition": { "type": "ok", "step": 1 }, "stmt": { "sql": "COMMIT", "args": [] } },
                { "condition": { "type": "not", "cond": { "type": "ok", "step": 2 } }, "stmt": { "sql": "ROLLBACK", "args": [] } },
            ] } },
            { "type": "execute", "stmt": { "sql": "NOW", "args": [] } },
            { "type": "close" },
        ] });
        assert_eq!(json.expect("it can be written"), expected);
    }
}
