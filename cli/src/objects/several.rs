//! Work on one object, or on all of a class or of the tenant, one after the other.
//!
//! Promises: the order is always the same, so that a command which has ended in the middle goes on
//! where it was.

use clap::Args;
use dotdo::identity::Tenant;
use indicatif::ProgressBar;
use serde_json::json;

use super::absent::{NO_SUCH_OBJECT, explained};
use super::client::Client;
use super::ls::each;
use super::name::{Named, Object, Part};
use super::options::Place;
use super::table::{counted, shown};
use crate::display::{spinner, steps};
use crate::failure::{Failure, note};

/// Which objects a command works on.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    /// Object; the first slash separates class and id
    #[arg(value_name = "[CLASS/]ID", required_unless_present_any = ["class", "all"])]
    object: Option<Named>,
    /// All objects of this class
    #[arg(long, value_name = "CLASS", conflicts_with_all = ["object", "all"])]
    class: Option<String>,
    /// All objects of the tenant
    #[arg(long, conflicts_with = "object")]
    all: bool,
    /// Go on after this object
    #[arg(long, value_name = "CLASS/ID", conflicts_with = "object")]
    after: Option<Named>,
}

/// The objects.
pub(super) struct Several {
    objects: Vec<Object>,
    /// Whether one was named, which has to be there.
    is_named: bool,
}

impl Chosen {
    /// The objects that are meant, in the order of their keys.
    ///
    /// # Errors
    ///
    /// Those of the list of objects.
    pub(super) fn of(&self, client: &Client, place: &Place) -> Result<Several, Failure> {
        if let Some(named) = &self.object {
            return Ok(Several { objects: vec![place.object(named)], is_named: true });
        }
        let part = self.class.clone().map(|class| Part { class, prefix: None });
        let mut objects = Vec::new();
        each(client, part.as_ref(), |item| {
            objects.push(Object { class: item.class, id: item.id });
            Ok(())
        })?;
        objects.sort_by_cached_key(key);
        if let Some(after) = &self.after {
            let after = key(&place.object(after));
            objects.retain(|object| key(object) > after);
        }
        Ok(Several { objects, is_named: false })
    }

    /// What was chosen, for a question; `None` for one object.
    pub(super) fn whole(&self) -> Option<String> {
        match (&self.object, &self.class) {
            (Some(_), _) => None,
            (None, Some(class)) => Some(format!("the class {class}")),
            (None, None) => Some("the tenant".to_owned()),
        }
    }
}

impl Several {
    /// The number of objects.
    pub(super) fn count(&self) -> u64 {
        self.objects.len() as u64
    }

    /// Fails when there is nothing to do, which is most likely a mistyped class.
    ///
    /// # Errors
    ///
    /// `Failed`.
    pub(super) fn required(self) -> Result<Self, Failure> {
        if self.objects.is_empty() {
            return Err(Failure::Failed("there are no such objects".to_owned()));
        }
        Ok(self)
    }

    /// The name of the first object.
    pub(super) fn first(&self) -> String {
        self.objects.first().map_or_else(String::new, Object::to_string)
    }

    /// Whether one object was named.
    pub(super) fn is_named(&self) -> bool {
        self.is_named
    }

    /// Does `work` with each object, and says how many there were. One that has ended since it was
    /// listed is left out. After a failure it is said how to go on.
    ///
    /// # Errors
    ///
    /// Those of `work`, after which no more is done.
    pub(super) fn each(
        &self,
        client: &Client,
        mut work: impl FnMut(&Object, &ProgressBar) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let progress = if self.is_named { spinner() } else { steps(self.count()) };
        let (mut done, mut last) = (0, None);
        for object in &self.objects {
            progress.set_message(shown(&object.to_string()));
            match client.check().and_then(|()| work(object, &progress)) {
                Ok(()) => done += 1,
                Err(why) if self.is_named => return Err(explained(client, object, why)),
                Err(Failure::Refused { code, .. }) if code == NO_SUCH_OBJECT => {}
                Err(why) => {
                    progress.finish_and_clear();
                    if let Some(last) = last {
                        self.say_how_to_go_on(done, last);
                    }
                    return Err(why);
                }
            }
            last = Some(object);
            if !self.is_named {
                progress.inc(1);
            }
        }
        progress.finish_and_clear();
        Ok(done)
    }

    fn say_how_to_go_on(&self, done: u64, last: &Object) {
        let (total, last) = (counted(self.count(), "object"), shown(&last.to_string()));
        note(&format!("{done} of {total} done; with --after '{last}' the command goes on"));
    }
}

/// What objects are ordered by: as in the bucket.
fn key(object: &Object) -> String {
    let known =
        Tenant::new("local", "local").and_then(|tenant| tenant.object(&object.class, &object.id));
    known.map_or_else(|_| object.to_string(), |object| object.key_segments().to_string())
}

/// A line, which is an object of JSON, with the object that it is about.
pub(super) fn with_object(line: &str, object: &Object) -> String {
    let rest = line.trim_start().trim_start_matches('{');
    format!("{{\"class\":{},\"id\":{},{rest}", json!(object.class), json!(object.id))
}
