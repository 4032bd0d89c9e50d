//! Statements on tables of FTS5.

use super::{Generator, quote};

const WORDS: [&str; 7] =
    ["alpha", "beta", "gamma delta", "alpha gamma", "épsilon", "", "alpha' || char(0) || 'beta"];

impl Generator<'_> {
    pub(super) fn full_text(&mut self) -> String {
        if self.texts.is_empty() || self.chance(12) {
            let name = self.one(&["ft", "f t"]);
            self.texts.push(name);
            let option = self.one(&[
                "",
                ", tokenize = 'porter'",
                ", detail = none",
                ", prefix = '2'",
                ", columnsize = 0",
            ]);
            return format!(
                "CREATE VIRTUAL TABLE {} USING fts5(body, \"from\"{option})",
                quote(name)
            );
        }
        let index = self.below(self.texts.len());
        let table = quote(self.texts[index]);
        let (word, other) = (self.one(&WORDS), self.one(&WORDS));
        match self.below(8) {
            0 => format!("DELETE FROM {table} WHERE body = '{word}'"),
            1 => format!("UPDATE {table} SET body = '{word}' WHERE \"from\" = '{other}'"),
            2 => format!(
                "INSERT INTO {table}({table}) VALUES ('{}')",
                self.one(&["optimize", "rebuild", "integrity-check"])
            ),
            3 if self.chance(3) => {
                self.texts.remove(index);
                format!("DROP TABLE {table}")
            }
            3 => format!("ALTER TABLE {table} RENAME TO \"renamed\""),
            _ => format!("INSERT INTO {table} VALUES ('{word}', '{other}')"),
        }
    }
}
