//! Rows as text.

use serde_json::Value;

use super::Mode;
use crate::display::Paint;
use crate::objects::shapes::Rows;
use crate::objects::table::shown;

/// Number of bytes of a blob that are shown to people.
const BLOB_BYTES_SHOWN: usize = 16;
/// Maximum width of a column of a table, in characters; the last one may be wider.
const COLUMN_CHARS_MAX: usize = 80;

/// The rows as they are printed.
pub(in crate::objects) fn render(rows: &Rows, mode: Mode, paint: Paint) -> String {
    match mode {
        _ if rows.columns.is_empty() => String::new(),
        Mode::Csv => csv(rows),
        Mode::Table | Mode::Json => table(rows, paint),
    }
}

fn table(rows: &Rows, paint: Paint) -> String {
    let heads: Vec<String> = rows.columns.iter().map(|name| shown(name)).collect();
    let cells: Vec<Vec<String>> =
        rows.rows.iter().map(|row| row.iter().map(for_people).collect()).collect();
    let width = |at: usize| {
        let widths = cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        widths.chain([heads[at].chars().count()]).max().unwrap_or(0).min(COLUMN_CHARS_MAX)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let is_number = |at: usize| {
        let mut values =
            rows.rows.iter().filter_map(|row| row.get(at)).filter(|value| !value.is_null());
        values.clone().next().is_some() && values.all(Value::is_number)
    };
    let numbers: Vec<bool> = (0..heads.len()).map(is_number).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).zip(&numbers).map(|((cell, width), number)| {
            if *number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
    let mut text = format!("{}\n{}\n", paint.bold(&line(&heads)), paint.dim(&rule.join("  ")));
    for row in &cells {
        text.push_str(&line(row));
        text.push('\n');
    }
    text
}

/// A value in a table.
fn for_people(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => shown(text),
        Value::Object(_) => match bytes_of(value) {
            Some(bytes) => short_hex(&bytes),
            None => value["real"].as_str().map_or_else(|| value.to_string(), shown),
        },
        other => other.to_string(),
    }
}

/// The bytes of a blob, or of text that is not UTF-8.
fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let text = value["base64"].as_str().or_else(|| value["textBase64"].as_str())?;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

fn short_hex(bytes: &[u8]) -> String {
    let more = match bytes.len().saturating_sub(BLOB_BYTES_SHOWN) {
        0 => String::new(),
        more => format!("… ({more} more)"),
    };
    format!("x'{}'{more}", hex(&bytes[..bytes.len().min(BLOB_BYTES_SHOWN)]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Comma-separated values (RFC 4180), with lines that end as on Unix. NULL is empty, and a blob is in
/// hexadecimal digits.
fn csv(rows: &Rows) -> String {
    let head = rows.columns.iter().map(|name| quoted(name));
    let mut text = head.collect::<Vec<_>>().join(",") + "\n";
    for row in &rows.rows {
        let cells = row.iter().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) if text.is_empty() => "\"\"".to_owned(),
            Value::String(text) => quoted(text),
            Value::Object(_) => match bytes_of(value) {
                Some(bytes) => hex(&bytes),
                None => value["real"].as_str().unwrap_or_default().to_owned(),
            },
            other => other.to_string(),
        });
        text.push_str(&cells.collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows() -> Rows {
        let rows = json!({
            "columns": ["id", "name", "data"],
            "rows": [
                [1, "a, \"b\"", null],
                [-20, "line\nline\u{1b}", {"base64": "AAECAwQFBgcICQoLDA0ODxAR"}],
                [3, "", {"real": "inf"}],
            ],
        });
        serde_json::from_value(rows).expect("rows")
    }

    #[test]
    fn tables_are_for_people() {
        let text = table(&rows(), Paint::plain());
        let expected = [
            " id  name              data",
            "───  ────────────────  ─────────────────────────────────────────────",
            "  1  a, \"b\"            NULL",
            "-20  line\\nline\\u{1b}  x'000102030405060708090a0b0c0d0e0f'… (2 more)",
            "  3                    inf",
            "",
        ];
        assert_eq!(text, expected.join("\n"));
    }

    #[test]
    fn csv_can_be_read_again() {
        let expected = "id,name,data\n1,\"a, \"\"b\"\"\",\n-20,\"line\nline\u{1b}\",000102030405060708090a0b0c0d0e0f1011\n3,\"\",inf\n";
        assert_eq!(csv(&rows()), expected);
    }
}
