//! A deployment before it happens: the files that are written, and the commands that are run, as
//! one would type them into a shell.
//!
//! Must not know: how it is carried out, values of secrets.

use std::path::PathBuf;

use serde_json::{Value, json};

/// Everything that a deployment does.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The files, in the order in which they are written.
    pub(super) files: Vec<File>,
    /// The commands, which are run after that.
    pub(super) steps: Vec<Step>,
    /// Where the deployment is reached.
    pub(super) url: Url,
    /// What the user has to know or do besides.
    pub(super) notes: Vec<String>,
}

/// A file that is written.
#[derive(Debug)]
pub(super) struct File {
    /// Its path, relative to the working directory.
    pub(super) path: String,
    pub(super) content: Content,
}

/// The content of a file.
#[derive(Debug)]
pub(super) enum Content {
    /// This text.
    Text(String),
    /// This text, unless the file is there: then it is its user's.
    Default(String),
    /// That of another file; a program stays one.
    CopyOf(PathBuf),
}

/// What happens to the file of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Created,
    Changed,
    Same,
    /// It is there, and is left alone.
    Kept,
}

/// A command that is run.
#[derive(Debug, Default)]
pub(super) struct Step {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// If this command of the same program succeeds, the step is left out.
    pub(super) unless: Option<Vec<String>>,
    pub(super) input: Input,
    /// The name for its output, which later arguments use as `$NAME`.
    pub(super) captured: Option<&'static str>,
    /// What is taken of the output; all of it otherwise.
    pub(super) filter: Option<Filter>,
    /// The folder in which it is run.
    pub(super) folder: Option<String>,
    /// Whether the deployment goes on when it fails.
    pub(super) may_fail: bool,
}

/// What is taken of a command's output.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    /// The first URL, or the first name of a host.
    Url,
    /// The id of the service with this name in a list as JSON.
    IdOf(String),
}

/// What a command gets on standard input.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Input {
    #[default]
    Nothing,
    /// The value of a variable.
    Value(String),
    /// A line `NAME=VALUE` for each of these variables.
    Lines(Vec<String>),
    /// A Secret of Kubernetes with this name, and a key for each of these variables.
    KubernetesSecret { name: String, variables: Vec<String> },
}

/// Where a deployment is reached.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Url {
    /// Only from inside of the platform.
    #[default]
    Inside,
    /// Here.
    At(String),
    /// The output of a step has it.
    Captured,
}

/// The name under which a step captures the URL of the deployment.
pub(super) const URL: &str = "URL";
/// The name under which a step captures a token that the platform's front end wants.
pub(super) const TOKEN: &str = "TOKEN";

impl Input {
    /// The variables in it.
    fn variables(&self) -> Vec<&str> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Value(name) => vec![name],
            Self::Lines(names) | Self::KubernetesSecret { variables: names, .. } => {
                names.iter().map(String::as_str).collect()
            }
        }
    }
}

impl Step {
    /// A command.
    pub(super) fn new(program: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { program: program.to_owned(), arguments, ..Self::default() }
    }

    /// The same with more arguments.
    pub(super) fn and<T: AsRef<str>>(mut self, more: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(more.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// The same, unless another command of the program succeeds.
    pub(super) fn unless(mut self, arguments: &[&str]) -> Self {
        self.unless = Some(arguments.iter().map(|argument| (*argument).to_owned()).collect());
        self
    }

    pub(super) fn with_input(self, input: Input) -> Self {
        Self { input, ..self }
    }

    pub(super) fn captured_as(self, name: &'static str, filter: Option<Filter>) -> Self {
        Self { captured: Some(name), filter, ..self }
    }

    pub(super) fn in_folder(self, folder: &str) -> Self {
        Self { folder: Some(folder.to_owned()), ..self }
    }

    pub(super) fn that_may_fail(self) -> Self {
        Self { may_fail: true, ..self }
    }

    /// The step as one would type it.
    pub(super) fn line(&self) -> String {
        let mut line = shell(&self.program, &self.arguments);
        if let Some(unless) = &self.unless {
            line = format!("{} || {line}", shell(&self.program, unless));
        }
        if let Some(folder) = &self.folder {
            line = format!("(cd {} && {line})", quoted(folder));
        }
        if let Some(name) = self.captured {
            line = format!("{name}=$({line})");
        }
        if self.may_fail {
            line.push_str(" || true");
        }
        match &self.filter {
            Some(Filter::IdOf(name)) => line.push_str(&format!("   # the id of {name}")),
            Some(Filter::Url) => line.push_str("   # the URL in its output"),
            None => {}
        }
        match &self.input {
            Input::Nothing => {}
            Input::Value(name) => line.push_str(&format!("   # standard input: {name}")),
            Input::Lines(names) => {
                line.push_str(&format!("   # standard input: {}", names.join(", ")));
            }
            Input::KubernetesSecret { name, variables } => line.push_str(&format!(
                "   # standard input: the Secret {name} with {}",
                variables.join(", ")
            )),
        }
        line
    }
}

fn shell(program: &str, arguments: &[String]) -> String {
    let words = arguments.iter().map(|argument| quoted(argument));
    std::iter::once(program.to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// An argument as a word of a shell.
fn quoted(argument: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_./:=@,+%$".contains(char);
    if !argument.is_empty() && argument.chars().all(is_plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

impl File {
    /// A file with this text.
    pub(super) fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), content: Content::Text(text.into()) }
    }

    /// A file with this text, if there is none yet.
    pub(super) fn default(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), content: Content::Default(text.into()) }
    }

    /// What happens to it.
    pub(super) fn change(&self) -> Change {
        let before = std::fs::read(&self.path);
        match (&self.content, before) {
            (_, Err(_)) => Change::Created,
            (Content::Text(text), Ok(before)) if before == text.as_bytes() => Change::Same,
            (Content::Default(_), Ok(_)) => Change::Kept,
            (Content::Text(_) | Content::CopyOf(_), Ok(_)) => Change::Changed,
        }
    }
}

impl Change {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Same => "unchanged",
            Self::Kept => "kept as it is",
        }
    }
}

