//! Fly: machines that start with the first request.

use toml_edit::{DocumentMut, Item, Table, value};

use crate::deploy::image::{Builder, Image};
use crate::deploy::plan::{File, Input, Plan, Step, Url};
use crate::deploy::row::{Clients, Need, Row};
use crate::deploy::tools::Tool;
use crate::deploy::wanted::Wanted;
use crate::failure::Failure;

pub(super) const ROW: Row = Row {
    name: "fly",
    title: "Fly",
    page: "docs/platforms/fly.md",
    tools: &[Tool {
        program: "fly",
        version: &["version"],
        who: Some(&["auth", "whoami"]),
        log_in: "fly auth login",
        install: "install flyctl (https://fly.io/docs/flyctl/install/)",
    }],
    identity: None,
    clients: Clients::Server,
    // Fly's own proxy delivers requests to the owner.
    has_peers: false,
    token_header: None,
    needs: &[Need::Name, Need::Region],
    plan,
};

/// The configuration, where Fly's tool and dotdo's repository have it.
const CONFIG: &str = "deploy/fly/fly.toml";
const TEXT: &str = include_str!("../../../template/deploy/fly.toml");

fn plan(wanted: &Wanted) -> Result<Plan, Failure> {
    let app = &*wanted.name;
    let image = Image::of(&wanted.source, Builder::Platform("Fly"))?;
    let config = File::text(CONFIG, configuration(wanted, &image)?);
    let config_and_app = ["--config", CONFIG, "--app", app];
    let mut steps =
        vec![Step::new("fly", &["apps", "create", app]).unless(&["status", "--app", app])];
    let secrets = wanted.secret_names();
    if !secrets.is_empty() {
        let import = Step::new("fly", &["secrets", "import", "--app", app, "--stage"]);
        steps.push(import.with_input(Input::Lines(secrets)));
    }
    steps.extend([
        Step::new("fly", &["deploy", &image.context]).and(config_and_app).and(["--yes"]),
        Step::new("fly", &["scale", "count", "2"]).and(config_and_app).and(["--yes"]),
    ]);
    let mut files = image.files;
    files.push(config);
    let url = Url::At(format!("https://{app}.fly.dev"));
    Ok(Plan { files, steps, url, notes: Vec::new() })
}

/// `fly.toml` as it is here, or dotdo's own, with the values of this deployment.
fn configuration(wanted: &Wanted, image: &Image) -> Result<String, Failure> {
    let text = std::fs::read_to_string(CONFIG).unwrap_or_else(|_| TEXT.to_owned());
    let mut config: DocumentMut = text.parse().map_err(|cause: toml_edit::TomlError| {
        Failure::Usage(format!("{CONFIG}: {}; correct it, then try again", cause.message()))
    })?;
    set(&mut config, &["app"], &wanted.name);
    set(&mut config, &["primary_region"], wanted.region());
    for (name, text) in wanted.plain() {
        set(&mut config, &["env", &name], &text);
    }
    for (name, text) in &image.arguments {
        set(&mut config, &["build", "args", name], text);
    }
    Ok(config.to_string())
}

/// Sets a value in a table, and keeps what is written around it.
fn set(config: &mut DocumentMut, path: &[&str], text: &str) {
    let Some((last, tables)) = path.split_last() else { return };
    let mut item = config.as_item_mut();
    for table in tables {
        let table = item
            .as_table_like_mut()
            .map(|parent| parent.entry(table).or_insert_with(|| Item::Table(Table::new())));
        let Some(table) = table else { return };
        item = table;
    }
    let Some(table) = item.as_table_like_mut() else { return };
    match table.get_mut(last).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = text.into();
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(last, value(text));
        }
    }
}
