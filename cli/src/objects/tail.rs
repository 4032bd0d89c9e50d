//! `dotdo tail`.

use clap::Args;
use serde_json::Value;

use super::client::Ask;
use super::name::Named;
use super::options::Where;
use super::table::{bytes, shown, time};
use crate::display::Paint;
use crate::failure::{Failure, note, put};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo tail --server https://dotdo.example.com
  dotdo tail Counter/hello --server http://127.0.0.1:8787
  dotdo tail --class Counter --json | jq .durationMs

Shows the requests that one server answers, as they happen, until Ctrl-C; it
needs a running server. Bodies and headers are never shown. The shape of a line
with --json is in docs/CLI.md.

Exit codes: 0 ended by Ctrl-C; 1 failure, also when the server ends; 2 wrong
usage.";

/// The arguments of `dotdo tail`.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    /// Only requests of this object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID", conflicts_with = "class")]
    object: Option<Named>,
    /// Only requests of this class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Print JSON, a line for each request
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Tail {
    /// Prints requests until the user ends it.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        if !client.has_server() {
            return Err(Failure::Usage(
                "requests are seen by the server that answers them; name one with --server URL"
                    .to_owned(),
            ));
        }
        let object = self.object.as_ref().map(|named| place.object(named));
        let class = object.as_ref().map(|object| &*object.class).or(self.class.as_deref());
        let id = object.as_ref().map(|object| &*object.id);
        let ask = Ask::get(&["requests"]).query("class", class).query("id", id);
        let paint = Paint::stdout();
        let ended = client.lines(&ask, |line| {
            if self.json {
                return put(&format!("{line}\n"));
            }
            match serde_json::from_str::<Value>(line) {
                Ok(value) if value["lost"].is_u64() => {
                    note(&format!("{} requests were too fast to be shown", value["lost"]));
                    Ok(())
                }
                Ok(value) => put(&format!("{}\n", for_people(&value, paint))),
                // A line that keeps the connection open.
                Err(_) => Ok(()),
            }
        });
        match ended {
            Err(Failure::Interrupted) => Ok(()),
            Ok(()) => Err(Failure::Later("the server has ended the stream".to_owned())),
            Err(why) => Err(why),
        }
    }
}

/// A request in a line.
fn for_people(request: &Value, paint: Paint) -> String {
    let text = |name: &str| request[name].as_str().map(shown).unwrap_or_default();
    let status = match request["status"].as_u64().unwrap_or(0) {
        good @ 0..400 => paint.green(&good.to_string()),
        theirs @ 400..500 => paint.yellow(&theirs.to_string()),
        ours => paint.red(&ours.to_string()),
    };
    let size = |name: &str| bytes(request[name].as_u64().unwrap_or(0));
    let object = match (&*text("class"), &*text("id")) {
        ("", _) => String::new(),
        (class, id) => format!("{class}/{id}  "),
    };
    let code = match &*text("code") {
        "" => String::new(),
        code => format!("  {}", paint.yellow(code)),
    };
    let took = request["durationMs"].as_f64().unwrap_or(0.0);
    format!(
        "{}  {status}  {:<6} {object}{}  {took:.1} ms  {} in, {} out{code}",
        paint.dim(&time(&text("time"))),
        text("method"),
        text("path"),
        size("bytesIn"),
        size("bytesOut"),
    )
}
