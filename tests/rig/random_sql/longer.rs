//! What takes more than one statement, what is said again, and what is only explained.

use super::{Generator, TABLES, Table, quote};

/// How many statements that define something may be said again: fewer than a program keeps
/// prepared.
const SAID_MAX: usize = 8;

/// How many columns a wide table has, and how long the names are: a hidden rowid takes the place of
/// one of SQLite's 2000. The widest are rare, because everything about them takes long.
const WIDTHS: [(usize, usize); 12] = [
    (99, 1),
    (99, 200),
    (99, 1),
    (99, 60),
    (99, 1),
    (99, 30),
    (99, 1),
    (99, 1),
    (500, 60),
    (1999, 1),
    (1998, 5),
    (2001, 1),
];

impl Generator<'_> {
    /// The next statement of the script. A plan of several statements goes on in the next
    /// transaction too, with others between its own.
    pub(super) fn next(&mut self) -> String {
        if !self.planned.is_empty() && !self.chance(4) {
            return self.planned.pop_front().unwrap_or_default();
        }
        let text = match self.below(24) {
            1..=3 if !self.said.is_empty() => self.again(),
            4 => self.explained(),
            5 if !self.tables.is_empty() => self.rebuild(),
            6 if self.tables.len() > 1 => self.swap_names(),
            7 => self.taken_back(),
            8 => self.at_a_limit(),
            _ => self.statement(),
        };
        if ["CREATE", "DROP", "REINDEX"].iter().any(|verb| text.starts_with(verb)) {
            if self.said.len() == SAID_MAX {
                self.said.remove(0);
            }
            self.said.push(text.clone());
        }
        text
    }

    /// The same text as some time ago, whatever it does now: programs keep it prepared.
    fn again(&mut self) -> String {
        let index = self.below(self.said.len());
        self.said[index].clone()
    }

    /// What would be done, which changes nothing of what is believed to exist.
    fn explained(&mut self) -> String {
        let (tables, others, texts) =
            (self.tables.clone(), self.others.clone(), self.texts.clone());
        let text = format!("{} {}", self.one(&["EXPLAIN", "EXPLAIN QUERY PLAN"]), self.statement());
        (self.tables, self.others, self.texts) = (tables, others, texts);
        text
    }

    /// A table made anew in the way that SQLite's documentation tells for changes that `ALTER
    /// TABLE` can't make.
    fn rebuild(&mut self) -> String {
        let index = self.below(self.tables.len());
        let Table { name, columns } = self.tables[index].clone();
        let (new, old) = (quote(&format!("new {name}")), quote(&name));
        let list = columns.iter().map(|column| quote(column)).collect::<Vec<_>>().join(", ");
        let first = match self.below(3) {
            0 => format!("CREATE TABLE {new} AS SELECT * FROM {old}"),
            _ => {
                let key = self.one(&["", " UNIQUE", " PRIMARY KEY"]);
                let rest: String =
                    columns.iter().skip(1).map(|column| format!(", {}", quote(column))).collect();
                self.planned.push_back(format!(
                    "INSERT OR IGNORE INTO {new}({list}) SELECT {list} FROM {old}"
                ));
                format!("CREATE TABLE {new}({}{key}{rest})", quote(&columns[0]))
            }
        };
        let drop = format!("DROP TABLE {}{old}", self.maybe("IF EXISTS "));
        self.planned.push_back(drop);
        self.planned.push_back(format!("ALTER TABLE {new} RENAME TO {old}"));
        first
    }

    /// Two tables that take each other's name.
    fn swap_names(&mut self) -> String {
        let (first, second) = (self.below(self.tables.len()), self.below(self.tables.len()));
        let (a, b) = (self.tables[first].name.clone(), self.tables[second].name.clone());
        self.tables[first].name.clone_from(&b);
        self.tables[second].name.clone_from(&a);
        self.planned.push_back(format!("ALTER TABLE {} RENAME TO {}", quote(&b), quote(&a)));
        self.planned.push_back(format!("ALTER TABLE \"between\" RENAME TO {}", quote(&b)));
        format!("ALTER TABLE {} RENAME TO \"between\"", quote(&a))
    }

    /// A savepoint around something that defines, which is then taken back, or kept, or only said
    /// to be taken back.
    fn taken_back(&mut self) -> String {
        let name = quote(self.one(&["s", "S", "Save point"]));
        let before = (self.tables.clone(), self.others.clone());
        for _ in 0..=self.below(2) {
            let inside = match self.below(4) {
                0 => self.create_table(),
                1 => self.drop_something(),
                2 if !self.tables.is_empty() => self.alter(),
                _ => self.statement(),
            };
            self.planned.push_back(inside);
        }
        let back = self.one(&["ROLLBACK TO ", "ROLLBACK TO ", "EXPLAIN ROLLBACK TO ", "RELEASE "]);
        if back.starts_with("ROLLBACK") {
            (self.tables, self.others) = before;
        }
        self.planned.push_back(format!("{back}{name}"));
        if !back.starts_with("RELEASE") {
            let after = self.create_table();
            self.planned.push_back(after);
            self.planned.push_back(format!("RELEASE {name}"));
        }
        format!("SAVEPOINT {name}")
    }

    /// As many columns, as long a name or as many variables as SQLite takes, or one more.
    fn at_a_limit(&mut self) -> String {
        match self.below(4) {
            0 => format!("SELECT ?{}", self.one(&["1", "32766", "32767"])),
            1 => {
                let name = quote(&"long ".repeat(self.one(&[10, 100, 400])));
                self.planned.push_back(format!("INSERT INTO {name} VALUES (1, 2)"));
                let drop = format!("DROP TABLE {}{name}", self.maybe("IF EXISTS "));
                self.planned.push_back(drop);
                format!("CREATE TABLE {name}(a, b UNIQUE)")
            }
            _ => {
                let (count, length) = self.one(&WIDTHS);
                let pad = "w".repeat(length);
                let columns: Vec<String> =
                    (0..count).map(|number| format!("{pad}{number}")).collect();
                let insert = format!(
                    "INSERT INTO wide({pad}0, {pad}{}) VALUES ({}, 7)",
                    count - 1,
                    self.value()
                );
                self.planned.push_back(insert);
                self.planned.push_back("DROP TABLE IF EXISTS wide".to_owned());
                format!("CREATE TABLE {}wide({})", self.maybe("IF NOT EXISTS "), columns.join(","))
            }
        }
    }

    /// These words, or none.
    pub(super) fn maybe(&mut self, words: &'static str) -> &'static str {
        if self.chance(3) { words } else { "" }
    }

    /// A name of a table, of one that there may not be.
    pub(super) fn some_name(&mut self) -> String {
        if self.tables.is_empty() || self.chance(4) {
            self.one(&TABLES).to_owned()
        } else {
            self.table().name
        }
    }
}
