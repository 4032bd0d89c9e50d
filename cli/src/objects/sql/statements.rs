//! Where statements of SQL end.
//!
//! Promises: the rules of SQLite's own `sqlite3_complete`, so that a semicolon in a string, in a
//! comment or in the body of a trigger ends nothing.

/// The statements of a text, without what is empty. The last one may lack its semicolon.
pub(in crate::objects) fn split(text: &str) -> Vec<&str> {
    let (mut statements, mut rest) = (Vec::new(), text);
    while !rest.trim().is_empty() {
        let end = end_of_first(rest).unwrap_or(rest.len());
        let statement = rest[..end].trim();
        if !is_blank(statement) {
            statements.push(statement);
        }
        rest = &rest[end..];
    }
    statements
}

/// Whether the text ends with the end of a statement.
pub(super) fn is_complete(text: &str) -> bool {
    let mut rest = text;
    while let Some(end) = end_of_first(rest) {
        rest = &rest[end..];
        if is_blank(rest) {
            return true;
        }
    }
    false
}

/// A part of a text that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Semicolon,
    Create,
    Temporary,
    Trigger,
    End,
    Explain,
    Other,
}

/// How far a statement has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Normal,
    /// After `EXPLAIN`.
    Explained,
    /// After `CREATE`.
    Created,
    /// In the body of a trigger.
    Trigger,
    /// In that body, after a semicolon.
    TriggerSemicolon,
    /// In that body, after `;END`.
    TriggerEnd,
}

impl State {
    /// The next state; `None` at the end of the statement.
    fn after(self, token: Token) -> Option<Self> {
        Some(match (self, token) {
            (
                Self::Start | Self::Normal | Self::Explained | Self::Created | Self::TriggerEnd,
                Token::Semicolon,
            ) => return None,
            (Self::Start, Token::Explain) => Self::Explained,
            (Self::Start | Self::Explained, Token::Create) => Self::Created,
            (Self::Explained, Token::Other) => Self::Explained,
            (Self::Created, Token::Temporary) => Self::Created,
            (Self::Created, Token::Trigger) => Self::Trigger,
            (Self::Trigger | Self::TriggerSemicolon, Token::Semicolon) => Self::TriggerSemicolon,
            (Self::TriggerSemicolon, Token::End) => Self::TriggerEnd,
            (Self::Trigger | Self::TriggerSemicolon | Self::TriggerEnd, _) => Self::Trigger,
            _ => Self::Normal,
        })
    }
}

/// Where the first statement ends, after its semicolon; `None` when it does not.
fn end_of_first(text: &str) -> Option<usize> {
    let (mut at, mut state) = (0, State::Start);
    while let Some((token, length)) = next(&text[at..]) {
        at += length;
        if let Some(token) = token {
            match state.after(token) {
                Some(next) => state = next,
                None => return Some(at),
            }
        }
    }
    None
}

/// Whether there is nothing but space, comments and semicolons.
fn is_blank(text: &str) -> bool {
    let mut at = 0;
    while let Some((token, length)) = next(&text[at..]) {
        at += length;
        if token.is_some_and(|token| token != Token::Semicolon) {
            return false;
        }
    }
    at == text.len()
}

/// The first token of a text, `None` for space and comments, and its length; nothing at the end, and
/// for a string or a comment that does not end.
fn next(text: &str) -> Option<(Option<Token>, usize)> {
    let first = text.chars().next()?;
    let closed = |end: &str, from: usize| text[from..].find(end).map(|at| from + at + end.len());
    match first {
        ';' => Some((Some(Token::Semicolon), 1)),
        '-' if text.starts_with("--") => Some((None, closed("\n", 2).unwrap_or(text.len()))),
        '/' if text.starts_with("/*") => closed("*/", 2).map(|length| (None, length)),
        '\'' | '"' | '`' => {
            closed(&first.to_string(), 1).map(|length| (Some(Token::Other), length))
        }
        '[' => closed("]", 1).map(|length| (Some(Token::Other), length)),
        space if space.is_whitespace() => Some((None, space.len_utf8())),
        letter if is_word(letter) => {
            let length = text.find(|char: char| !is_word(char)).unwrap_or(text.len());
            Some((Some(word(&text[..length])), length))
        }
        other => Some((Some(Token::Other), other.len_utf8())),
    }
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$' || !char.is_ascii()
}

fn word(text: &str) -> Token {
    match text.to_ascii_lowercase().as_str() {
        "create" => Token::Create,
        "temp" | "temporary" => Token::Temporary,
        "trigger" => Token::Trigger,
        "end" => Token::End,
        "explain" => Token::Explain,
        _ => Token::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_sqlite_says() {
        let trigger =
            "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT ';'; DELETE FROM b; END;";
        let text = format!(
            "SELECT 1; -- a; b\n/* ; */ SELECT 'it''s; ' || \"x;\" || [y;] ;;\n{trigger}\nSELECT `z;`"
        );
        let statements = split(&text);
        assert_eq!(statements.len(), 4, "{statements:?}");
        assert_eq!(statements[0], "SELECT 1;");
        assert_eq!(statements[2], trigger);
        assert_eq!(statements[3], "SELECT `z;`");
        assert_eq!(split("  \n;;-- nothing\n"), Vec::<&str>::new());
        assert_eq!(split("EXPLAIN SELECT 1; SELECT 2").len(), 2);
    }

    #[test]
    fn a_statement_is_complete_after_its_semicolon() {
        for complete in ["SELECT 1;", "SELECT 1; -- done", "SELECT 1; /* done */ ", "SELECT ';';"] {
            assert!(is_complete(complete), "{complete}");
        }
        for open in [
            "",
            "SELECT 1",
            "SELECT ';",
            "SELECT 1; SELECT",
            "SELECT 1 /* ;",
            "CREATE TRIGGER t BEGIN SELECT 1;",
        ] {
            assert!(!is_complete(open), "{open}");
        }
    }
}
