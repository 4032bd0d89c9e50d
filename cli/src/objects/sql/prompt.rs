//! The prompt of `dotdo sql`.

use std::time::Instant;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::completion::{Assistant, COMMANDS};
use super::{Desk, Mode, history, statements};
use crate::failure::{Failure, note, put};
use crate::objects::absent::explained;
use crate::objects::client::Ask;
use crate::objects::name::nearest;
use crate::objects::shapes::Description;
use crate::objects::table::shown;

/// Number of entries that are remembered.
const HISTORY_MAX: usize = 1000;

/// Reads and runs statements until the user ends it.
pub(super) fn run(desk: Desk) -> Result<(), Failure> {
    let found = describe(&desk).map_err(|why| explained(&desk.client, &desk.object, why))?;
    let mut prompt = Prompt::new(desk)?;
    prompt.welcome();
    prompt.learn(&found);
    prompt.run()
}

/// What is asked of an object for its tables and columns.
fn describe(desk: &Desk) -> Result<Description, Failure> {
    let ask = Ask::get(&["objects", &desk.object.class, &desk.object.id]);
    desk.client.json(&ask.query("at", desk.at.as_deref()))
}

struct Prompt {
    desk: Desk,
    editor: Editor<Assistant, FileHistory>,
    times: bool,
    is_over: bool,
}

impl Prompt {
    fn new(desk: Desk) -> Result<Self, Failure> {
        let failed = |cause: ReadlineError| Failure::of("cannot use the terminal", cause);
        let config = Config::builder()
            .max_history_size(HISTORY_MAX)
            .map_err(failed)?
            .history_ignore_dups(true)
            .map_err(failed)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .auto_add_history(true)
            .build();
        let mut editor = Editor::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Assistant::new()));
        if let Some(path) = history::file() {
            // A history that can't be read is one that is not there.
            let _ = editor.load_history(&path);
        }
        Ok(Self { desk, editor, times: false, is_over: false })
    }

    fn welcome(&self) {
        let access = if self.desk.writes { "statements may change it" } else { "read only" };
        let object = shown(&self.desk.object.to_string());
        note(&format!("{object}: {access}; statements end with a semicolon, .help lists commands"));
    }

    fn learn(&mut self, found: &Description) {
        if let Some(assistant) = self.editor.helper_mut() {
            assistant.learn(found);
        }
    }

    fn run(&mut self) -> Result<(), Failure> {
        let line = format!("{}> ", shown(&self.desk.object.to_string()));
        while !self.is_over {
            match self.editor.readline(&line) {
                Ok(text) => self.answer(text.trim())?,
                // Ctrl-C empties the line, Ctrl-D ends the prompt.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(cause) => return Err(Failure::of("cannot read the terminal", cause)),
            }
        }
        if let Some(path) = history::file() {
            // What can't be remembered was run all the same.
            let _ = self.editor.append_history(&path);
        }
        Ok(())
    }

    /// Does what was typed. Only a terminal that is gone ends the prompt.
    fn answer(&mut self, text: &str) -> Result<(), Failure> {
        self.desk.client.forgive();
        let began = Instant::now();
        let outcome = match text.strip_prefix('.') {
            Some(command) => self.command(command),
            None if text.is_empty() => return Ok(()),
            None => self.statements(text),
        };
        match outcome {
            Err(Failure::Unread) => return Err(Failure::Unread),
            Err(why) => note(&format!("error: {}", why.message())),
            Ok(()) => {}
        }
        if self.times && !text.starts_with('.') {
            note(&format!("{:.3} s", began.elapsed().as_secs_f64()));
        }
        Ok(())
    }

    fn statements(&mut self, text: &str) -> Result<(), Failure> {
        statements::split(text).into_iter().try_for_each(|one| self.desk.run_one(one))?;
        if self.desk.writes {
            // A table may be new.
            let found = describe(&self.desk)?;
            self.learn(&found);
        }
        Ok(())
    }

    fn command(&mut self, command: &str) -> Result<(), Failure> {
        let mut words = command.split_whitespace();
        let name = words.next().unwrap_or_default();
        match (name, words.next()) {
            ("quit" | "exit" | "q", _) => self.is_over = true,
            ("help", _) => {
                COMMANDS.iter().for_each(|(name, about)| note(&format!("{name:<9} {about}")))
            }
            ("tables", _) => {
                for table in describe(&self.desk)?.database.tables {
                    put(&format!("{}\n", shown(&table.name)))?;
                }
            }
            ("schema", table) => return self.schema(table),
            ("timing", Some("on")) => self.times = true,
            ("timing", Some("off")) => self.times = false,
            ("mode", Some("table")) => self.desk.mode = Mode::Table,
            ("mode", Some("json")) => self.desk.mode = Mode::Json,
            ("mode", Some("csv")) => self.desk.mode = Mode::Csv,
            ("timing", _) => return Err(expected("on or off")),
            ("mode", _) => return Err(expected("table, json or csv")),
            (other, _) => {
                let typed = format!(".{other}");
                let near = nearest(&typed, COMMANDS.iter().map(|(name, _)| *name));
                let help = near.map_or_else(
                    || ".help lists the commands".to_owned(),
                    |near| format!("did you mean {near}?"),
                );
                return Err(Failure::Usage(format!("no command {typed}; {help}")));
            }
        }
        Ok(())
    }

    /// Prints the statements that made the schema, or what belongs to one table.
    fn schema(&mut self, table: Option<&str>) -> Result<(), Failure> {
        let table = table.map(|name| name.trim_matches(['"', ';']));
        for statement in self.desk.schema(table)? {
            put(&format!("{statement};\n"))?;
        }
        Ok(())
    }
}

fn expected(what: &str) -> Failure {
    Failure::Usage(format!("expected {what}"))
}
