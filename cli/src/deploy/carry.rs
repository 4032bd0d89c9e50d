//! Carries a plan out: writes its files, and runs its commands one after another.
//!
//! Promises: a secret reaches a command by its standard input only, and what such a command prints is
//! shown without it; a command that fails ends the deployment.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use serde_json::{Value, json};

use super::plan::{Change, Content, File, Filter, Input, Plan, Step};
use super::wanted::Wanted;
use crate::failure::{Failure, note};
use crate::terminal;

/// What is shown in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// The outputs of the steps so far, by name.
pub(super) type Outputs = BTreeMap<&'static str, String>;

/// Writes the files.
///
/// # Errors
///
/// `Failed` when one can't be written.
pub(super) fn write(files: &[File]) -> Result<(), Failure> {
    for file in files {
        if matches!(file.change(), Change::Same | Change::Kept) {
            continue;
        }
        put(file).map_err(|cause| Failure::of(&format!("can't write {}", file.path), cause))?;
    }
    Ok(())
}

/// Replaces a file as a whole.
fn put(file: &File) -> io::Result<()> {
    let path = PathBuf::from(&file.path);
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut draft = tempfile::Builder::new().prefix(".dotdo-deploy-").tempfile_in(folder)?;
    let mode = match &file.content {
        Content::Text(text) | Content::Default(text) => {
            draft.write_all(text.as_bytes())?;
            fs::metadata(&path).map_or(0o644, |found| mode_of(&found))
        }
        Content::CopyOf(of) => {
            io::copy(&mut fs::File::open(of)?, &mut draft)?;
            mode_of(&fs::metadata(of)?) | 0o444
        }
    };
    set_mode(draft.as_file(), mode)?;
    draft.persist(&path).map_err(|cause| cause.error)?;
    Ok(())
}

#[cfg(unix)]
fn mode_of(found: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777
}

#[cfg(unix)]
fn set_mode(file: &fs::File, mode: u32) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata) -> u32 {
    0o644
}

#[cfg(not(unix))]
fn set_mode(_: &fs::File, _: u32) -> io::Result<()> {
    Ok(())
}

/// Runs the commands.
///
/// # Errors
///
/// `Failed` when one fails.
pub(super) fn run(plan: &Plan, wanted: &Wanted) -> Result<Outputs, Failure> {
    let mut outputs = Outputs::new();
    for step in &plan.steps {
        note(&format!("$ {}", step.line()));
        let step = Running { step, wanted, outputs: &outputs };
        if step.is_unnecessary()? {
            continue;
        }
        let output = step.run()?;
        if let Some(name) = step.step.captured {
            outputs.insert(name, output);
        }
    }
    Ok(outputs)
}

/// A step that is run.
struct Running<'a> {
    step: &'a Step,
    wanted: &'a Wanted,
    outputs: &'a Outputs,
}

