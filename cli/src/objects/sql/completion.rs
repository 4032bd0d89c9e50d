//! What the prompt completes, and when a line is whole.

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::statements::is_complete;
use crate::objects::shapes::Description;

/// The commands of the prompt, with what they do.
pub(super) const COMMANDS: &[(&str, &str)] = &[
    (".tables", "list the tables"),
    (".schema", "show the statements that made the schema, or one table (.schema TABLE)"),
    (".timing", "show how long statements take: .timing on, .timing off"),
    (".mode", "how rows are printed: .mode table, .mode json, .mode csv"),
    (".help", "list these commands"),
    (".quit", "end the prompt (also Ctrl-D)"),
];

/// Words of SQL that are completed.
const WORDS: &[&str] = &[
    "ALTER",
    "AND",
    "ASC",
    "BETWEEN",
    "CASE",
    "COUNT",
    "CREATE",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXISTS",
    "EXPLAIN",
    "FROM",
    "GROUP BY",
    "HAVING",
    "INDEX",
    "INSERT INTO",
    "IS NULL",
    "JOIN",
    "LEFT JOIN",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "OR",
    "ORDER BY",
    "PRIMARY KEY",
    "QUERY PLAN",
    "RETURNING",
    "SELECT",
    "SET",
    "TABLE",
    "THEN",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Completes names of the object's database.
pub(super) struct Assistant {
    /// Tables and views, as they are written in SQL.
    tables: Vec<String>,
    /// Columns, as they are written in SQL.
    columns: Vec<String>,
}

impl Assistant {
    /// Knows no names.
    pub(super) fn new() -> Self {
        Self { tables: Vec::new(), columns: Vec::new() }
    }

    /// Knows the names in a database.
    pub(super) fn learn(&mut self, found: &Description) {
        let tables = &found.database.tables;
        let views = found.database.views.iter();
        let views = views.filter_map(|view| view.as_str().or_else(|| view["name"].as_str()));
        self.tables = tables.iter().map(|table| &*table.name).chain(views).map(written).collect();
        let columns = tables.iter().flat_map(|table| &table.columns);
        self.columns = columns.map(|column| written(&column.name)).collect();
        self.columns.sort();
        self.columns.dedup();
    }

    /// What the word that ends at the end of `before` may become, and where the word begins.
    fn candidates(&self, before: &str) -> (usize, Vec<String>) {
        let start = before
            .rfind(|char: char| !is_part(char))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        let begins = |name: &&str| {
            name.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
        };
        if before.trim_start().starts_with('.') && start == before.len() - before.trim_start().len()
        {
            let commands = COMMANDS.iter().map(|(name, _)| *name).filter(begins);
            return (start, commands.map(str::to_owned).collect());
        }
        let names = self.tables.iter().chain(&self.columns).map(String::as_str);
        let mut found: Vec<String> = names.filter(begins).map(str::to_owned).collect();
        let is_sql = !before.trim_start().starts_with('.');
        if found.is_empty() && !word.is_empty() && is_sql {
            found.extend(WORDS.iter().copied().filter(begins).map(str::to_owned));
        }
        found.dedup();
        (start, found)
    }
}

/// Whether a character is a part of a word that is completed.
fn is_part(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '.' | '"')
}

/// A name as it is written in SQL.
fn written(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
    let is_word =
        WORDS.iter().any(|word| word.split(' ').any(|part| part.eq_ignore_ascii_case(name)));
    if is_plain && !is_word {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

impl Helper for Assistant {}

impl Highlighter for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, names) = self.candidates(&line[..at]);
        let pair = |name: String| Pair { display: name.clone(), replacement: name };
        Ok((start, names.into_iter().map(pair).collect()))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let is_whole =
            text.trim().is_empty() || text.trim_start().starts_with('.') || is_complete(text);
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assistant() -> Assistant {
        let tables = ["things", "order"].map(written).to_vec();
        Assistant { tables, columns: vec!["id".to_owned(), "type".to_owned()] }
    }

    fn completed(before: &str) -> (usize, Vec<String>) {
        assistant().candidates(before)
    }

    #[test]
    fn tables_columns_words_and_commands_are_completed() {
        assert_eq!(completed("SELECT * FROM th"), (14, vec!["things".to_owned()]));
        assert_eq!(completed("select ty"), (7, vec!["type".to_owned()]));
        assert_eq!(completed("sel"), (0, vec!["SELECT".to_owned()]));
        assert_eq!(completed("SELECT * FROM \"or"), (14, vec!["\"order\"".to_owned()]));
        assert_eq!(completed(".ti"), (0, vec![".timing".to_owned()]));
        assert_eq!(completed(".schema th"), (8, vec!["things".to_owned()]));
        assert_eq!(completed("x,t").1, ["things", "type"]);
    }
}
