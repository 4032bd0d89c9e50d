//! JSON with comments and trailing commas, as JSON.

/// The text without comments and trailing commas, which become spaces, so that places in errors stay.
pub(super) fn without_comments(text: &str) -> String {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut comma = None;
    while let Some(letter) = rest.next() {
        match letter {
            '"' => {
                comma = None;
                out.push('"');
                copy_string(&mut rest, &mut out);
            }
            '/' if rest.peek() == Some(&'/') => {
                out.push(' ');
                while rest.peek().is_some_and(|letter| *letter != '\n') {
                    rest.next();
                    out.push(' ');
                }
            }
            '/' if rest.peek() == Some(&'*') => {
                out.push(' ');
                skip_block(&mut rest, &mut out);
            }
            ',' => {
                comma = Some(out.len());
                out.push(',');
            }
            '}' | ']' => {
                if let Some(at) = comma.take() {
                    out[at] = ' ';
                }
                out.push(letter);
            }
            letter => {
                if !letter.is_whitespace() {
                    comma = None;
                }
                out.push(letter);
            }
        }
    }
    out.into_iter().collect()
}

type Letters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Copies a string to its end.
fn copy_string(rest: &mut Letters<'_>, out: &mut Vec<char>) {
    let mut is_escaped = false;
    for letter in rest.by_ref() {
        out.push(letter);
        match letter {
            '"' if !is_escaped => return,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
}

/// Skips a comment to its end; lines stay.
fn skip_block(rest: &mut Letters<'_>, out: &mut Vec<char>) {
    let mut last = ' ';
    // The star of its beginning is not that of its end.
    rest.next();
    out.push(' ');
    for letter in rest.by_ref() {
        out.push(if letter == '\n' { '\n' } else { ' ' });
        if last == '*' && letter == '/' {
            return;
        }
        last = letter;
    }
}
