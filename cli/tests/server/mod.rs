//! A server that the `dotdo` command has started, and what a client says to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// The command in a folder of its own, with no environment but what a test gives.
pub(crate) fn dotdo(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dotdo"));
    command
        .env_clear()
        .current_dir(folder)
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder for the test")
}

/// How a command that serves nothing ends.
pub(crate) fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the command starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

/// A server that was started by the command.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) log: BufReader<ChildStderr>,
    /// What it said of itself when it listened.
    pub(crate) said: Value,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_in(command, "json")
    }

    /// Starts it, where it logs in another format.
    pub(crate) fn start_in(command: &mut Command, format: &str) -> Self {
        let mut child = command.spawn().expect("the command starts");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut server = Self { child, log, said: Value::Null, address: String::new() };
        if format == "json" {
            server.said = server.line("listening");
            server.address =
                server.said["address"].as_str().expect("the line says where").to_owned();
        } else {
            server.address = server.listening_address();
        }
        server
    }

    /// The address in the line for people that says `listening`.
    fn listening_address(&mut self) -> String {
        let mut line = String::new();
        while !line.contains("listening") {
            line.clear();
            assert_ne!(self.log.read_line(&mut line).expect("a log"), 0, "the log ended");
        }
        let (_, rest) = line.split_once("address=").unwrap_or_else(|| panic!("{line}"));
        rest.split_whitespace().next().expect("an address").to_owned()
    }

    /// The next line of the log with this message.
    pub(crate) fn line(&mut self, message: &str) -> Value {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(
                self.log.read_line(&mut line).expect("a log"),
                0,
                "the log ended without {message:?}: {seen}"
            );
            seen.push_str(&line);
            let entry: Value =
                serde_json::from_str(&line).unwrap_or_else(|cause| panic!("{cause}: {line}"));
            if entry["message"] == message {
                return entry;
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.ask("GET", path, "")
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> String {
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Asks without a body, with one header more.
    pub(crate) fn ask_with(&self, method: &str, path: &str, header: &str) -> String {
        self.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\n\r\n"
        ))
    }

    pub(crate) fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the server answers");
        answer
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().expect("a process id")), signal)
            .expect("the process runs");
    }

    pub(crate) fn code(&mut self) -> Option<i32> {
        self.child.wait().expect("the process ends").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended as it should.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
