//! `dotdo snapshot list`.

use clap::Args;

use crate::display::Paint;
use crate::failure::{Failure, note, put};
use crate::objects::absent::explained;
use crate::objects::client::Ask;
use crate::objects::name::Named;
use crate::objects::options::Where;
use crate::objects::shapes::SnapshotList;
use crate::objects::table::{Side, Table, bytes, time};

/// What follows the options in its help.
pub(super) const HELP: &str = "\
Newest first. Between two snapshots, `--at` finds any state that the log still
has. With --json: {\"items\": [{\"name\", \"sequence\", \"time\", \"tables\", \"rows\",
\"bytes\", \"base\"?}]}.

Exit codes: 0 success; 1 no such object, or another failure; 2 wrong usage.";

/// The arguments of `dotdo snapshot list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID")]
    object: Named,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl List {
    /// Lists snapshots.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let (client, place) = self.place.open()?;
        let object = place.object(&self.object);
        let ask = Ask::get(&["objects", &object.class, &object.id, "snapshots"]);
        let found = client.answer(&ask).map_err(|why| explained(&client, &object, why))?;
        if self.json {
            return put(&format!("{}\n", found.text()));
        }
        let found: SnapshotList = found.read()?;
        if found.items.is_empty() {
            note("no snapshots yet; `dotdo snapshot create` makes one");
            return Ok(());
        }
        let right = ["SEQUENCE", "TABLES", "ROWS", "SIZE"].map(|head| (head, Side::Right));
        let [sequence, tables, rows, size] = right;
        let mut table =
            Table::new([sequence, ("TIME", Side::Left), tables, rows, size, ("NAME", Side::Left)]);
        let number = |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
        for item in found.items {
            let at = item.time.as_deref().map_or_else(String::new, time);
            let size = item.bytes.map_or_else(String::new, bytes);
            table.row([
                item.sequence.to_string(),
                at,
                number(item.tables),
                number(item.rows),
                size,
                item.name,
            ]);
        }
        table.print(Paint::stdout())
    }
}
