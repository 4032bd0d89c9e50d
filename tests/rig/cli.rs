//! The `dotdo` command of a user: in a home folder of its own, with no environment but what a test
//! gives.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use crate::chores::scratch;
use crate::openid::OpenId;
use crate::server::{Setup, dotdo};

/// A user of the command. Tokens are kept in files, never in the keyring of whoever runs the test.
pub struct Cli {
    home: TempDir,
    environment: Vec<(String, String)>,
}

/// A command that runs.
pub struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    seen: String,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code.
    pub code: Option<i32>,
    /// What it printed for programs.
    pub stdout: String,
    /// What it printed for people.
    pub stderr: String,
}

impl Outcome {
    /// The output of a command that has succeeded.
    ///
    /// # Panics
    ///
    /// When it has failed, with what it said.
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// What a command said that has failed with `code`.
    ///
    /// # Panics
    ///
    /// When it has ended otherwise.
    pub fn failed(self, code: i32) -> String {
        assert_eq!((self.code, &*self.stdout), (Some(code), ""), "{self:?}");
        self.stderr
    }
}

impl Default for Cli {
    fn default() -> Self {
        Self::new()
    }
}

impl Cli {
    /// A user without anything.
    pub fn new() -> Self {
        let cli = Self { home: scratch(), environment: Vec::new() };
        // Should a test ask for a keyring, there is none.
        cli.env("DOTDO_LOGIN_KEYRING", "off").env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    }

    /// One more environment variable, or another value for one.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The home folder, which is also the working directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The file with the login of a profile.
    pub fn login_file(&self, profile: &str) -> PathBuf {
        self.home().join(format!(".config/dotdo/logins/{profile}.json"))
    }

    /// The login of a profile as it is kept.
    ///
    /// # Panics
    ///
    /// Without one.
    pub fn kept(&self, profile: &str) -> Value {
        let text = std::fs::read(self.login_file(profile)).expect("there is a login");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    /// Changes the login of a profile where it is kept, such as its times.
    ///
    /// # Panics
    ///
    /// Without one.
    pub fn change(&self, profile: &str, change: impl FnOnce(&mut Value)) {
        let mut login = self.kept(profile);
        change(&mut login);
        std::fs::write(self.login_file(profile), login.to_string()).expect("the file is ours");
    }

    /// The command with these arguments, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(dotdo());
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// `dotdo serve` of this user on a free port, with these arguments too, in the home folder.
    pub fn serving(&self, arguments: &[&str]) -> Setup {
        let usual = ["serve", "--host", "127.0.0.1", "--port", "0"];
        let arguments = usual.iter().chain(arguments).map(|text| (*text).to_owned()).collect();
        let home = self.home().to_str().expect("the path is text");
        let setup = Setup::command_line(arguments, self.home())
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", format!("{home}/.config"));
        let variables = self.environment.iter();
        variables.fold(setup, |setup, (name, value)| setup.env(name, value))
    }

    /// Starts the command.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// Runs the command to its end.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub async fn run(&self, arguments: &[&str]) -> Outcome {
        self.start(arguments).end().await
    }

    /// The arguments that log in at `provider`, followed by `more`.
    pub fn login_arguments<'a>(provider: &'a OpenId, more: &[&'a str]) -> Vec<&'a str> {
        let usual = ["login", "--issuer", provider.issuer(), "--client-id", OpenId::CLIENT];
        [&usual, more].concat()
    }

    /// Logs in at `provider` as `account`, whose access tokens get `claims` too.
    ///
    /// # Panics
    ///
    /// When there is no login afterwards.
    pub async fn login(&self, provider: &OpenId, account: &str, claims: &Value) -> Outcome {
        let mut login = self.start(&Self::login_arguments(provider, &[]));
        let code = login.user_code().await;
        provider.approve(&code, account, claims).await;
        let outcome = login.end().await;
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome
    }
}

impl Running {
    /// Starts a command whose output is piped.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the command starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        Self { child, stderr, seen: String::new() }
    }

    /// The operating system's number of it, unless it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The next line for people that has `text` in it.
    ///
    /// # Panics
    ///
    /// When the command ends without it.
    pub async fn says(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line).await.expect("the command writes text");
            assert_ne!(read, 0, "the command ended without {text:?}: {}", self.seen);
            self.seen.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The code that a login shows.
    ///
    /// # Panics
    ///
    /// When it shows none.
    pub async fn user_code(&mut self) -> String {
        let line = self.says(" the code ").await;
        line.trim().rsplit(' ').next().expect("a code").to_owned()
    }

    /// Waits for the end.
    ///
    /// # Panics
    ///
    /// When the output is not text.
    pub async fn end(mut self) -> Outcome {
        let mut stdout = String::new();
        let mut out = self.child.stdout.take().expect("it is piped");
        let (read, rest) = tokio::join!(
            out.read_to_string(&mut stdout),
            self.stderr.read_to_string(&mut self.seen),
        );
        read.and(rest).expect("the command writes text");
        let code = self.child.wait().await.expect("it is our child").code();
        Outcome { code, stdout, stderr: self.seen }
    }
}
