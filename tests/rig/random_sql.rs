//! Random SQL for tests that compare databases: schemas and statements of every kind, some of which
//! fail.
//!
//! A script is made from a list of choices and nothing else, so the same list gives the same
//! script, and a shorter list a shorter script: property tests can shrink it. The statements are
//! deterministic (no clock, no randomness), need nothing but an empty database, and don't end the
//! transaction that they run in, with one exception: where AUTOINCREMENT has used the largest
//! rowid, SQLite rolls the whole transaction back. What fails in one SQLite fails in another of the
//! same version.
//!
//! This module uses only the standard library, because tests of other crates include it.

use std::collections::VecDeque;

#[path = "random_sql/full_text.rs"]
mod full_text;
#[path = "random_sql/longer.rs"]
mod longer;

/// The most choices that a script makes use of; more make longer tests, not other ones.
pub const CHOICES_MAX: usize = 1000;

/// Transactions, each a list of single statements.
pub type Script = Vec<Vec<String>>;

/// Makes the script of these choices.
pub fn script(choices: &[u32]) -> Script {
    let mut generator = Generator {
        choices: choices.iter(),
        tables: Vec::new(),
        others: Vec::new(),
        texts: Vec::new(),
        savepoints: 0,
        said: Vec::new(),
        planned: VecDeque::new(),
    };
    let mut script = Vec::new();
    while generator.choices.len() > 0 {
        let count = 1 + generator.below(6);
        let transaction: Vec<String> = (0..count).map(|_| generator.next()).collect();
        script.push(transaction);
        generator.savepoints = 0;
    }
    script
}

const TABLES: [&str; 9] = ["t", "from", "order", "a b", "q\"q", "Ünï", "it's", "x;y", "T2"];
const COLUMNS: [&str; 9] = ["a", "order", "b c", "d\"e", "Group", "é", "to", "rowid", "k"];
const OTHERS: [&str; 6] = ["i1", "index", "i 2", "v\"1", "where", "x2"];
const TYPES: [&str; 16] = [
    "",
    "INTEGER",
    "INT",
    "BIGINT UNSIGNED",
    "TEXT",
    "VARCHAR(10)",
    "REAL",
    "DOUBLE PRECISION",
    "FLOAT",
    "NUMERIC",
    "DECIMAL(10,5)",
    "BLOB",
    "BOOLEAN",
    "DATE",
    "JSON",
    "ANY",
];
const STRICT_TYPES: [&str; 6] = ["INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"];
const VALUES: [&str; 29] = [
    "NULL",
    "0",
    "1",
    "-1",
    "2",
    "3",
    "42",
    "9223372036854775807",
    "-9223372036854775808",
    "1.0",
    "1.5",
    "-0.0",
    "9e999",
    "-9e999",
    "1e-320",
    "9007199254740993.0",
    "'text'",
    "''",
    "'12'",
    "' 7 '",
    "'1e3'",
    "'it''s \"quoted\"'",
    "'alpha beta alpha'",
    "X''",
    "X'00ff00'",
    "CAST(X'ff8061' AS TEXT)",
    "CAST(X'610062' AS TEXT)",
    "char(0, 97, 0)",
    "replace(hex(zeroblob(700)), '0', 'long ')",
];
const COLLATIONS: [&str; 4] = ["", " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE BINARY"];

/// What is believed to exist. It may be wrong after a statement failed or was rolled back; then
/// later statements fail.
struct Generator<'c> {
    choices: std::slice::Iter<'c, u32>,
    tables: Vec<Table>,
    /// Indexes, views and triggers.
    others: Vec<(&'static str, &'static str)>,
    /// FTS5 tables.
    texts: Vec<&'static str>,
    savepoints: usize,
    /// What may be said again.
    said: Vec<String>,
    /// What must follow, in this order.
    planned: VecDeque<String>,
}

#[derive(Clone)]
struct Table {
    name: String,
    columns: Vec<String>,
}

