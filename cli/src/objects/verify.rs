//! `dotdo verify`.

use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use super::client::{Ask, Client};
use super::name::Object;
use super::options::Where;
use super::several::{Chosen, with_object};
use super::table::{bytes, counted, shown};
use crate::display::Paint;
use crate::failure::{Failure, ended, put};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo verify Counter/hello     One object
  dotdo verify --class Counter   All objects of a class
  dotdo verify --all             All objects of the tenant
  dotdo verify --all --after Counter/hello   The rest, after an interruption

Reads every record and every file of every snapshot, and checks checksums, the
hash chain, the Iceberg files, and that the log and the snapshots give the same
rows. Nothing is changed. The shape of --json is in docs/CLI.md.

Exit codes: 0 no fault; 1 a fault, or not everything could be read; 2 wrong
usage.";

/// The arguments of `dotdo verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    chosen: Chosen,
    /// Print JSON, a line for each file, fault and object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// What was read and found.
#[derive(Debug, Default)]
struct Found {
    objects: u64,
    records: u64,
    snapshots: u64,
    files: u64,
    bytes: u64,
    faults: u64,
}

impl Verify {
    /// Checks objects and prints what is wrong.
    pub(crate) fn run(&self) -> ExitCode {
        ended(self.check().map(|found| ExitCode::from(u8::from(found.faults > 0))))
    }

    fn check(&self) -> Result<Found, Failure> {
        let (client, place) = self.place.open()?;
        let several = self.chosen.of(&client, &place)?;
        let mut found = Found::default();
        found.objects = several.each(&client, |object, progress| {
            self.check_one(&client, object, progress, &mut found)
        })?;
        if !self.json {
            put(&summary(&found))?;
        }
        Ok(found)
    }

    /// Checks one object.
    fn check_one(
        &self,
        client: &Client,
        object: &Object,
        progress: &ProgressBar,
        found: &mut Found,
    ) -> Result<(), Failure> {
        let ask = Ask::get(&["objects", &object.class, &object.id, "verify"]);
        let mut is_done = false;
        client.lines(&ask, |line| {
            let value: Value = serde_json::from_str(line).map_err(|cause| {
                Failure::Failed(format!("the lines of verify are not as expected: {cause}"))
            })?;
            if self.json {
                put(&format!("{}\n", with_object(line, object)))?;
            }
            if let Some(key) = value["checked"].as_str() {
                progress.set_message(shown(key));
            } else if let Some(fault) = value.get("fault") {
                found.faults += 1;
                self.print_fault(object, fault, progress)?;
            } else if let Some(done) = value.get("done") {
                is_done = true;
                found.add(done);
            }
            Ok(())
        })?;
        if is_done {
            return Ok(());
        }
        Err(Failure::Failed(format!("the check of {object} has ended in the middle; try again")))
    }

    fn print_fault(
        &self,
        object: &Object,
        fault: &Value,
        progress: &ProgressBar,
    ) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let paint = Paint::stdout();
        let text = |name: &str| shown(fault[name].as_str().unwrap_or_default());
        let line = format!(
            "{}  {}: {}: {}\n",
            paint.red("fault"),
            shown(&object.to_string()),
            text("key"),
            text("problem")
        );
        progress.suspend(|| put(&line))
    }
}

impl Found {
    fn add(&mut self, done: &Value) {
        let number = |name: &str| done[name].as_u64().unwrap_or(0);
        self.records += number("records");
        self.snapshots += number("snapshots");
        self.files += number("files");
        self.bytes += number("bytes");
    }
}

fn summary(found: &Found) -> String {
    let paint = Paint::stdout();
    let verdict = match found.faults {
        0 => paint.green("no faults"),
        faults => paint.red(&counted(faults, "fault")),
    };
    format!(
        "{verdict} in {}: {}, {}, {}, {}\n",
        counted(found.objects, "object"),
        counted(found.records, "record"),
        counted(found.snapshots, "snapshot"),
        counted(found.files, "file"),
        bytes(found.bytes),
    )
}
