//! A child process that ends with its handle, and with the test binary however that ends.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use dotdo_core::sync::Mutex;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often to look whether a child has ended.
const LOOK: Duration = Duration::from_millis(5);

/// A running child process and what it has written to its standard error.
pub struct Process {
    pid: u32,
    child: Mutex<Child>,
    written: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
    is_deaf: Arc<AtomicBool>,
    watchdog: Watchdog,
}

impl Process {
    /// Starts `command` without input; its standard output is dropped, its standard error is kept.
    ///
    /// # Panics
    ///
    /// When it can't be started.
    pub fn start(command: &mut Command) -> Self {
        // A group of its own, so that Ctrl-C in the terminal leaves ending it to its handle or its
        // watchdog.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let watchdog = Watchdog::start(child.id());
        let written = Arc::new(Mutex::new(String::new()));
        let (sink, stderr) = (Arc::clone(&written), child.stderr.take().expect("it is piped"));
        let is_deaf = Arc::new(AtomicBool::new(false));
        let hears_no_more = Arc::clone(&is_deaf);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let mut text = sink.lock();
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
                if hears_no_more.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        Self { pid: child.id(), child: Mutex::new(child), written, reader, is_deaf, watchdog }
    }

    /// The operating system's number of it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has written to its standard error so far.
    pub fn stderr(&self) -> String {
        self.written.lock().clone()
    }

    /// Closes the other end of its standard error after its next line.
    pub fn hear_no_more(&self) {
        self.is_deaf.store(true, Ordering::Relaxed);
    }

    /// Sends it a signal. One that has ended already is left alone.
    pub fn signal(&self, signal: Signal) {
        let mut child = self.child();
        if ended(&mut child).is_none() {
            let pid = Pid::from_raw(i32::try_from(self.pid).expect("process numbers are small"));
            kill(pid, signal).expect("a child that was not waited for can be signalled");
        }
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill9(&self) -> ExitStatus {
        self.signal(Signal::SIGKILL);
        self.wait()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    ///
    /// When the operating system does not know it.
    pub fn wait(&self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until it has ended by itself; how, and all that it has written to its standard error.
    pub fn last_words(&self) -> (ExitStatus, String) {
        let status = self.wait();
        while !self.reader.is_finished() {
            std::thread::sleep(LOOK);
        }
        (status, self.stderr())
    }

    /// How it ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        ended(&mut self.child())
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock()
    }
}

fn ended(child: &mut Child) -> Option<ExitStatus> {
    child.try_wait().expect("a child can be waited for")
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
        self.watchdog.stop();
    }
}

/// A shell that waits for the end of its input, which comes when the test binary ends, and then
/// kills the child.
struct Watchdog {
    shell: Child,
    /// Open as long as the child shall live.
    _input: ChildStdin,
}

impl Watchdog {
    fn start(pid: u32) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "read -r nothing; kill -9 \"$0\"", &pid.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut shell = command.spawn().expect("a shell can be started");
        let input = shell.stdin.take().expect("it is piped");
        Self { shell, _input: input }
    }

    fn stop(&mut self) {
        // Both fail only when it has ended, which is what is wanted.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chores::Deadline;

    /// Set for a copy of this test binary that is to be killed.
    const VICTIM: &str = "DOTDO_TEST_VICTIM";

    #[test]
    fn a_victim_waits_for_its_end() {
        if std::env::var_os(VICTIM).is_some() {
            let sleeper = Process::start(Command::new("sleep").arg("600"));
            std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("sleeper {}\n", sleeper.pid()).as_bytes(),
            )
            .expect("it is piped");
            sleeper.wait();
        }
    }

    #[tokio::test]
    async fn a_child_ends_when_its_parent_is_killed() {
        let mut command =
            Command::new(std::env::current_exe().expect("a running program has a path"));
        command
            .args(["--exact", "process::tests::a_victim_waits_for_its_end", "--nocapture"])
            .env(VICTIM, "1");
        let victim = Process::start(&mut command);
        let deadline = Deadline::in_seconds(60);
        let number =
            |text: String| text.split("sleeper ").nth(1)?.lines().next()?.parse::<i32>().ok();
        let sleeper = deadline
            .until(|| std::future::ready(number(victim.stderr())))
            .await
            .expect("the victim tells");
        let sleeper = Pid::from_raw(sleeper);
        kill(sleeper, None).expect("the sleeper lives as long as the victim does");
        victim.kill9();
        let is_gone = || std::future::ready(kill(sleeper, None).is_err().then_some(()));
        deadline.until(is_gone).await.expect("the watchdog kills the sleeper");
    }
}