impl Generator<'_> {
    /// A number below `end`; 0 when the choices are used up.
    fn below(&mut self, end: usize) -> usize {
        self.choices.next().map_or(0, |choice| *choice as usize % end)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 1
    }

    fn statement(&mut self) -> String {
        if self.tables.is_empty() {
            return self.create_table();
        }
        match self.below(40) {
            0..=2 => self.create_table(),
            3..=13 => self.insert(),
            14..=18 => self.update(),
            19..=20 => self.delete(),
            21..=22 => self.alter(),
            23..=24 => self.create_index(),
            25 => self.create_trigger(),
            26 => self.create_view(),
            27..=28 => self.drop_something(),
            29 => self.create_table_as(),
            30..=31 => self.savepoint(),
            32 => format!("PRAGMA user_version = {}", self.below(5)),
            33 => format!("UPDATE sqlite_sequence SET seq = {}", self.below(9)),
            34..=38 => self.full_text(),
            _ => "REINDEX".to_owned(),
        }
    }

    fn table(&mut self) -> Table {
        let index = self.below(self.tables.len());
        self.tables[index].clone()
    }

    fn column(&mut self, table: &Table) -> String {
        quote(&table.columns[self.below(table.columns.len())])
    }

    fn value(&mut self) -> &'static str {
        self.one(&VALUES)
    }

    fn create_table(&mut self) -> String {
        let (strict, without_rowid) = (self.chance(5), self.chance(4));
        let name = self.one(&TABLES);
        let first = self.below(COLUMNS.len());
        let count = 1 + self.below(4);
        let columns: Vec<String> =
            (0..count).map(|offset| COLUMNS[(first + offset) % COLUMNS.len()].to_owned()).collect();
        let key = if without_rowid { 1 + self.below(2) } else { self.below(6) };
        let mut parts = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let mut part = self.column_definition(column, strict);
            if index == 0 && key == 3 {
                part = format!("{} INTEGER PRIMARY KEY", quote(column));
            } else if index == 0 && key == 4 {
                part = format!("{} INTEGER PRIMARY KEY AUTOINCREMENT", quote(column));
            }
            parts.push(part);
        }
        if self.chance(3) {
            let stored = self.one(&["STORED", "VIRTUAL"]);
            parts.push(format!(
                "gen {} AS (coalesce({}, 'none')) {stored}",
                if strict { "ANY" } else { "" },
                quote(&columns[0])
            ));
        }
        if key == 1 || key == 2 {
            let terms = columns
                .iter()
                .rev()
                .take(key)
                .map(|column| format!("{}{}", quote(column), self.one(&COLLATIONS)));
            parts.push(format!("PRIMARY KEY({})", terms.collect::<Vec<_>>().join(", ")));
        }
        if self.chance(5) && !self.tables.is_empty() {
            let parent = self.table();
            let action = self.one(&["CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION"]);
            let column = quote(&columns[count - 1]);
            parts.push(format!(
                "FOREIGN KEY({column}) REFERENCES {}({}) ON DELETE {action} ON UPDATE {action} DEFERRABLE INITIALLY DEFERRED",
                quote(&parent.name),
                self.column(&parent)
            ));
        }
        let options: Vec<&str> = [("STRICT", strict), ("WITHOUT ROWID", without_rowid)]
            .iter()
            .filter(|(_, on)| *on)
            .map(|(name, _)| *name)
            .collect();
        let if_missing = self.maybe("IF NOT EXISTS ");
        if if_missing.is_empty()
            || !self.tables.iter().any(|table| table.name.eq_ignore_ascii_case(name))
        {
            self.forget(name);
            self.tables.push(Table { name: name.to_owned(), columns });
        }
        format!(
            "CREATE TABLE {if_missing}{}({}) {}",
            quote(name),
            parts.join(", "),
            options.join(", ")
        )
    }

    fn column_definition(&mut self, column: &str, strict: bool) -> String {
        let kind = if strict { self.one(&STRICT_TYPES) } else { self.one(&TYPES) };
        let constraint = match self.below(12) {
            1 => " UNIQUE".to_owned(),
            2 => " UNIQUE ON CONFLICT REPLACE".to_owned(),
            3 => format!(" DEFAULT {}", self.one(&["5", "'d'", "1.5", "X'01'", "(1 + 1)"])),
            4 => " NOT NULL DEFAULT 1".to_owned(),
            5 => format!(" CHECK ({} IS NOT 3)", quote(column)),
            _ => self.one(&COLLATIONS).to_owned(),
        };
        format!("{} {kind}{constraint}", quote(column))
    }

    fn create_table_as(&mut self) -> String {
        let (from, name) = (self.table(), self.one(&TABLES));
        self.forget(name);
        self.tables.push(Table { name: name.to_owned(), columns: from.columns.clone() });
        format!(
            "CREATE TABLE {}{} AS SELECT * FROM {}",
            self.maybe("IF NOT EXISTS "),
            quote(name),
            quote(&from.name)
        )
    }

    fn insert(&mut self) -> String {
        let table = self.table();
        let verb = self.one(&[
            "INSERT",
            "INSERT",
            "INSERT OR REPLACE",
            "INSERT OR IGNORE",
            "INSERT OR FAIL",
        ]);
        let head = format!("{verb} INTO {}", quote(&table.name));
        if self.chance(8) {
            // Without a limit SQLite copies whole rows in a way of its own; with one, tables stay
            // small.
            let (from, limit) = (self.table(), self.one(&["", " LIMIT 5", " LIMIT 20"]));
            let limit = if from.name == table.name { " LIMIT 5" } else { limit };
            return format!("{head} SELECT * FROM {}{limit}", quote(&from.name));
        }
        let columns: Vec<String> = table.columns.iter().map(|column| quote(column)).collect();
        let count = 1 + self.below(4);
        let rows: Vec<String> =
            (0..count).map(|_| format!("({})", self.values(columns.len()))).collect();
        let tail = match self.below(8) {
            1 => " ON CONFLICT DO NOTHING".to_owned(),
            2 => {
                let (column, value) = (self.column(&table), self.value());
                format!(" ON CONFLICT DO UPDATE SET {column} = {value}")
            }
            3 => " RETURNING *".to_owned(),
            _ => String::new(),
        };
        format!("{head}({}) VALUES {}{tail}", columns.join(", "), rows.join(", "))
    }

    fn values(&mut self, count: usize) -> String {
        (0..count).map(|_| self.value()).collect::<Vec<_>>().join(", ")
    }

    fn update(&mut self) -> String {
        let table = self.table();
        let (column, or) =
            (self.column(&table), self.one(&["", "OR REPLACE ", "OR IGNORE ", "OR FAIL "]));
        let value = match self.below(5) {
            1 => format!("{column} + 1"),
            2 => format!("{column} || 'x'"),
            3 => format!("upper({column})"),
            _ => self.value().to_owned(),
        };
        format!(
            "UPDATE {or}{} SET {column} = {value}{}",
            quote(&table.name),
            self.condition(&table)
        )
    }

    fn delete(&mut self) -> String {
        let table = self.table();
        format!("DELETE FROM {}{}", quote(&table.name), self.condition(&table))
    }

    fn condition(&mut self, table: &Table) -> String {
        let column = self.column(table);
        match self.below(5) {
            0 => String::new(),
            1 => format!(" WHERE {column} IS {}", self.value()),
            2 => format!(" WHERE {column} > {}", self.value()),
            3 => format!(" WHERE typeof({column}) = 'text'"),
            _ => format!(" WHERE {column} IS NOT {}", self.value()),
        }
    }

    fn alter(&mut self) -> String {
        let index = self.below(self.tables.len());
        let table = self.tables[index].clone();
        let head = format!("ALTER TABLE {}", quote(&table.name));
        let (column, new) = (self.column(&table), self.one(&COLUMNS));
        match self.below(6) {
            0 | 1 => {
                let name = self.one(&TABLES);
                name.clone_into(&mut self.tables[index].name);
                format!("{head} RENAME TO {}", quote(name))
            }
            2 => {
                self.tables[index]
                    .columns
                    .iter_mut()
                    .filter(|old| quote(old) == column)
                    .for_each(|old| new.clone_into(old));
                format!("{head} RENAME COLUMN {column} TO {}", quote(new))
            }
            3 if table.columns.len() > 1 => {
                let dropped = table.columns.iter().position(|old| quote(old) == column);
                dropped.map(|position| self.tables[index].columns.remove(position));
                format!("{head} DROP COLUMN {column}")
            }
            _ => {
                let added = format!("{new} {}", self.below(9));
                self.tables[index].columns.push(added.clone());
                format!(
                    "{head} ADD COLUMN {} {}",
                    quote(&added),
                    self.one(&[
                        "",
                        "TEXT DEFAULT 'new'",
                        "REAL DEFAULT 5",
                        "INT NOT NULL DEFAULT 0"
                    ])
                )
            }
        }
    }

    fn create_index(&mut self) -> String {
        let (table, name, unique) = (self.table(), self.one(&OTHERS), self.one(&["", "UNIQUE "]));
        let (first, second) = (self.column(&table), self.column(&table));
        let columns = match self.below(4) {
            0 => format!("{first}{} DESC, {second}", self.one(&COLLATIONS)),
            1 => format!("coalesce({first}, 0) || 'x'"),
            _ => format!("{first}{}", self.one(&COLLATIONS)),
        };
        let partial =
            if self.chance(3) { format!(" WHERE {second} IS NOT NULL") } else { String::new() };
        self.others.push(("INDEX", name));
        format!(
            "CREATE {unique}INDEX {}{} ON {}({columns}){partial}",
            self.maybe("IF NOT EXISTS "),
            quote(name),
            quote(&table.name)
        )
    }

    fn create_trigger(&mut self) -> String {
        let (table, target, name) = (self.table(), self.table(), self.one(&OTHERS));
        let event = self.one(&["BEFORE INSERT", "AFTER INSERT", "AFTER UPDATE", "AFTER DELETE"]);
        let column = self.column(&target);
        let body = match self.below(3) {
            0 => format!("DELETE FROM {} WHERE {column} = 2", quote(&target.name)),
            1 => format!(
                "UPDATE {} SET {column} = {column} WHERE {column} IS NOT NULL",
                quote(&target.name)
            ),
            _ => format!("INSERT INTO {}({column}) VALUES ({})", quote(&target.name), self.value()),
        };
        self.others.push(("TRIGGER", name));
        // Triggers that set each other off must come to an end.
        let condition = format!("(SELECT count(*) FROM {}) < 10", quote(&target.name));
        let head = format!("CREATE TRIGGER {}{}", self.maybe("IF NOT EXISTS "), quote(name));
        format!("{head} {event} ON {} WHEN {condition} BEGIN {body}; END", quote(&table.name))
    }

    fn create_view(&mut self) -> String {
        let (table, name) = (self.table(), self.one(&OTHERS));
        self.others.push(("VIEW", name));
        format!(
            "CREATE VIEW {}{} AS SELECT *, 'x' AS \"from\" FROM {}",
            self.maybe("IF NOT EXISTS "),
            quote(name),
            quote(&table.name)
        )
    }

    fn drop_something(&mut self) -> String {
        if self.chance(2) && !self.others.is_empty() {
            let index = self.below(self.others.len());
            let (kind, name) = self.others.remove(index);
            return format!("DROP {kind} {}{}", self.maybe("IF EXISTS "), quote(name));
        }
        if self.chance(4) {
            let kind = self.one(&["INDEX", "TRIGGER", "VIEW"]);
            return format!("DROP {kind} IF EXISTS {}", quote(self.one(&OTHERS)));
        }
        let name = self.some_name();
        self.forget(&name);
        format!("DROP TABLE {}{}", self.maybe("IF EXISTS "), quote(&name))
    }

    fn savepoint(&mut self) -> String {
        let name = quote(self.one(&["s", "Save point"]));
        match self.below(4) {
            0 | 1 => {
                self.savepoints += 1;
                format!("SAVEPOINT {name}")
            }
            2 if self.savepoints > 0 => format!("RELEASE {name}"),
            _ => format!("ROLLBACK TO {name}"),
        }
    }

    fn forget(&mut self, name: &str) {
        self.tables.retain(|table| !table.name.eq_ignore_ascii_case(name));
    }
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
