//! GNOME's keyring on a session bus of its own, as a desktop has it.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::chores::Deadline;
use crate::debian::Package;
use crate::process::Process;

/// How long the bus may take to say its address.
const START_SECONDS_MAX: u64 = 60;

/// A session bus: anybody who reaches it may do anything.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=FOLDER</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A running keyring, unlocked.
pub struct Keyring {
    bus: Process,
    keyring: Option<Process>,
    folder: TempDir,
    address: String,
}

impl Keyring {
    /// Starts the bus and the keyring. Programs reach it soon after.
    ///
    /// # Panics
    ///
    /// When they can't be had or started.
    pub async fn start() -> Self {
        // The path of a socket is short, and build folders may be deep.
        let folder = tempfile::tempdir().expect("temporary files can be made");
        let path = folder.path().to_str().expect("the path is text");
        let config = folder.path().join("bus.xml");
        fs::write(&config, BUS.replace("FOLDER", path)).expect("the folder is ours");
        let mut command = Package::Dbus.command();
        command.args(["--nofork", "--nopidfile", "--print-address=2", "--config-file"]).arg(config);
        let bus = Process::start(&mut command);
        let says = || async {
            assert!(bus.ended().is_none(), "the bus ended:\n{}", bus.stderr());
            let said = bus.stderr();
            said.lines().find(|line| line.starts_with("unix:")).map(str::to_owned)
        };
        let address = Deadline::in_seconds(START_SECONDS_MAX)
            .until(says)
            .await
            .expect("the bus says its address");
        let mut started = Self { bus, keyring: None, folder, address };
        started.keyring = Some(started.unlocked());
        started
    }

    /// The address of the bus, for `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What bus and keyring have written to their standard error.
    pub fn stderr(&self) -> String {
        let keyring = self.keyring.as_ref().map(Process::stderr).unwrap_or_default();
        format!("{}{keyring}", self.bus.stderr())
    }

    /// A keyring with a password that it reads at its start.
    fn unlocked(&self) -> Process {
        let password = self.folder.path().join("password");
        fs::write(&password, "correct horse").expect("the folder is ours");
        let runtime = self.folder.path().join("runtime");
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&runtime).expect("the folder is ours");
        let program = Package::Keyring.command();
        let mut command = Command::new("sh");
        let start = "exec \"$0\" --foreground --unlock --components=secrets <\"$1\"";
        command.args(["-c", start]).arg(program.get_program()).arg(password);
        let variables = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(variables);
        command.env("HOME", self.folder.path()).env("XDG_RUNTIME_DIR", runtime);
        command.env_remove("XDG_DATA_HOME").env("DBUS_SESSION_BUS_ADDRESS", &self.address);
        Process::start(&mut command)
    }
}