impl Plan {
    /// The commands as one would type them, one a line: what the platform's page shows.
    pub(super) fn commands(&self) -> Vec<String> {
        self.steps.iter().map(Step::line).collect()
    }

    /// Whether it runs this program. A program `cargo-NAME` is run by `cargo NAME`.
    pub(super) fn runs(&self, program: &str) -> bool {
        let of_cargo = program.strip_prefix("cargo-");
        self.steps.iter().any(|step| {
            step.program == program
                || (step.program == "cargo"
                    && of_cargo.is_some()
                    && step.arguments.first().map(String::as_str) == of_cargo)
        })
    }

    /// The variables that no command gets.
    pub(super) fn left_out(&self, names: Vec<String>) -> Vec<String> {
        let inputs: Vec<&str> = self.steps.iter().flat_map(|step| step.input.variables()).collect();
        names.into_iter().filter(|name| !inputs.contains(&&**name)).collect()
    }

    /// The plan for people.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        if !self.files.is_empty() {
            out.push_str("Files:\n");
            let width = self.files.iter().map(|file| file.path.len()).max().unwrap_or(0);
            for file in &self.files {
                let change = file.change().name();
                out.push_str(&format!("  {:<width$}   {change}\n", file.path));
            }
            out.push('\n');
        }
        out.push_str("Commands:\n");
        for command in self.commands() {
            out.push_str(&format!("  {command}\n"));
        }
        for note in &self.notes {
            out.push_str(&format!("\nNote: {note}\n"));
        }
        out.push_str(&match &self.url {
            Url::At(url) => format!("\nThen waits until {url}/ready answers.\n"),
            Url::Captured => "\nThen waits until $URL/ready answers.\n".to_owned(),
            Url::Inside => String::new(),
        });
        out
    }

    /// The plan for programs.
    pub(super) fn json(&self) -> Value {
        let file = |file: &File| json!({ "path": file.path, "change": file.change().name() });
        json!({
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
            "commands": self.commands(),
            "notes": self.notes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_shown_as_it_would_be_typed() {
        let input = Input::Lines(vec!["A".to_owned(), "B".to_owned()]);
        for (step, line) in [
            (Step::new("fly", &["deploy", "."]), "fly deploy ."),
            (
                Step::new("fly", &["apps", "create", "a"]).unless(&["status", "--app", "a"]),
                "fly status --app a || fly apps create a",
            ),
            (
                Step::new("docker", &["run", "--env-file", "/dev/stdin"]).with_input(input),
                "docker run --env-file /dev/stdin   # standard input: A, B",
            ),
            (Step::new("docker", &["stop", "a"]).that_may_fail(), "docker stop a || true"),
            (
                Step::new("gcloud", &["describe", "--format", "value(status.url)"])
                    .captured_as(URL, None),
                "URL=$(gcloud describe --format 'value(status.url)')",
            ),
            (Step::new("func", &["publish"]).in_folder("app"), "(cd app && func publish)"),
            (Step::new("az", &["it's", ""]), r"az 'it'\''s' ''"),
        ] {
            assert_eq!(step.line(), line);
        }
    }
}
