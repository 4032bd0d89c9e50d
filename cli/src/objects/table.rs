//! Tables of text for people.
//!
//! Promises: what an object holds can't control the terminal.

use crate::display::Paint;
use crate::failure::{Failure, put};

/// Maximum width of a column but the last, in characters.
const COLUMN_CHARS_MAX: usize = 60;

/// On which side of a column its text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table whose columns are as wide as what is in them.
pub(crate) struct Table {
    heads: Vec<String>,
    sides: Vec<Side>,
    widths: Vec<usize>,
    rows: Vec<Vec<String>>,
    is_headed: bool,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Side)>) -> Self {
        let (heads, sides): (Vec<String>, Vec<Side>) =
            columns.into_iter().map(|(head, side)| (shown(head), side)).unzip();
        let widths = heads.iter().map(|head| head.chars().count()).collect();
        Self { heads, sides, widths, rows: Vec::new(), is_headed: false }
    }

    /// One more row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<String> = cells.into_iter().map(|cell| shown(&cell)).collect();
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = (*width).max(cell.chars().count().min(COLUMN_CHARS_MAX));
        }
        self.rows.push(row);
    }

    /// Prints the rows that were not printed, after the head if that was not.
    ///
    /// # Errors
    ///
    /// `Unread` when nobody reads it.
    pub(crate) fn print(&mut self, paint: Paint) -> Result<(), Failure> {
        let mut text = String::new();
        if !self.is_headed {
            self.is_headed = true;
            text.push_str(&paint.bold(&self.line(&self.heads)));
            text.push('\n');
        }
        for row in std::mem::take(&mut self.rows) {
            text.push_str(&self.line(&row));
            text.push('\n');
        }
        put(&text)
    }

    fn line(&self, cells: &[String]) -> String {
        let cells = cells.iter().zip(&self.sides).zip(&self.widths);
        let padded = cells.map(|((cell, side), width)| match side {
            Side::Left => format!("{cell:<width$}"),
            Side::Right => format!("{cell:>width$}"),
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// Text of an object on one line: control characters are written as in a string of Rust.
pub(crate) fn shown(text: &str) -> String {
    let is_plain = |char: char| !char.is_control() && !is_direction(char);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    let written = |char: char| {
        if is_plain(char) { char.to_string() } else { char.escape_default().to_string() }
    };
    text.chars().map(written).collect()
}

/// Whether a character changes the direction of the text around it.
fn is_direction(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A number of bytes in the largest unit that fits.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut size = count as f64;
    let mut unit = "B";
    for next in UNITS {
        if size < 999.5 {
            break;
        }
        size /= 1000.0;
        unit = next;
    }
    if size < 9.95 { format!("{size:.1} {unit}") } else { format!("{size:.0} {unit}") }
}

/// `count` and a noun, in the plural unless it is one.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

/// A time of the routes (RFC 3339) for people: to the second.
pub(crate) fn time(text: &str) -> String {
    let time = text.parse::<jiff::Timestamp>().ok();
    let whole = time.and_then(|time| jiff::Timestamp::from_second(time.as_second()).ok());
    whole.map_or_else(|| shown(text), |time| time.to_string().replace('T', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_two_or_three_digits() {
        let sizes = [0, 999, 1000, 9940, 9960, 999_499, 999_500, 1_234_567, 12_345_678_901];
        let shown: Vec<String> = sizes.into_iter().map(bytes).collect();
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "1.2 MB", "12 GB"]
        );
    }

    #[test]
    fn text_of_objects_can_not_control_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\n\u{202e}"), "a\\u{1b}[31mb\\n\\u{202e}");
        assert_eq!(shown("grüße"), "grüße");
    }

    #[test]
    fn times_are_shown_to_the_second() {
        assert_eq!(time("2026-01-31T12:00:00.123Z"), "2026-01-31 12:00:00Z");
        assert_eq!(time("never"), "never");
    }

    #[test]
    fn columns_are_as_wide_as_their_content() {
        let mut table = Table::new([("a", Side::Left), ("number", Side::Right)]);
        table.row(["long text".to_owned(), "5".to_owned()]);
        assert_eq!(table.line(&table.rows[0].clone()), "long text       5");
        assert_eq!(table.line(&table.heads.clone()), "a          number");
    }
}
