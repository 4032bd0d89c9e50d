//! What was meant by a name that nothing has.

use super::client::{Ask, Client};
use super::name::{Object, Part, nearest};
use super::shapes::{Classes, Description, Objects};
use crate::failure::Failure;

/// The code of an object that is not there.
pub(super) const NO_SUCH_OBJECT: &str = "NO_SUCH_OBJECT";
/// Number of ids that are looked at for one that is near.
const IDS_MAX: u64 = 1000;

/// The failure, with a suggestion when the object is not there.
pub(super) fn explained(client: &Client, object: &Object, why: Failure) -> Failure {
    let Failure::Refused { code, message } = why else { return why };
    if code != NO_SUCH_OBJECT {
        return Failure::Refused { code, message };
    }
    match suggestion(client, object) {
        Some(suggestion) => {
            Failure::Refused { code, message: format!("{message}; did you mean {suggestion}?") }
        }
        None => Failure::Refused { code, message },
    }
}

/// The nearest object: of another class when there is none of this one.
fn suggestion(client: &Client, object: &Object) -> Option<String> {
    let classes: Classes = client.json(&Ask::get(&["classes"])).ok()?;
    let names: Vec<&str> = classes.items.iter().map(|item| &*item.class).collect();
    if !names.contains(&&*object.class) {
        return nearest(&object.class, names).map(|class| format!("{class}/{}", object.id));
    }
    let part = Part { class: object.class.clone(), prefix: None };
    let page: Objects = client.json(&super::ls::list(Some(&part), None, IDS_MAX)).ok()?;
    let ids = page.items.iter().map(|item| &*item.id);
    nearest(&object.id, ids).map(|id| format!("{}/{id}", object.class))
}

/// The failure of a statement, with the nearest table when it names one that is not there.
pub(super) fn with_table(client: &Client, object: &Object, why: Failure) -> Failure {
    let Failure::Refused { code, message } = why else { return why };
    let missing = message.split("no such table: ").nth(1).map(|rest| {
        rest.split([' ', ';', ',', '(']).next().unwrap_or(rest).trim_matches('"').to_owned()
    });
    let near = missing.and_then(|missing| {
        let ask = Ask::get(&["objects", &object.class, &object.id]);
        let found: Description = client.json(&ask).ok()?;
        let names = found.database.tables.iter().map(|table| &*table.name);
        nearest(&missing, names).map(str::to_owned)
    });
    match near {
        Some(near) => {
            Failure::Refused { code, message: format!("{message}; did you mean {near}?") }
        }
        None => Failure::Refused { code, message },
    }
}