impl Running<'_> {
    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.step.program);
        command.args(arguments.iter().map(|argument| self.filled(argument)));
        if let Some(folder) = &self.step.folder {
            command.current_dir(folder);
        }
        // A tool gets what it needs of them on its standard input.
        self.wanted.secrets.keys().for_each(|name| {
            command.env_remove(name);
        });
        command
    }

    /// An argument with the outputs of earlier steps in it.
    fn filled(&self, argument: &str) -> String {
        let mut argument = argument.to_owned();
        for (name, output) in self.outputs {
            argument = argument.replace(&format!("${name}"), output);
        }
        argument
    }

    fn is_unnecessary(&self) -> Result<bool, Failure> {
        let Some(unless) = &self.step.unless else { return Ok(false) };
        let mut command = self.command(unless);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.status().map_err(|cause| self.not_started(&cause))?.success())
    }

    fn run(&self) -> Result<String, Failure> {
        let input = self.input()?;
        let mut command = self.command(&self.step.arguments);
        command.stdin(match &input {
            Some(_) => Stdio::piped(),
            None if terminal::is_attended() => Stdio::inherit(),
            None => Stdio::null(),
        });
        let is_read = self.step.captured.is_some();
        // What a command prints that has a secret is not passed on unseen.
        let is_piped = is_read || input.is_some();
        command.stdout(if is_piped { Stdio::piped() } else { to_stderr()? });
        command.stderr(if input.is_some() { Stdio::piped() } else { Stdio::inherit() });
        let mut child = command.spawn().map_err(|cause| self.not_started(&cause))?;
        let (stdout, stderr) = self.talk(&mut child, input);
        let status = child.wait().map_err(|cause| self.not_started(&cause))?;
        self.show(&stderr);
        if !is_read || !status.success() {
            self.show(&stdout);
        }
        if !status.success() && !self.step.may_fail {
            return Err(Failure::Failed(format!(
                "`{}` failed ({status}); what it said is above. Nothing after it was done; run the command again once that is solved",
                self.step.line()
            )));
        }
        if is_read { self.taken(&stdout) } else { Ok(String::new()) }
    }

    /// Sends the input and reads the outputs.
    fn talk(&self, child: &mut Child, input: Option<String>) -> (String, String) {
        let stdin = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || {
                if let (Some(mut stdin), Some(input)) = (stdin, input) {
                    // A command that does not read to the end says why.
                    let _ = stdin.write_all(input.as_bytes());
                }
            });
            let errors = scope.spawn(move || all_of(stderr));
            let output = all_of(stdout);
            let _ = writer.join();
            (output, errors.join().unwrap_or_default())
        })
    }

    /// What a command gets on standard input.
    fn input(&self) -> Result<Option<String>, Failure> {
        let value = |name: &String| {
            let value = self.wanted.value(name).ok_or_else(|| {
                Failure::Failed(format!("{name} has no value; this is a bug in dotdo"))
            })?;
            if value.contains(['\n', '\r', '\0']) {
                return Err(Failure::Usage(format!(
                    "{name} has several lines, which no platform's tool takes; give it in one"
                )));
            }
            Ok(value.to_owned())
        };
        Ok(match &self.step.input {
            Input::Nothing => None,
            Input::Value(name) => Some(value(name)?),
            Input::Lines(names) => {
                let lines = names.iter().map(|name| Ok(format!("{name}={}\n", value(name)?)));
                Some(lines.collect::<Result<String, Failure>>()?)
            }
            Input::KubernetesSecret { name, variables } => {
                let encoded = |variable: &String| {
                    let text = base64::prelude::BASE64_STANDARD.encode(value(variable)?);
                    Ok((variable.clone(), Value::String(text)))
                };
                let data = variables.iter().map(encoded);
                let data = data.collect::<Result<serde_json::Map<_, _>, Failure>>()?;
                let secret = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                    "metadata": { "name": name }, "data": data,
                });
                Some(secret.to_string())
            }
        })
    }

    /// What is taken of an output.
    fn taken(&self, stdout: &str) -> Result<String, Failure> {
        let found = match &self.step.filter {
            None => Some(stdout.trim().to_owned()).filter(|text| !text.is_empty()),
            Some(Filter::Url) => url_in(stdout),
            Some(Filter::IdOf(name)) => id_of(stdout, name),
        };
        found.ok_or_else(|| {
            let what = match &self.step.filter {
                Some(Filter::IdOf(name)) => format!("a service named {name}"),
                Some(Filter::Url) => "a URL".to_owned(),
                None => "an answer".to_owned(),
            };
            Failure::Failed(format!("`{}`: expected {what}, got none", self.step.line()))
        })
    }

    /// Shows what a command printed, without secrets.
    fn show(&self, text: &str) {
        let mut text = text.trim_end().to_owned();
        for secret in self.wanted.secrets.values().flatten() {
            text = text.replace(secret.reveal(), HIDDEN);
        }
        if !text.is_empty() {
            note(&text);
        }
    }

    fn not_started(&self, cause: &io::Error) -> Failure {
        Failure::of(&format!("can't run {}", self.step.program), cause)
    }
}

fn all_of(stream: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What was read until an error is what there is.
        let _ = stream.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Standard error as a command's standard output, so that ours has the result only.
#[cfg(unix)]
fn to_stderr() -> Result<Stdio, Failure> {
    use std::os::fd::AsFd as _;
    let stderr = io::stderr().as_fd().try_clone_to_owned();
    Ok(stderr.map_err(|cause| Failure::of("can't use standard error", cause))?.into())
}

#[cfg(not(unix))]
fn to_stderr() -> Result<Stdio, Failure> {
    Ok(Stdio::inherit())
}

/// The first URL in a text, or the first name of a host as one.
fn url_in(text: &str) -> Option<String> {
    let words = || text.split(|char: char| char.is_whitespace() || "\"',<>".contains(char));
    let is_url = |word: &&str| word.starts_with("https://") || word.starts_with("http://");
    if let Some(url) = words().find(is_url) {
        return Some(url.trim_end_matches('/').to_owned());
    }
    let is_host = |word: &&str| {
        word.contains('.')
            && !word.ends_with('.')
            && url::Url::parse(&format!("https://{word}")).is_ok()
    };
    words().find(is_host).map(|host| format!("https://{host}"))
}

/// The id of the service with a name, in a list of services, each alone or under `service`.
fn id_of(text: &str, name: &str) -> Option<String> {
    let list: Vec<Value> = serde_json::from_str(text).ok()?;
    let services = list.iter().map(|entry| entry.get("service").unwrap_or(entry));
    let mut found = services.filter(|service| service["name"] == name);
    Some(found.next()?["id"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_found_in_what_a_tool_prints() {
        for (text, url) in [
            ("https://a.vercel.app\n", "https://a.vercel.app"),
            ("Service Domain created:\n  https://a.up.railway.app/\n", "https://a.up.railway.app"),
            (
                r#"[{"OutputKey": "Url", "OutputValue": "https://x.lambda-url.on.aws/"}]"#,
                "https://x.lambda-url.on.aws",
            ),
            ("domain: a.up.railway.app", "https://a.up.railway.app"),
        ] {
            assert_eq!(url_in(text).as_deref(), Some(url), "{text}");
        }
        assert_eq!(url_in("nothing at all"), None);
    }

    #[test]
    fn a_service_is_found_by_its_name() {
        let list = r#"[{"service": {"id": "srv-1", "name": "a"}}, {"id": "srv-2", "name": "b"}]"#;
        assert_eq!(id_of(list, "a").as_deref(), Some("srv-1"));
        assert_eq!(id_of(list, "b").as_deref(), Some("srv-2"));
        assert_eq!(id_of(list, "c"), None);
        assert_eq!(id_of("no list", "a"), None);
    }
}
