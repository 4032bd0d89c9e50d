//! `dotdo ls`.

use clap::Args;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::client::{Ask, Client, unexpected};
use super::name::{Part, nearest};
use super::options::Where;
use super::shapes::{Classes, Listed};
use super::table::{Side, Table, bytes, time};
use crate::display::Paint;
use crate::failure::{Failure, note, put};

/// What follows the options in its help.
pub(crate) const HELP: &str = "\
Examples:
  dotdo ls                   All objects
  dotdo ls Counter           The objects of the class Counter
  dotdo ls Counter/user-     Those whose id begins with user-
  dotdo ls --classes         The classes that have objects

SIZE is everything that an object has in the bucket; it costs a listing for
each object. With --json: {\"items\": [{\"class\", \"id\", \"sequence\", \"writtenAt\",
\"bytes\"?, \"keys\"?}], \"next\"?}.

Exit codes: 0 success (also when there is nothing), 1 failure, 2 wrong usage.";

/// Number of objects that are asked for at once.
const PAGE: u64 = 200;

/// The arguments of `dotdo ls`.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Class, or class and beginning of the id
    #[arg(value_name = "CLASS[/PREFIX]")]
    part: Option<Part>,
    /// Stop after this number of objects
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Begin after this object, as in the field next of --json
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// Leave out the sizes, which cost a listing each
    #[arg(long)]
    no_size: bool,
    /// List the classes that have objects
    #[arg(long, conflicts_with_all = ["part", "limit", "after", "no_size"])]
    classes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

impl Ls {
    /// Lists objects, or classes.
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let (client, _) = self.place.open()?;
        if self.classes {
            return self.list_classes(&client);
        }
        if self.json { self.print_json(&client) } else { self.print_table(&client) }
    }

    fn list_classes(&self, client: &Client) -> Result<(), Failure> {
        let ask = Ask::get(&["classes"]);
        if self.json {
            return put(&format!("{}\n", client.answer(&ask)?.text()));
        }
        let mut table = Table::new([("CLASS", Side::Left), ("IN THE PROGRAM", Side::Left)]);
        for class in client.json::<Classes>(&ask)?.items {
            table.row([class.class, if class.registered { "yes" } else { "no" }.to_owned()]);
        }
        table.print(Paint::stdout())
    }

    fn print_table(&self, client: &Client) -> Result<(), Failure> {
        let mut heads = vec![("CLASS", Side::Left), ("ID", Side::Left), ("SEQUENCE", Side::Right)];
        heads.push(("WRITTEN", Side::Left));
        if !self.no_size {
            heads.push(("SIZE", Side::Right));
        }
        let mut table = Table::new(heads);
        let mut count = 0;
        self.pages(client, |items, _| {
            for item in items {
                let item: Listed = serde_json::from_str(item.get()).map_err(unexpected)?;
                let written = item.written_at.as_deref().map_or_else(String::new, time);
                let size = item.bytes.map_or_else(String::new, bytes);
                let row = [item.class, item.id, item.sequence.to_string(), written, size];
                table.row(row.into_iter().take(if self.no_size { 4 } else { 5 }));
                count += 1;
            }
            if count == 0 { Ok(()) } else { table.print(Paint::stdout()) }
        })?;
        if count == 0 {
            note(&self.nothing(client));
        }
        Ok(())
    }

    /// Says that there is nothing, and perhaps which class was meant.
    fn nothing(&self, client: &Client) -> String {
        let Some(Part { class, prefix }) = &self.part else { return "no objects".to_owned() };
        let classes = client.json::<Classes>(&Ask::get(&["classes"]));
        let names: Vec<String> =
            classes.into_iter().flat_map(|list| list.items).map(|item| item.class).collect();
        let near = nearest(class, names.iter().map(String::as_str));
        match (prefix, near.filter(|_| !names.contains(class))) {
            (_, Some(near)) => format!("no objects of the class {class}; did you mean {near}?"),
            (Some(prefix), None) => {
                format!("no objects of the class {class} whose id begins with {prefix}")
            }
            (None, None) => format!("no objects of the class {class}"),
        }
    }

    /// Prints `{"items": […], "next"?}` as the pages come.
    fn print_json(&self, client: &Client) -> Result<(), Failure> {
        put("{\"items\":[")?;
        let mut separator = "";
        let mut end = String::from("]}\n");
        self.pages(client, |items, next| {
            for item in items {
                put(&format!("{separator}{}", item.get()))?;
                separator = ",";
            }
            if let Some(next) = next {
                end = format!("],\"next\":{}}}\n", json!(next));
            }
            Ok(())
        })?;
        put(&end)
    }

    /// Gives each page to `page`; the last one with the cursor of the next if the limit ends it.
    fn pages(
        &self,
        client: &Client,
        mut page: impl FnMut(Vec<Box<RawValue>>, Option<&str>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (mut after, mut left) = (self.after.clone(), self.limit.unwrap_or(u64::MAX));
        loop {
            let ask = list(self.part.as_ref(), after.as_deref(), left.min(PAGE));
            let ask = ask.query("size", (!self.no_size).then_some("true"));
            let Page { items, next } = client.json(&ask)?;
            after = next;
            left = left.saturating_sub(items.len() as u64);
            let ends = after.is_none() || left == 0;
            page(items, after.as_deref().filter(|_| ends))?;
            if ends {
                return Ok(());
            }
        }
    }
}

/// A page of objects, each as the server wrote it.
#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
}

/// The request for a page of objects.
pub(super) fn list(part: Option<&Part>, after: Option<&str>, limit: u64) -> Ask {
    Ask::get(&["objects"])
        .query("class", part.map(|part| &*part.class))
        .query("prefix", part.and_then(|part| part.prefix.as_deref()))
        .query("after", after)
        .query("limit", Some(&limit.to_string()))
}

/// All objects of a part of the tenant, each as soon as it is known.
pub(super) fn each(
    client: &Client,
    part: Option<&Part>,
    mut object: impl FnMut(Listed) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let page: super::shapes::Objects = client.json(&list(part, after.as_deref(), PAGE))?;
        page.items.into_iter().try_for_each(&mut object)?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
